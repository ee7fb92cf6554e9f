"""The JSON of a bench: one document a line for each change (docs/json.md)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from usbprov.cli.documents import Document, moment
from usbprov.errors import ExitCode, UsbprovError

_OUTCOMES = {ExitCode.SOME_FAILED: "some-failed", ExitCode.INTERRUPTED: "interrupted"}

if TYPE_CHECKING:
    from usbprov.bench.feed import View
    from usbprov.bench.views import BenchView, PortView, Trouble


def view(of: "View") -> Document:
    """Describe a change."""
    from usbprov.bench.views import PortView

    return port(of) if isinstance(of, PortView) else bench(of)


def port(of: "PortView") -> Document:
    """Describe a port as it is now."""
    return {
        "view": "port",
        "number": of.number,
        "bench": of.bench,
        "label": of.label,
        "address": of.address,
        "state": of.state.value,
        "may_unplug": of.may_unplug,
        "since": moment(of.since),
        "phone": of.phone,
        "serial": of.serial,
        "mac": of.mac,
        "user": of.user,
        "name": of.name,
        "step": of.step,
        "percent": of.percent,
        "attempt": of.attempt,
        "job": of.job,
        "hand": of.hand,
        "asks": of.asks,
        "thumbprint": of.thumbprint,
        "not_after": moment(of.not_after),
        "trouble": _trouble(of.trouble) if of.trouble else None,
        "steps": [{"name": s.name, "state": s.mark, "ms": s.ms} for s in of.steps],
    }


def bench(of: "BenchView") -> Document:
    """Describe the whole bench as it is now."""
    return {
        "view": "bench",
        "number": of.number,
        "name": of.name,
        "started": moment(of.started),
        "roster": of.roster,
        "done": of.done,
        "failed": of.failed,
        "running": of.running,
        "per_hour": of.per_hour,
        "left": of.left,
    }


def summary(
    of: "BenchView", unfinished: Sequence["PortView"], problem: UsbprovError | None
) -> Document:
    """Describe what a run came to; it is the last line."""
    return bench(of) | {
        "view": "summary",
        "outcome": "done" if problem is None else _OUTCOMES[problem.exit_code],
        "unfinished": [port(view) for view in unfinished],
    }


def _trouble(of: "Trouble") -> Document:
    return {
        "code": of.code,
        "message": of.what,
        "cause": of.cause,
        "remedy": of.remedy,
        "retried": of.retryable,
    }
