"""Which board a bench gets: JSON lines, the terminal's, or none."""

import contextlib
import json
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import click

from usbprov.cli import bench_documents

if TYPE_CHECKING:
    from usbprov.bench.bench import Bench
    from usbprov.bench.feed import Feed, View


class Board(Protocol):
    """Shows a bench within its block."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    @property
    def takes_pins(self) -> bool:
        """Whether PINs can be keyed in at it."""
        ...

    def say(self, words: str) -> None:
        """Say something about the bench as a whole; from any thread."""
        ...


def board_of(
    bench: "Bench", name: str, *, as_json: bool, quiet: bool, scans: bool, link: str = ""
) -> Board:
    """Return the board.

    Args:
        bench: The bench.
        name: Its name.
        as_json: Whether JSON lines are wanted.
        quiet: Whether nothing is.
        scans: Whether standard input may be read for scans and keys.
        link: To the board for browsers; a board on the terminal hides what was printed before.
    """
    if as_json:
        return JsonLines(bench.feed, name)
    if quiet:
        return NoBoard()
    from usbprov.bench.terminal import board_for

    return board_for(bench, name, scans=scans, link=link)


class NoBoard:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing to do."""

    @property
    def takes_pins(self) -> bool:
        """There is nobody to ask."""
        return False

    def say(self, words: str) -> None:
        """Say it beside what the program gives out."""
        click.echo(words, err=True)


class JsonLines(NoBoard):
    """Writes a document a line for every change, in a thread of its own.

    What changes while a line is being written is told by the newest view of each port only.
    Other benches are not told of: they write lines of their own.
    """

    def __init__(self, feed: "Feed", name: str) -> None:
        self._name = name
        self._views = feed.subscribe()
        self._thread = threading.Thread(target=self._run, name="lines", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write what is left, and end."""
        self._views.close()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # a reader who has gone must not stop the bench
            while views := self._views.next():
                self._write(views)

    def _write(self, views: "Sequence[View]") -> None:
        from usbprov.bench.feed import bench_of

        told = (bench_documents.view(view) for view in views if bench_of(view) == self._name)
        lines = [json.dumps(document, ensure_ascii=False) for document in told]
        if lines:
            click.echo("\n".join(lines))
