"""``usbprov list --watch``: what comes and goes, for people and for machines."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from usbprov.cli import documents, listing
from usbprov.cli.unread import may_be_unread
from usbprov.usb.devices import Bus, DeviceFacts
from usbprov.usb.hotplug import Arrived, BusChanged, Changed, Event, Left
from usbprov.usb.watcher import Watcher

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PATIENCE = 0.5
"""Seconds of one wait: on some systems Ctrl-C is only heard between two."""

_TABLE_HEADS = ("PHONE", "PRODUCT", "SERIAL", "DRIVER", "LINK", "NOTE")

View = Callable[[Event], None]


def watch(buses: Sequence[Bus], *, as_json: bool) -> None:
    """Show what comes and goes until Ctrl-C or SIGTERM."""
    with (
        may_be_unread(sys.stdout),
        suppress(KeyboardInterrupt),
        _view(as_json=as_json) as view,
        Watcher(buses) as watcher,
    ):
        while True:
            for event in watcher.next(_PATIENCE):
                view(event)


def _view(*, as_json: bool) -> AbstractContextManager[View]:
    if as_json:
        return _Lines(_json_line)
    if not sys.stdout.isatty():
        return _Lines(_line)
    from rich.console import Console

    return LiveTable(Console())


class _Lines:
    """Prints each event as a line, at once."""

    def __init__(self, of: Callable[[Event], str]) -> None:
        self._of = of

    def __enter__(self) -> View:
        return lambda event: click.echo(self._of(event))

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()


def _line(event: Event) -> str:
    match event:
        case Arrived(device):
            return f"+ {listing.line(device.facts)}"
        case Changed(device):
            return f"~ {listing.line(device.facts)}"
        case Left(facts):
            return f"- {listing.row(facts)[0]}"
        case BusChanged(bus, problem):
            return f"! {bus}: {problem or 'can be searched again'}"


def _json_line(event: Event) -> str:
    kind, content = _content(event)
    document = {"event": kind, "at": documents.moment(datetime.now(UTC)), **content}
    return json.dumps(document, ensure_ascii=False)


def _content(event: Event) -> tuple[str, Mapping[str, Any]]:
    match event:
        case Arrived(device):
            return "arrived", {"device": listing.document(device.facts)}
        case Changed(device):
            return "changed", {"device": listing.document(device.facts)}
        case Left(facts):
            return "left", {"device": listing.document(facts)}
        case BusChanged(bus, problem):
            return "bus", {"bus": bus, "problem": problem}


class LiveTable:
    """A table on a terminal that always shows what is there now."""

    def __init__(self, console: "Console") -> None:
        """Show on ``console``; nothing is shown before the block is entered."""
        from rich.live import Live

        self._present: dict[tuple[str, str], DeviceFacts] = {}
        self._problems: dict[str, str] = {}
        self._live = Live(self.table(), console=console, auto_refresh=False)

    def __enter__(self) -> View:
        self._live.start(refresh=True)
        return self.show

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, event: Event) -> None:
        """Take an event in and show the table anew."""
        match event:
            case Arrived(device) | Changed(device):
                self._present[_place(device.facts)] = device.facts
            case Left(facts):
                self._present.pop(_place(facts), None)
            case BusChanged(bus, None):
                self._problems.pop(bus, None)
            case BusChanged(bus, str(problem)):
                self._problems[bus] = problem
        self._live.update(self.table(), refresh=True)

    def table(self) -> "Table":
        """Return the table as it is now."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        told = [f"{bus}: {problem}" for bus, problem in self._problems.items()]
        caption = "\n".join([*told, f"{len(self._present)} attached; Ctrl-C ends"])
        made = Table(box=box.SIMPLE_HEAD, caption=Text(caption), caption_justify="left")
        for head in _TABLE_HEADS:
            made.add_column(head, overflow="fold")
        for facts in sorted(self._present.values(), key=_order):
            made.add_row(*(Text(word) for word in _words(facts)))
        return made


def _words(facts: DeviceFacts) -> list[str]:
    named = dict(zip(listing.HEADS, listing.row(facts), strict=True))
    return [named[head] for head in _TABLE_HEADS]


def _place(facts: DeviceFacts) -> tuple[str, str]:
    return (facts.bus, facts.port_path)


def _order(facts: DeviceFacts) -> tuple[object, ...]:
    from usbprov.usb.portpath import PortPath

    try:
        return (facts.bus, 0, PortPath.parse(facts.port_path))
    except ValueError:
        return (facts.bus, 1, facts.port_path)
