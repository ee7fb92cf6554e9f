"""All that is known of one port: what its line has no room for."""

import textwrap
from collections.abc import Iterator
from datetime import datetime

from rich.text import Text

from usbprov.bench.terminal import words
from usbprov.bench.terminal.looks import look_of
from usbprov.bench.views import PortView, StepView

_MARKS = {"done": "✓", "skipped": "○", "failed": "✗", "begun": "▸"}
_NAME_WIDTH = 15
_MOST_STEPS = 64


def detail_lines(view: PortView, size: tuple[int, int], now: datetime) -> list[Text]:
    """Write a port's details; the oldest steps are left out first where there is no room."""
    width, lines = size
    look = look_of(view)
    title = f"{look.sign} {words.clean(view.label)}  {view.state}  {words.age(view, now)}"
    head = [Text(title.rstrip(), look.style), *_facts(view, width)]
    steps = [_step(step) for step in view.steps[-_MOST_STEPS:]]
    room = max(0, lines - len(head) - 1)
    made = [*head, *([Text(), *steps[len(steps) - min(room, len(steps)) :]] if steps else [])]
    for line in made:
        line.truncate(width, overflow="ellipsis", pad=True)
    return made[:lines]


def _facts(view: PortView, width: int) -> Iterator[Text]:
    for name, told in _pairs(view):
        clean = words.clean(told)
        for n, part in enumerate(textwrap.wrap(clean, max(width - _NAME_WIDTH, 10))):
            yield Text.assemble((f"{'' if n else name:<{_NAME_WIDTH}}", "dim"), part)


def _pairs(view: PortView) -> Iterator[tuple[str, str]]:
    if view.trouble:
        yield "what happened", f"{view.trouble.code}: {view.trouble.what}"
        yield "likely cause", view.trouble.cause
        yield "what to do", view.trouble.remedy
    yield "by hand", view.hand
    yield "at", f"{view.step} {view.percent} %" if view.percent is not None else view.step
    yield "user", ", ".join(filter(None, (view.name, view.user)))
    yield "phone", _phone(view)
    yield "port", view.address
    yield "job", _job(view)
    yield "certificate", _certificate(view)


def _phone(view: PortView) -> str:
    known = (("", view.phone), ("serial ", view.serial), ("MAC ", view.mac))
    return ", ".join(name + value for name, value in known if value)


def _job(view: PortView) -> str:
    return f"{view.job}, attempt {view.attempt}" if view.job is not None else ""


def _certificate(view: PortView) -> str:
    end = f"valid until {view.not_after:%Y-%m-%d}" if view.not_after else ""
    return ", ".join(filter(None, (end, f"SHA-256 {view.thumbprint}" if view.thumbprint else "")))


def _step(step: StepView) -> Text:
    mark = _MARKS.get(step.mark, "?")
    ms = f"{step.ms} ms" if step.mark != "begun" else ""
    return Text(f"{mark} {words.clean(step.name):<11}{ms:>9}  {words.clean(step.learnt)}")
