"""The terminal's keys, one by one and without echo, while the board is on it.

Whatever ends the board, the terminal is given back as it was, and what was typed and not yet
read is dropped: half a barcode must not become a command of the shell.
"""

import codecs
import contextlib
import os
import select
import sys
import threading
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

_CHUNK = 4096


class Keyboard(Protocol):
    """Where text comes from. A context manager: keys are read inside the block."""

    def read(self, timeout: float) -> str:
        """Return what was typed, at once if there is anything; "" after ``timeout`` seconds."""
        ...

    def wake(self) -> None:
        """Have ``read`` return at once from now on; from another thread, inside the block."""
        ...

    def keep(self) -> bool:
        """Take the keys again if the terminal was set otherwise meanwhile; says whether it was."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class NoKeyboard:
    """There is nobody to type."""

    def __init__(self) -> None:
        self._nothing = threading.Event()

    def read(self, timeout: float) -> str:
        """Wait."""
        self._nothing.wait(timeout)
        return ""

    def wake(self) -> None:
        """Wait no more."""
        self._nothing.set()

    def keep(self) -> bool:
        """Nothing is set."""
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to give back."""


if sys.platform == "win32":

    class TerminalKeyboard(NoKeyboard):
        """The console's keys. They come one by one there, as soon as they are asked for."""

        _PAUSE = 0.02
        _ARROWS: ClassVar = {"H": "\x1b[A", "P": "\x1b[B"}

        def __init__(self, descriptor: int) -> None:
            super().__init__()

        def read(self, timeout: float) -> str:
            """Return what was typed; the console cannot be waited for together with a clock."""
            import msvcrt  # noqa: PLC0415 - only there

            left = timeout
            while not msvcrt.kbhit():
                if left <= 0 or self._nothing.is_set():
                    return ""
                self._nothing.wait(self._PAUSE)
                left -= self._PAUSE
            typed = ""
            while msvcrt.kbhit():
                typed += self._key(msvcrt.getwch())
            return typed

        def _key(self, character: str) -> str:
            import msvcrt  # noqa: PLC0415

            if character in {"\0", "\xe0"}:
                return self._ARROWS.get(msvcrt.getwch(), "")
            return character

    def _is_ours(_: int) -> bool:
        return True

    def lines_of(_: int) -> Keyboard:
        """A pipe cannot be waited for together with a clock there: nothing is read."""
        return NoKeyboard()

else:

    class TerminalKeyboard:
        """The keys of a POSIX terminal. Ctrl-C stays what it is; those to stop or quit do nothing.

        A bench that stands still in the middle of writing to phones helps nobody.
        """

        def __init__(self, descriptor: int) -> None:
            self._stream = _Stream(descriptor)
            self._descriptor = descriptor
            self._before: list[Any] | None = None

        def __enter__(self) -> Self:
            import termios  # noqa: PLC0415 - there is none on Windows

            self._stream.__enter__()
            self._before = termios.tcgetattr(self._descriptor)
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._wanted())
            return self

        def __exit__(self, *_: object) -> None:
            import termios  # noqa: PLC0415

            self._stream.__exit__()
            before, self._before = self._before, None
            with contextlib.suppress(termios.error):  # the terminal is gone
                if before is not None:
                    termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, before)

        def read(self, timeout: float) -> str:
            """Return what was typed."""
            return self._stream.read(timeout)

        def wake(self) -> None:
            """Wait no more."""
            self._stream.wake()

        def keep(self) -> bool:
            """Set the terminal again if a shell has set it meanwhile: we were stopped."""
            import termios  # noqa: PLC0415

            if not _is_ours(self._descriptor):
                return False
            if not termios.tcgetattr(self._descriptor)[3] & (termios.ECHO | termios.ICANON):
                return False
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._wanted())
            return True

        def _wanted(self) -> list[Any]:
            import termios  # noqa: PLC0415

            wanted = termios.tcgetattr(self._descriptor)
            wanted[0] &= ~(termios.IXON | termios.INLCR | termios.IGNCR)
            wanted[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
            off = os.fpathconf(self._descriptor, "PC_VDISABLE").to_bytes(1, "little")
            for name in (termios.VSUSP, termios.VQUIT):
                wanted[6][name] = off
            wanted[6][termios.VMIN], wanted[6][termios.VTIME] = 1, 0
            return wanted

    def _is_ours(descriptor: int) -> bool:
        """Say whether we may read: a program in the background that does is stopped."""
        try:
            return os.tcgetpgrp(descriptor) == os.getpgrp()
        except OSError:  # no terminal, or not ours at all
            return not os.isatty(descriptor)

    class _Stream(NoKeyboard):
        """Text from a descriptor; after its end there is only silence."""

        def __init__(self, descriptor: int) -> None:
            super().__init__()
            self._descriptor = descriptor
            self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
            self._ended = False
            self._alarm: tuple[int, ...] = ()

        def __enter__(self) -> Self:
            self._alarm = os.pipe()
            return self

        def __exit__(self, *_: object) -> None:
            alarm, self._alarm = self._alarm, ()
            for end in alarm:
                os.close(end)

        def wake(self) -> None:
            """Wait no more."""
            super().wake()
            for end in self._alarm[1:]:
                os.write(end, b"!")

        def read(self, timeout: float) -> str:
            """Return what is there; nothing while we are in the background."""
            if self._ended or not _is_ours(self._descriptor):
                return super().read(timeout)
            ready, _, _ = select.select([self._descriptor, *self._alarm[:1]], [], [], timeout)
            return self._decoder.decode(self._chunk()) if self._descriptor in ready else ""

        def _chunk(self) -> bytes:
            try:
                data = os.read(self._descriptor, _CHUNK)
            except OSError:  # the terminal was hung up
                data = b""
            self._ended = not data
            return data

    def lines_of(descriptor: int) -> Keyboard:
        """Return the text of a pipe, a file, or a terminal that is left as it is."""
        return _Stream(descriptor)


def standard_input() -> int | None:
    """Return its descriptor, or None where whoever started the program has closed it."""
    try:
        return sys.stdin.fileno() if sys.stdin is not None else None
    except (OSError, ValueError):
        return None


def is_ours(descriptor: int) -> bool:
    """Say whether a descriptor is a terminal, and we are in its foreground."""
    return os.isatty(descriptor) and _is_ours(descriptor)


def keyboard_of(descriptor: int | None) -> Keyboard:
    """Return a terminal's keys, the text of a pipe or file, or nobody's where there is none."""
    if descriptor is None:
        return NoKeyboard()
    return TerminalKeyboard(descriptor) if is_ours(descriptor) else lines_of(descriptor)
