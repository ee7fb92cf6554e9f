"""Views as the page gets them: plain JSON values, with all foreign text made fit to be shown."""

from collections.abc import Mapping, Sequence

from usbprov.bench.portmap import HubLayout
from usbprov.bench.states import PortState
from usbprov.bench.views import BenchView, PortView, StepView, Trouble
from usbprov.usb.device_text import shown

Json = dict[str, object]

_LONGEST = 400
"""Characters of a text that the page gets at most: a line, not a book."""

KINDS: Mapping[PortState, str] = {
    PortState.EMPTY: "empty",
    PortState.WAITING: "hand",
    PortState.AWAY: "away",
    PortState.DONE: "done",
    PortState.FAILED: "failed",
}
"""How a port looks, by state; every other state is ``running``."""


def port(view: PortView) -> Json:
    """Return a port."""
    return {
        "bench": clean(view.bench),
        "label": clean(view.label),
        "address": clean(view.address),
        "state": view.state.value,
        "kind": kind(view),
        "mayUnplug": view.may_unplug,
        "number": view.number,
        "since": view.since.timestamp(),
        "phone": clean(view.phone),
        "serial": clean(view.serial),
        "mac": clean(view.mac),
        "user": clean(view.user),
        "name": clean(view.name),
        "step": clean(view.step),
        "percent": view.percent,
        "attempt": view.attempt,
        "job": view.job,
        "hand": clean(view.hand),
        "asks": clean(view.asks),
        "thumbprint": clean(view.thumbprint),
        "notAfter": view.not_after.timestamp() if view.not_after else None,
        "trouble": _trouble(view.trouble),
        "steps": [_step(step) for step in view.steps],
    }


def kind(view: PortView) -> str:
    """Say how a port looks: what needs a hand looks so, whatever it is doing."""
    found = KINDS.get(view.state, "running")
    return "hand" if view.hand and found == "running" else found


def bench(view: BenchView) -> Json:
    """Return a bench."""
    return {
        "name": clean(view.name),
        "number": view.number,
        "started": view.started.timestamp(),
        "roster": view.roster,
        "done": view.done,
        "failed": view.failed,
        "running": view.running,
        "perHour": view.per_hour,
        "left": view.left,
        "absent": clean(view.absent),
    }


def hubs(bench_name: str, layout: Sequence[HubLayout], labels: Mapping[str, str]) -> list[Json]:
    """Return how the hubs of a bench lie.

    Args:
        bench_name: Whose they are.
        layout: How they lie.
        labels: What the bench calls its ports, by address: what it says goes before the layout.
    """
    return [
        {
            "bench": clean(bench_name),
            "name": clean(hub.name),
            "rows": hub.rows,
            "columns": hub.columns,
            "guessed": hub.is_guessed,
            "tiles": [
                {
                    "label": clean(labels.get(tile.address, tile.label)),
                    "row": tile.row,
                    "column": tile.column,
                }
                for tile in hub.tiles
            ],
        }
        for hub in layout
    ]


def _trouble(trouble: Trouble | None) -> Json | None:
    if trouble is None:
        return None
    return {
        "code": clean(trouble.code),
        "what": clean(trouble.what),
        "cause": clean(trouble.cause),
        "remedy": clean(trouble.remedy),
        "retryable": trouble.retryable,
    }


def _step(step: StepView) -> Json:
    return {
        "name": clean(step.name),
        "mark": clean(step.mark),
        "ms": step.ms,
        "learnt": clean(step.learnt),
    }


def clean(text: str) -> str:
    """Make text fit for a line of the page: what a device or a file says is foreign."""
    fit = shown(" ".join(text[: 2 * _LONGEST].split())) or ""
    return fit if len(fit) <= _LONGEST else fit[: _LONGEST - 1] + "…"
