"""Joins a function to a pseudo-terminal, where programs find it as a serial port.

Linux and macOS only: Windows has no terminals that a program can be behind.
"""

import contextlib
import os
import selectors
import sys
import threading
from collections import deque
from types import TracebackType
from typing import Self

from usbprov.emulation.function import Function
from usbprov.errors import LabUnusable

_CHUNK = 4096

if sys.platform == "win32":

    def _open_terminal() -> tuple[int, int, str]:
        raise LabUnusable("this system has no pseudo-terminals")

    def _open_pipe() -> tuple[int, int]:
        return os.pipe()

else:

    def _open_terminal() -> tuple[int, int, str]:
        """Open a terminal in raw mode: our side, theirs, and its name."""
        import pty  # noqa: PLC0415  # not there on every platform
        import tty  # noqa: PLC0415

        ours, theirs = pty.openpty()
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        return ours, theirs, os.ttyname(theirs)

    def _open_pipe() -> tuple[int, int]:
        read, write = os.pipe()
        os.set_blocking(write, False)
        return read, write


class PtyPort:
    """A pseudo-terminal in raw mode with a function behind it.

    The function gets the bytes in pieces as they come; programs open ``path`` as often as they
    like, and the function is not told.

    Attributes:
        path: Name of the terminal: ``/dev/pts/7``.
    """

    def __init__(self, function: Function) -> None:
        """Open a terminal for the function.

        Raises:
            LabUnusable: This system has none.
        """
        self._function = function
        # Our own descriptor of the terminal stays open: reading would fail while nobody has it.
        self._main, self._terminal, self.path = _open_terminal()
        self._outgoing: deque[bytes] = deque()
        self._wake_read, self._wake_write = _open_pipe()
        self._lock = threading.Lock()
        self._open = True
        self._thread = threading.Thread(target=self._serve, name="pty-port", daemon=True)
        function.connect(self._send)
        self._thread.start()

    def close(self) -> None:
        """Hang up and reset the function; may be called twice."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            self._wake()
        self._thread.join()
        self._function.reset()
        for descriptor in (self._main, self._terminal, self._wake_read, self._wake_write):
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, data: bytes) -> None:
        with self._lock:
            if self._open and data:
                self._outgoing.append(bytes(data))
                self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._wake_write, b"\0")

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ)
            selector.register(self._main, selectors.EVENT_READ)
            while self._open:
                wanted = selectors.EVENT_READ
                wanted |= selectors.EVENT_WRITE if self._outgoing else 0
                selector.modify(self._main, wanted)
                for key, events in selector.select():
                    self._attend(key.fd, events)

    def _attend(self, descriptor: int, events: int) -> None:
        if descriptor == self._wake_read:
            os.read(self._wake_read, _CHUNK)
            return
        if events & selectors.EVENT_WRITE:
            self._write()
        if events & selectors.EVENT_READ:
            with contextlib.suppress(BlockingIOError):
                self._function.receive(os.read(self._main, _CHUNK))

    def _write(self) -> None:
        data = self._outgoing.popleft()
        written = 0
        with contextlib.suppress(BlockingIOError):
            written = os.write(self._main, data)
        if data[written:]:
            self._outgoing.appendleft(data[written:])
