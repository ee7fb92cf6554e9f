"""Views as plain lines, one a change: for files, pipes, and terminals that can do no more."""

from datetime import datetime

from usbprov.bench.terminal import words
from usbprov.bench.terminal.looks import look_of
from usbprov.bench.views import BenchView, PortView


def told(view: PortView) -> tuple[object, ...]:
    """Return what makes a line of its own when it changes: not how far a step is."""
    code = view.trouble.code if view.trouble else ""
    return (view.state, view.hand, view.attempt, code, view.serial, view.user)


def port_line(view: PortView, label_width: int = 4) -> str:
    """Write a port's change, with time and all that a reader may look for."""
    parts = (
        f"{_time(view.since)} {look_of(view).sign} {words.clean(view.label):<{label_width}}",
        f"{view.state}:" if words.what(view) else view.state,
        words.what(view),
        *(f"[{words.clean(fact)}]" for fact in (view.serial, view.user) if fact),
        words.clean(words.advice(view)) and f"- {words.advice(view)}" if view.trouble else "",
    )
    return " ".join(filter(None, parts))


def bench_line(view: BenchView, now: datetime) -> str:
    """Write the bench's sums."""
    counts = (f"{view.running} running", f"{view.failed} failed")
    return f"{_time(now)} = {words.clean(view.name)}: " + ", ".join((*words.figures(view), *counts))


def _time(moment: datetime) -> str:
    return f"{moment.astimezone():%H:%M:%S}"
