"""A wiretap: passes a TCP connection on, and keeps every byte that went either way."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Wiretap:
    """Listens on loopback for a bus or server elsewhere on it; ``heard`` is what went through."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._heard = bytearray()
        self.port: int = self._listening.getsockname()[1]

    @property
    def heard(self) -> bytes:
        with self._lock:
            return bytes(self._heard)

    def serve(self) -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                near, _ = self._listening.accept()
                threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _connect(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(self._target) as far:
            back = threading.Thread(target=self._pass, args=(far, near), daemon=True)
            back.start()
            self._pass(near, far)
            back.join()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    self._heard += data
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def tapped_bus(bus: str) -> Iterator[tuple[str, Wiretap]]:
    """Tap a bus ``usbip://host:port``; yields the bus to use in its place, and the tap."""
    where = urlsplit(bus)
    tap = Wiretap((str(where.hostname), int(where.port or 0)))
    threading.Thread(target=tap.serve, daemon=True).start()
    try:
        yield f"usbip://127.0.0.1:{tap.port}", tap
    finally:
        tap.close()
