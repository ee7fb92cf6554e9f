"""A USB/IP exporter that lies, by scripts, with struct code of its own. Loopback only."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

from doubles.descriptors import TRUE, Descriptors, Request, answer

LIST, IMPORT = 0x8005, 0x8003
SUBMIT, UNLINK = 1, 2
NOT_ISOCHRONOUS = 0xFFFFFFFF


def record(
    busid: str | bytes = "1-1",
    *,
    busnum: int = 1,
    devnum: int = 2,
    ids: tuple[int, int, int] = (0x1209, 1, 0x0100),
    counts: tuple[int, int, int] = (1, 1, 1),
    cls: int = 0,
) -> bytes:
    """Make the 312 bytes of a device; ``counts``: configuration, configurations, interfaces."""
    name = busid.encode() if isinstance(busid, str) else busid
    head = b"/sys/devices/x".ljust(256, b"\0") + name.ljust(32, b"\0")
    numbers = struct.pack(">IIIHHHBBB", busnum, devnum, 3, *ids, cls, 0, 0)
    return head + numbers + bytes(counts)


SMP_TRIPLE = bytes([0xFF, 0x05, 0x50, 0])


def listing(*devices: bytes, count: int | None = None, status: int = 0) -> bytes:
    """Make an answer to a list request; each device is a record and its interfaces."""
    head = struct.pack(">HHII", 0x0111, 5, status, len(devices) if count is None else count)
    return head + b"".join(devices)


def imported(device: bytes = b"", status: int = 0) -> bytes:
    """Make an answer to an import."""
    return struct.pack(">HHI", 0x0111, 3, status) + device


HONEST_DEVICE = record() + SMP_TRIPLE


@dataclass(frozen=True)
class Asked:
    """A transfer, or the unlinking of one, as it came from the host."""

    command: int
    number: int
    direction: int
    endpoint: int
    length: int
    setup: bytes
    data: bytes = b""
    target: int = 0

    @property
    def incoming(self) -> bool:
        return self.direction == 1

    def reply(
        self, data: bytes = b"", *, status: int = 0, actual: int | None = None, number: int = -1
    ) -> bytes:
        """Make the answer to it; ``data`` follow whatever it was."""
        size = (len(data) if self.incoming else self.length) if actual is None else actual
        return ret_submit(self.number if number < 0 else number, status, size) + data

    def unlinked(self, status: int = -104) -> bytes:
        return struct.pack(">IIIIIi24x", 4, self.number, 0, 0, 0, status)


def ret_submit(number: int, status: int, actual: int, packets: int = NOT_ISOCHRONOUS) -> bytes:
    head = struct.pack(">IIIIIi", 3, number, 0, 0, 0, status)
    return head + struct.pack(">IIII8x", actual & 0xFFFFFFFF, 0, packets, 0)


class Wire:
    """One connection, as a script sees it. Everything raises ``OSError`` once the host is gone."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise ConnectionResetError
            data += piece
        return data

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def ended(self) -> None:
        """Wait until the host gives up."""
        while self.sock.recv(65536):
            pass

    def close(self) -> None:
        self.sock.close()

    def operation(self) -> tuple[int, str]:
        """Read a request of the first phase."""
        _, code, _ = struct.unpack(">HHI", self.exactly(8))
        return code, self.exactly(32).rstrip(b"\0").decode() if code == IMPORT else ""

    def asked(self) -> Asked:
        """Read a message of the second phase."""
        raw = self.exactly(48)
        command, number, _, direction, endpoint = struct.unpack(">IIIII", raw[:20])
        if command == UNLINK:
            (target,) = struct.unpack(">I", raw[20:24])
            return Asked(command, number, 0, 0, 0, b"", target=target)
        (length,) = struct.unpack(">I", raw[24:28])
        data = b"" if direction else self.exactly(length)
        return Asked(command, number, direction, endpoint, length, raw[40:48], data)


Talk = Callable[[Wire], None]
Answering = Callable[[Wire, Asked], None]


def honest(said: Descriptors = TRUE) -> Answering:
    """Answer transfers as a device with these descriptors that echoes nothing."""

    def serve(wire: Wire, asked: Asked) -> None:
        if asked.command == UNLINK:
            wire.send(asked.unlinked())
        elif asked.endpoint == 0:
            raw = answer(said, Request.parse(asked.setup))
            wire.send(asked.reply(status=-32) if raw is None else asked.reply(raw))
        elif not asked.incoming:
            wire.send(asked.reply())

    return serve


@dataclass
class Script:
    """What is done on each connection.

    Attributes:
        listed: Answers a list request, and whatever comes after it.
        granted: Answers an import request.
        serve: Answers each transfer and unlink after that.
    """

    listed: Talk = lambda wire: wire.send(listing(HONEST_DEVICE))
    granted: Talk = lambda wire: wire.send(imported(record()))
    serve: Answering = field(default_factory=honest)


class HostileExporter:
    """Serves a script; each connection has a thread, and ``close`` ends them all."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._server = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._server.getsockname()[1]
        self.uri = f"usbip://127.0.0.1:{self.port}"
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._acceptor = threading.Thread(target=self._accept, name="hostile", daemon=True)

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._acceptor.join()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open.add(sock)
            thread = threading.Thread(target=self._talk, args=(sock,), name="hostile", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _talk(self, sock: socket.socket) -> None:
        wire = Wire(sock)
        with contextlib.suppress(OSError):
            code, _ = wire.operation()
            if code == LIST:
                self._script.listed(wire)
            else:
                self._script.granted(wire)
                for asked in _all_asked(wire):
                    self._script.serve(wire, asked)
        with self._lock:
            self._open.discard(sock)
        wire.close()


def _all_asked(wire: Wire) -> Iterator[Asked]:
    while True:
        yield wire.asked()
