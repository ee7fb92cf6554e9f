"""The Web servers: uvicorn in threads, on loopback only."""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from usbprov.errors import LabUnusable
from usbprov.lab.windows import Connection

logger = logging.getLogger(__name__)

_START_SECONDS = 20.0
_STOP_SECONDS = 20.0
_GRACE_SECONDS = 0.5
_TELLING_SECONDS = 0.05
_CUT_OFF_SECONDS = 5
_BACKLOG = 256
_TURNS = 3
_FREE_PORT_TRIES = 20


def loopback_addresses(host: str) -> list[str]:
    """Resolve a host name to its addresses.

    Raises:
        LabUnusable: It does not resolve, or to an address that is not loopback: the lab holds
            secrets that anybody may know, so nobody else may reach it.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise LabUnusable(
            f"host {host} does not resolve; give it a loopback address in the hosts file"
        ) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    foreign = [a for a in addresses if not ipaddress.ip_address(a).is_loopback]
    if foreign:
        raise LabUnusable(f"host {host} is {foreign[0]}, and the lab serves loopback only")
    return addresses


def listen(addresses: Sequence[str], port: int) -> list[socket.socket]:
    """Bind one TCP port at every one of the addresses that this computer has.

    Args:
        addresses: IPv4 and IPv6 addresses.
        port: The port; 0 for one that is free at all of them.

    Raises:
        LabUnusable: The port is taken.
    """
    for _ in range(_FREE_PORT_TRIES if port == 0 else 1):
        sockets = _bind_all(addresses, port)
        if sockets:
            return sockets
    raise LabUnusable(f"port {port} is taken" if port else "no port is free")


def _bind_all(addresses: Sequence[str], port: int) -> list[socket.socket]:
    """Bind them all to one port; an empty list if it is taken at one of them."""
    with contextlib.ExitStack() as undo:
        sockets: list[socket.socket] = []
        for address in addresses:
            try:
                bound = undo.enter_context(_bind(address, port))
            except OSError as error:
                if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    continue  # a name may have an IPv6 address where IPv6 is switched off
                return []
            sockets.append(bound)
            port = port_of(bound)
        undo.pop_all()
    return sockets


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # The protocol number is said, since asyncio switches Nagle's algorithm off only where it is:
    # with it, each answer would wait 40 ms for a delayed acknowledgement.
    new = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            new.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        new.bind((address, port))
    except OSError:
        new.close()
        raise
    return new


def port_of(bound: socket.socket) -> int:
    """Return the port of a bound socket."""
    port: int = bound.getsockname()[1]
    return port


class _Protocol(H11Protocol):
    """Gives the application its connection: sign-ins belong to it, and faults reset it.

    It writes no access log, which would show query strings.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.access_log = False
        self.connection = Connection(transport)
        self.app_state = {**self.app_state, "connection": self.connection}

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.connection.lost()


class _Server(uvicorn.Server):
    """Says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A client that does not answer TLS's close_notify would hold its connection open.
        cut = asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._cut_off)
        await super().shutdown(sockets)
        cut.cancel()
        await _abort_all()

    def _cut_off(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        # A call that waits for something else learns of it only when it has been told.
        asyncio.get_running_loop().call_later(_TELLING_SECONDS, self._cancel)

    def _cancel(self) -> None:
        for task in self.server_state.tasks:
            task.cancel()


async def _abort_all() -> None:
    """Abort what is still open in the running loop: connections in the middle of a handshake.

    Nobody else knows those: uvicorn is told of a connection after its handshake, and asyncio has
    nothing public for them before Python 3.13 (Server.abort_clients).
    """
    known: Mapping[int, asyncio.Transport]
    known = getattr(asyncio.get_running_loop(), "_transports", {})
    for transport in list(known.values()):
        transport.abort()
    for _ in range(_TURNS):  # transports close their sockets a turn later
        await asyncio.sleep(0)


class WebServer:
    """Serves an application over HTTPS, or over HTTP, until it is stopped."""

    def __init__(
        self, app: ASGIApp, sockets: list[socket.socket], tls: ssl.SSLContext | None = None
    ) -> None:
        self._sockets = sockets
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_CUT_OFF_SECONDS,
            backlog=_BACKLOG,
        )
        config.load()
        config.ssl = tls
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._run, name="lab-https" if tls else "lab-http", daemon=True
        )

    @property
    def running(self) -> bool:
        """Whether the server's thread is alive."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start, and return when connections are taken.

        Raises:
            LabUnusable: That takes too long.
        """
        self._thread.start()
        if not self._server.ready.wait(_START_SECONDS):
            self.stop()
            raise LabUnusable("a Web server did not start")

    def stop(self) -> None:
        """Take no more connections, end those that there are, and return when all is closed."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        for bound in self._sockets:
            bound.close()

    def _run(self) -> None:
        try:
            self._server.run(self._sockets)
        except Exception:
            logger.exception("a Web server failed")
