"""A program on a terminal of its own, whose screen is read as a person would see it."""

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyte
from processes import wait_for

TESTS = Path(__file__).parent


@dataclass
class Terminal:
    """A pseudo-terminal with a program on it; its output is taken in by a thread.

    Attributes:
        pieces: When something was written, and how many bytes.
        sent: All that was written.
    """

    process: subprocess.Popen[bytes]
    descriptor: int
    theirs: int
    screen: pyte.Screen
    stream: pyte.ByteStream
    lock: threading.Lock = field(default_factory=threading.Lock)
    sent: bytearray = field(default_factory=bytearray)
    pieces: list[tuple[float, int]] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        with self.lock:
            return list(self.screen.display)

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines)

    @property
    def modes(self) -> list[object]:
        """What the program has set the terminal to; without what is under way."""
        return termios.tcgetattr(self.theirs)

    @property
    def is_raw(self) -> bool:
        return not self.modes[3] & (termios.ECHO | termios.ICANON)  # type: ignore[operator]

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def shows(self, text: str) -> str:
        """Wait until the text is on the screen."""
        wait_for(lambda: text in self.text, f"{text!r} on\n{self.text}")
        return self.text

    def resize(self, columns: int, lines: int) -> None:
        with self.lock:
            self.screen.resize(lines, columns)
            _set_size(self.descriptor, columns, lines)
        self.process.send_signal(signal.SIGWINCH)

    def end(self, with_signal: int = signal.SIGINT) -> int:
        self.process.send_signal(with_signal)
        return self.process.wait(30)

    def read(self) -> None:
        while True:
            ready, _, _ = select.select([self.descriptor], [], [], 0.2)
            if not ready:
                if self.process.poll() is not None:
                    return
                continue
            try:
                data = os.read(self.descriptor, 65536)
            except OSError:
                return
            with self.lock:
                self.pieces.append((time.monotonic(), len(data)))
                self.sent += data
                self.stream.feed(data)


def _set_size(descriptor: int, columns: int, lines: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def _take_terminal(descriptor: int) -> Callable[[], None]:
    def take() -> None:
        fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)

    return take


@contextmanager
def terminal(
    program: Sequence[str],
    columns: int = 80,
    lines: int = 24,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """Run a program on a terminal of this size; it is killed at the end if it still runs."""
    ours, theirs = os.openpty()
    _set_size(ours, columns, lines)
    dropped = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "COLORTERM"}
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    process = subprocess.Popen(
        program,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment | {"TERM": "xterm-256color"} | dict(variables or {}),
        start_new_session=True,
        preexec_fn=_take_terminal(theirs),  # noqa: PLW1509 - no thread of ours holds a lock yet
    )
    screen = pyte.Screen(columns, lines)
    made = Terminal(process, ours, theirs, screen, pyte.ByteStream(screen))
    reader = threading.Thread(target=made.read, daemon=True)
    reader.start()
    try:
        yield made
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join()
        for descriptor in (ours, theirs):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def play(*arguments: str) -> list[str]:
    """The command that plays a shift on the board."""
    return [sys.executable, str(TESTS / "play_bench.py"), *arguments]
