"""Sends to a socket without ever making the sender wait."""

import contextlib
import logging
import socket
import threading
from collections import deque

logger = logging.getLogger(__name__)

LIMIT = 64 << 20
"""Bytes that may wait for a peer that does not read, before it is given up."""

_DONT_WAIT: int | None = getattr(socket, "MSG_DONTWAIT", None)


class Outbox:
    """The outgoing side of one connection; thread-safe, keeps the order of ``post``.

    What the kernel takes at once is sent on the caller's thread, which saves a switch of threads
    on every answer. Only for what is left over a thread is started.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._waiting: deque[memoryview] = deque()
        self._size = 0
        self._change = threading.Condition()
        self._writer: threading.Thread | None = None
        self._closed = False

    def post(self, data: bytes) -> None:
        """Send ``data`` now or soon; after ``close``, or once the peer has gone, do nothing."""
        with self._change:
            if self._closed:
                return
            rest = memoryview(data)
            if not self._waiting:
                rest = rest[self._send_at_once(rest) :]
            if rest:
                self._keep(rest)

    def drain(self, seconds: float) -> None:
        """Wait until everything is on its way, at most ``seconds``."""
        with self._change:
            self._change.wait_for(lambda: self._closed or not self._waiting, seconds)

    def close(self) -> None:
        """Send nothing more, and wait for the writer thread to end."""
        with self._change:
            self._closed = True
            self._waiting.clear()
            self._change.notify_all()
        # The writer may be in the middle of a send to a peer that does not read.
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if self._writer is not None and self._writer is not threading.current_thread():
            self._writer.join()

    def _send_at_once(self, data: memoryview) -> int:
        if _DONT_WAIT is None:
            return 0
        try:
            return self._sock.send(data, _DONT_WAIT)
        except BlockingIOError:
            return 0
        except OSError:
            self._give_up()
            return len(data)

    def _keep(self, rest: memoryview) -> None:
        self._size += len(rest)
        if self._size > LIMIT:
            logger.debug("a client that does not read its answers is given up")
            self._give_up()
            return
        self._waiting.append(rest)
        self._change.notify_all()
        if self._writer is None:
            self._writer = threading.Thread(target=self._write, name="usbip-writer", daemon=True)
            self._writer.start()

    def _give_up(self) -> None:
        """Have the reader of this connection notice, too."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _write(self) -> None:
        while (data := self._oldest()) is not None:
            try:
                self._sock.sendall(data)
            except OSError:
                self._give_up()
                return
            with self._change:
                if self._waiting:
                    self._waiting.popleft()
                    self._size -= len(data)
                    self._change.notify_all()

    def _oldest(self) -> memoryview | None:
        with self._change:
            self._change.wait_for(lambda: self._closed or self._waiting)
            return None if self._closed else self._waiting[0]
