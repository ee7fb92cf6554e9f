"""A USB/IP server for emulated devices, on loopback only."""

import contextlib
import ipaddress
import selectors
import socket
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from usbprov.emulation.berths import Berth, Berths
from usbprov.emulation.connection import Connection
from usbprov.emulation.device import UsbDevice
from usbprov.errors import LabUnusable

_PAUSE = 0.1
"""Seconds to wait after a client could not be accepted."""

_MOST_CLIENTS = 1024
"""Connections at a time, each with a thread; more are closed at once."""


class Exporter:
    """Exports devices, by port path (``1-1.4.2``), to any number of clients.

    USB/IP has no authentication, hence loopback only. A device belongs to one client at a time;
    when that one leaves, the device is reset and free again.
    """

    def __init__(
        self, devices: Mapping[str, UsbDevice], *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        """Set up, listening nowhere yet.

        Args:
            devices: What to export, by port path.
            host: A loopback address.
            port: TCP port; 0 for any that is free.

        Raises:
            LabUnusable: The address is not of loopback, or a port path is none.
        """
        self._address = (_loopback(host), port)
        self._berths = Berths()
        self._connections: dict[Connection, threading.Thread] = {}
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._stop_read, self._stop_write = socket.socketpair()
        self._closed = False
        for busid, device in devices.items():
            self.attach(busid, device)

    @property
    def port(self) -> int:
        """The TCP port; the one asked for until ``start``."""
        return self._address[1]

    @property
    def uri(self) -> str:
        """The bus as given to ``--bus``."""
        host = self._address[0]
        return f"usbip://[{host}]:{self.port}" if ":" in host else f"usbip://{host}:{self.port}"

    def start(self) -> Self:
        """Begin to listen.

        Raises:
            LabUnusable: The port is taken.
        """
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        try:
            self._listener = socket.create_server(self._address, family=family, backlog=256)
        except OSError as error:
            problem = f"cannot listen on {self.uri}: {error.strerror}"
            raise LabUnusable(problem=problem) from error
        self._address = self._listener.getsockname()[:2]
        self._acceptor = threading.Thread(target=self._accept, name="usbip-accept", daemon=True)
        self._acceptor.start()
        return self

    def attach(self, busid: str, device: UsbDevice) -> None:
        """Put a device into a port; clients see it at once.

        Raises:
            LabUnusable: The port path is none, or in use, or its bus is full.
        """
        berth = self._berths.attach(busid, device)
        berth.unwatch = device.watch(lambda plugged: self._moved(berth, plugged=plugged))

    def detach(self, busid: str) -> None:
        """Take a device out of its port; its client's connection is closed.

        Nothing happens when the port is empty.
        """
        berth = self._berths.detach(busid)
        if berth is not None:
            berth.unwatch()
            self._evict(berth)

    def close(self) -> None:
        """Close all connections and end all threads; may be called twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._stop_write.close()
        if self._acceptor is not None:
            self._acceptor.join()
        with self._lock:
            remaining = list(self._connections.items())
        for connection, _ in remaining:
            connection.hang_up()
        for _, thread in remaining:
            thread.join()
        if self._listener is not None:
            self._listener.close()
        self._stop_read.close()
        for berth in self._berths.all():
            self.detach(berth.busid)

    def __enter__(self) -> Self:
        return self.start() if self._listener is None else self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _moved(self, berth: Berth, *, plugged: bool) -> None:
        if plugged:
            self._berths.readdress(berth)
        else:
            self._evict(berth)

    def _evict(self, berth: Berth) -> None:
        holder = berth.holder
        if holder is not None:
            holder()

    def _accept(self) -> None:
        listener = self._listener
        if listener is None:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(self._stop_read, selectors.EVENT_READ)
            while all(key.fileobj is listener for key, _ in selector.select()):
                try:
                    self._welcome(listener.accept()[0])
                except OSError:  # out of descriptors, say: the client waits, we must not spin
                    time.sleep(_PAUSE)

    def _welcome(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, self._berths)
        thread = threading.Thread(
            target=self._serve, args=(connection,), name="usbip-connection", daemon=True
        )
        with self._lock:
            crowded = len(self._connections) >= _MOST_CLIENTS
            if not crowded:
                self._connections[connection] = thread
        if crowded:
            sock.close()
        else:
            thread.start()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.run()
        finally:
            with self._lock:
                del self._connections[connection]


def _loopback(host: str) -> str:
    """Return the address to bind to.

    Raises:
        LabUnusable: It is not of loopback.
    """
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        if address.is_loopback:
            return str(address)
    raise LabUnusable(problem=f"emulated phones are exported on loopback only, not on {host}")
