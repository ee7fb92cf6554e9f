"""Joins a function to the device side of a serial gadget, ``/dev/ttyGS0``. Linux only."""

import contextlib
import logging
import os
import selectors
import sys
import threading
import tty
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from usbprov.emulation.function import Function

assert sys.platform == "linux"  # noqa: S101 - so that mypy takes the rest for no other

logger = logging.getLogger(__name__)

_CHUNK = 4096
_NEXT_TRY = 0.1
"""Seconds between attempts to open a terminal that cannot be opened yet."""


class TtyPort:
    """A terminal in raw mode with a function behind it, opened again after every hang-up.

    The kernel hangs the terminal up when the host goes or resets the device; the function is then
    reset and connected anew. What it says while nobody is there waits for the next host, as far
    as the kernel's buffer goes. Whether a program on the host has the port open is not known here.
    """

    def __init__(self, function: Function, path: Path) -> None:
        """Serve the terminal at ``path``, which may be made later."""
        self._function = function
        self._path = path
        self._lock = threading.Lock()
        self._outgoing: deque[bytes] = deque()
        self._life = 0
        self._terminal: int | None = None
        self._open_for_work = True
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="gadget-serial", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hang up and reset the function; may be called twice.

        The gadget must be off the bus: the kernel would wait for the host to read what is left.
        """
        with self._lock:
            if not self._open_for_work:
                return
            self._open_for_work = False
        self._wake()
        self._thread.join()
        self._hang_up()
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _serve(self) -> None:
        while self._open_for_work:
            if self._terminal is None:
                self._pick_up()
            if self._terminal is not None:
                wanted = selectors.EVENT_READ
                wanted |= selectors.EVENT_WRITE if self._outgoing else 0
                self._selector.modify(self._terminal, wanted)
            for key, events in self._selector.select(_NEXT_TRY if self._terminal is None else None):
                self._attend(key.fd, events)

    def _pick_up(self) -> None:
        try:
            terminal = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            logger.debug("%s: %s", self._path, error.strerror)
            return
        try:
            tty.setraw(terminal)
            self._selector.register(terminal, selectors.EVENT_READ)
        except OSError as error:  # hung up again meanwhile
            logger.debug("%s: %s", self._path, error.strerror)
            os.close(terminal)
            return
        self._terminal = terminal
        with self._lock:
            self._life += 1
        self._guarded(partial(self._function.connect, partial(self._send, self._life)))

    def _hang_up(self) -> None:
        terminal, self._terminal = self._terminal, None
        if terminal is None:
            return
        with self._lock:
            self._life += 1
            self._outgoing.clear()
        self._selector.unregister(terminal)
        os.close(terminal)
        self._guarded(self._function.reset)

    def _attend(self, descriptor: int, events: int) -> None:
        if descriptor == self._wake_read:
            os.read(self._wake_read, _CHUNK)
            return
        try:
            if events & selectors.EVENT_WRITE:
                self._write(descriptor)
            if events & selectors.EVENT_READ:
                self._read(descriptor)
        except OSError as error:
            logger.debug("%s: %s", self._path, error.strerror)
            self._hang_up()

    def _read(self, descriptor: int) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(descriptor, _CHUNK)
            if not data:
                self._hang_up()
            else:
                self._guarded(partial(self._function.receive, data))

    def _write(self, descriptor: int) -> None:
        with self._lock:
            if not self._outgoing:
                return
            data = self._outgoing.popleft()
        written = 0
        with contextlib.suppress(BlockingIOError):
            written = os.write(descriptor, data)
        if data[written:]:
            with self._lock:
                self._outgoing.appendleft(data[written:])

    def _send(self, life: int, data: bytes) -> None:
        with self._lock:
            if self._life != life or not data or not self._open_for_work:
                return
            self._outgoing.append(bytes(data))
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._wake_write, b"\0")

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # a crash of the firmware, not of the cable
            # The text of the error may hold what the host sent; its class does not.
            logger.error("an emulated function failed: %s", type(error).__name__)  # noqa: TRY400
