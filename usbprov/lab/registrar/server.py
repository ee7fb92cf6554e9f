"""The Registrar's ports: SIP over TLS in threads, on loopback only."""

import contextlib
import logging
import selectors
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from usbprov.lab.calls import Call, CallLog, begin, note
from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.registrar.homes import Seat
from usbprov.lab.registrar.service import Registrar
from usbprov.lab.registrar.sip import Malformed, Reader, Request, Response
from usbprov.lab.registrar.turns import Peer

logger = logging.getLogger(__name__)

_MOST_CONNECTIONS = 256
_BACKLOG = 128
_CHUNK = 1 << 16
_HANDSHAKE_SECONDS = 10.0
_MESSAGE_SECONDS = 20.0
_IDLE_SECONDS = 600.0
"""Twice the time after which clients are told to send a keep-alive."""
_STOP_SECONDS = 10.0
_GARBAGE = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n"
    b"<p>Not SIP.</p>"
)
"""What ``sip-garbage`` answers: as if a Web server stood at the port."""


@dataclass(frozen=True)
class Doors:
    """What the ports need to know.

    Attributes:
        registrar: Does the work.
        context: Returns the TLS context for a new connection.
        calls: The request log.
        faults: What goes wrong.
    """

    registrar: Registrar
    context: Callable[[], ssl.SSLContext]
    calls: CallLog
    faults: Faults


class SipServer:
    """Serves until it is stopped."""

    def __init__(self, doors: Doors, sockets: Mapping[Seat, Sequence[socket.socket]]) -> None:
        """Take the ports.

        Args:
            doors: What they need to know.
            sockets: Bound ones, not listening yet.
        """
        self._doors = doors
        self._sockets = sockets
        self._selector = selectors.DefaultSelector()
        self._waking, self._woken = socket.socketpair()
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}  # which may be a TLS socket
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="lab-sip", daemon=True)

    @property
    def running(self) -> bool:
        """Whether connections are taken."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Listen; connections are taken from now on."""
        for seat, bound in self._sockets.items():
            for one in bound:
                one.setblocking(False)
                one.listen(_BACKLOG)
                self._selector.register(one, selectors.EVENT_READ, seat)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()

    def stop(self) -> None:
        """Take no more connections, end those that there are; may be called twice."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._waking.send(b"\0")
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        for thread in self._shut_down():
            thread.join(_STOP_SECONDS)
        self._selector.close()
        for one in (self._waking, self._woken, *(s for b in self._sockets.values() for s in b)):
            one.close()

    def _shut_down(self) -> list[threading.Thread]:
        with self._lock:
            for connection in self._open.values():
                with contextlib.suppress(OSError):
                    # Not TLS's own, which belongs to the thread of the connection.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
            return list(self._open)

    def _accept(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select():
                if isinstance(key.data, Seat) and isinstance(key.fileobj, socket.socket):
                    self._take(key.fileobj, key.data)

    def _take(self, listening: socket.socket, seat: Seat) -> None:
        """Take a connection; a fault, or too many of them, close it at once."""
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        if self._doors.faults.take(FaultName.REGISTRAR_DOWN) or self._is_full():
            connection.close()
            return
        thread = threading.Thread(
            target=self._serve, args=(connection, seat), name="lab-sip-peer", daemon=True
        )
        with self._lock:
            self._open[thread] = connection
        thread.start()

    def _is_full(self) -> bool:
        with self._lock:
            return len(self._open) >= _MOST_CONNECTIONS

    def _serve(self, connection: socket.socket, seat: Seat) -> None:
        try:
            with connection:
                self._converse(connection, seat)
        except (OSError, Malformed) as error:  # ssl.SSLError and timeouts are OSErrors
            logger.debug("a SIP connection ended: %s", type(error).__name__)
        except Exception as error:
            # Its words may hold a part of a message.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            kind, file = type(error).__name__, Path(frame.filename).name
            logger.error("%s at %s:%d", kind, file, frame.lineno or 0)  # noqa: TRY400
        finally:
            with self._lock:
                self._open.pop(threading.current_thread(), None)

    def _converse(self, connection: socket.socket, seat: Seat) -> None:
        connection.settimeout(_HANDSHAKE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(seat)
        stream = self._doors.context().wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )
        with stream:
            with self._lock:
                self._open[threading.current_thread()] = stream
            stream.do_handshake()
            try:
                Conversation(self._doors, peer, stream, self._stopping).run()
            finally:
                self._doors.registrar.close(peer)


class Conversation:
    """One connection: requests in, responses out, in order."""

    def __init__(
        self, doors: Doors, peer: Peer, stream: socket.socket, stopping: threading.Event
    ) -> None:
        self._doors = doors
        self._stopping = stopping
        self._peer = peer
        self._stream = stream
        self._reader = Reader()

    def run(self) -> None:
        """Answer until the client goes.

        Raises:
            OSError: The connection broke, or was silent for too long.
            Malformed: What came is no SIP.
        """
        try:
            while data := self._receive():
                for request in self._reader.feed(data):
                    self._answer(request)
        except Malformed as malformed:
            call = Call("SIP", "-", [f"no request: {malformed}"])
            self._doors.calls.write(call.line(0, 0))
            raise

    def _receive(self) -> bytes:
        self._stream.settimeout(_MESSAGE_SECONDS if self._reader.pending else _IDLE_SECONDS)
        return self._stream.recv(_CHUNK)

    def _answer(self, request: Request) -> None:
        """Answer a request; it is on the log when the client has the answer."""
        began = time.perf_counter()
        call = Call(request.method, request.value("from").partition(";")[0])
        begin(call)
        response = self._work(request)
        data = self._encoded(response) if response else b""
        taken = (time.perf_counter() - began) * 1000
        self._doors.calls.write(call.line(response.status if response else 0, taken))
        self._stream.settimeout(_MESSAGE_SECONDS)
        self._stream.sendall(data)

    def _work(self, request: Request) -> Response | None:
        self._stopping.wait(self._doors.faults.value(FaultName.REGISTRAR_SLOW) or 0)
        return self._doors.registrar.answer(self._peer, request)

    def _encoded(self, response: Response) -> bytes:
        if not self._doors.faults.take(FaultName.SIP_GARBAGE):
            return response.encode()
        note(f"fault {FaultName.SIP_GARBAGE.value}")
        return _GARBAGE
