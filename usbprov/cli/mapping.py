"""``usbprov bench map`` while it runs: what comes and goes, and what is keyed in."""

import queue
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import click

from usbprov.bench.mapfile import write_map
from usbprov.bench.mapping import MapLearner
from usbprov.errors import UsageError
from usbprov.phone.candidates import address_of
from usbprov.phone.registry import driver_for
from usbprov.usb.devices import Bus
from usbprov.usb.hotplug import Arrived, BusChanged, Event, Left
from usbprov.usb.watcher import Watcher

_PATIENCE = 0.25
"""Seconds of one wait for phones; then lines that were keyed in are looked at."""

_MOST_COLUMNS = 64


@dataclass
class Course:
    """What is learnt, and where it goes.

    Attributes:
        learner: What is learnt.
        path: The file; it is written after every change.
        columns: Ports a row of the next hub, unless it is said.
        until: After how many ports to end, or None.
    """

    learner: MapLearner
    path: Path
    columns: int
    until: int | None = None
    ended: bool = field(default=False, init=False)

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to be learnt."""
        return self.ended or (self.until is not None and self.learner.learnt >= self.until)

    def plugged(self, events: Sequence[Event]) -> None:
        """Take in what came and went at one moment."""
        for event in events:
            match event:
                case Left(facts):
                    self.learner.left(address_of(facts))
                case BusChanged(bus, problem):
                    click.echo(f"{bus}: {problem or 'can be searched again'}")
        came = [event.device.facts for event in events if isinstance(event, Arrived)]
        words = self.learner.arrived([address_of(f) for f in came if driver_for(f) is not None])
        if words:
            self._tell(words)

    def keyed(self, line: str) -> None:
        """Do what a line says."""
        word, _, rest = line.strip().partition(" ")
        action = _ACTIONS.get(word.lower())
        if not word:
            return
        if action is None:
            click.echo(f"{word}? undo, skip, label NAME, hub NAME [COLUMNS], end")
            return
        try:
            words = action(self, rest.strip())
        except UsageError as error:
            click.echo(str(error))
            return
        if words:
            self._tell(words)

    def _tell(self, words: str) -> None:
        write_map(self.path, self.learner.port_map())
        click.echo(words)


def learn(course: Course, buses: Sequence[Bus]) -> None:
    """Learn until the end is keyed in, enough was learnt, or Ctrl-C.

    Raises:
        PortMapNotSaved: The file cannot be written.
    """
    lines = _keyed_lines()
    with suppress(KeyboardInterrupt), Watcher(buses) as watcher:
        while not course.is_done:
            course.plugged(watcher.next(_PATIENCE))
            with suppress(queue.Empty):
                while not course.is_done:
                    course.keyed(lines.get_nowait())
    click.echo(f"{course.learner.learnt} ports learnt; {course.path}")


def _keyed_lines() -> "queue.SimpleQueue[str]":
    """Return the lines of standard input as they come; at its end on a terminal, ``end``."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    if sys.stdin is None:
        return lines

    def read() -> None:
        with suppress(OSError, ValueError):
            for line in sys.stdin:
                lines.put(line)
            if sys.stdin.isatty():
                lines.put("end")

    threading.Thread(target=read, name="keyboard", daemon=True).start()
    return lines


def _undo(course: Course, _rest: str) -> str:
    return course.learner.undo()


def _skip(course: Course, _rest: str) -> str:
    return course.learner.skip()


def _label(course: Course, rest: str) -> str:
    return course.learner.name_next(rest)


def _hub(course: Course, rest: str) -> str:
    name, _, columns = rest.rpartition(" ")
    if not name or not columns.isdecimal():
        return course.learner.begin_hub(rest, course.columns)
    if not 0 < int(columns) <= _MOST_COLUMNS:
        raise UsageError(f"a row has from 1 to {_MOST_COLUMNS} ports")
    return course.learner.begin_hub(name, int(columns))


def _end(course: Course, _rest: str) -> str:
    course.ended = True
    return ""


_ACTIONS: Mapping[str, Callable[[Course, str], str]] = {
    "undo": _undo, "u": _undo,
    "skip": _skip, "s": _skip,
    "label": _label, "l": _label,
    "hub": _hub, "h": _hub,
    "end": _end, "q": _end, "quit": _end,
}  # fmt: skip
