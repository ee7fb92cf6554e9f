"""The bench as plain lines: for files, pipes, and terminals that can do no more."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from usbprov.bench.controls import Controls
from usbprov.bench.feed import View
from usbprov.bench.terminal import saying, words
from usbprov.bench.terminal.hands import LONGEST_LINE, Scan
from usbprov.bench.terminal.keyboard import Keyboard, NoKeyboard
from usbprov.bench.terminal.orders import Orders
from usbprov.bench.terminal.picture import Message
from usbprov.bench.terminal.seen import Seen

_PERIOD = 0.1
_SUMS_PERIOD = 60.0
"""Seconds between two lines of sums, while they change."""


def _write(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # a reader who has gone must not stop the bench
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class PlainBoard:
    """Prints a line for each change of a port, and the sums now and then.

    Each line that is read counts as scanned. A context manager: lines come inside the block.
    """

    def __init__(
        self,
        controls: Controls,
        name: str,
        keyboard: Keyboard | None = None,
        write: Callable[[str], None] = _write,
    ) -> None:
        """Prepare.

        Args:
            controls: The bench.
            name: The bench's name; other benches' ports are not shown.
            keyboard: Where scanned lines come from, if any do.
            write: Where lines go.
        """
        self._views = controls.feed.subscribe()
        self._keyboard = keyboard or NoKeyboard()
        self._write = write
        self._seen = Seen(name)
        self._told: dict[str, tuple[object, ...]] = {}
        self._orders = Orders(controls, self._say)
        self._line = ""
        self._sums = ("", -_SUMS_PERIOD)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="board", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._keyboard.wake()
        self._stopping.set()
        self._thread.join()
        self._orders.close()
        self._views.close()

    def say(self, words: str, *, bad: bool = False) -> None:
        """Write a line; from any thread."""
        self._say(Message(words, bad))

    @property
    def takes_pins(self) -> bool:
        """They cannot be keyed in here: what is typed would be shown."""
        return False

    def _run(self) -> None:
        with self._keyboard:
            while not self._stopping.is_set():
                self._read(self._keyboard.read(_PERIOD))
                self._tell(self._views.next(0))
        self._tell(self._views.next(0))
        self._tell_sums(0)

    def _read(self, text: str) -> None:
        *lines, self._line = (self._line + text).split("\n")
        self._line = self._line[-LONGEST_LINE:]
        for line in filter(None, (words.clean(line) for line in lines)):
            self._orders.give(Scan(line[:LONGEST_LINE]))

    def _tell(self, views: Sequence[View]) -> None:
        for view in self._seen.take(views):
            told = saying.told(view)
            if self._told.get(view.label) != told:
                self._told[view.label] = told
                self._write(saying.port_line(view))
        self._tell_sums(_SUMS_PERIOD)

    def _tell_sums(self, period: float) -> None:
        """Write the sums if they are others than last time, and that is long enough ago."""
        bench, (last, at) = self._seen.bench, self._sums
        if bench is None or time.monotonic() - at < period:
            return
        line = saying.bench_line(bench, datetime.now(UTC))
        if line.partition("=")[2] != last:
            self._write(line)
        self._sums = (line.partition("=")[2], time.monotonic())

    def _say(self, message: Message) -> None:
        self._write(f"{'!' if message.bad else '>'} {words.clean(message.words)}")
