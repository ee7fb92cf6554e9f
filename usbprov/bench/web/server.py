"""The board's server: uvicorn on a thread of its own, from the block's begin to its end."""

import asyncio
import contextlib
import logging
import os
import socket
import threading
from dataclasses import replace
from types import TracebackType
from typing import Self

from usbprov.bench.controls import Commands
from usbprov.bench.feed import Feed
from usbprov.bench.portmap import Layout
from usbprov.bench.web.address import BoardAddress
from usbprov.errors import BoardDependencyMissing, BoardUnusable

try:
    import uvicorn

    from usbprov.bench.web.app import BoardApp
    from usbprov.bench.web.guard import Guard
    from usbprov.bench.web.keys import BoardKeys
    from usbprov.bench.web.relay import Relay
except ModuleNotFoundError as missing:
    if (missing.name or "usbprov").startswith("usbprov"):
        raise
    raise BoardDependencyMissing(str(missing.name)) from None

_log = logging.getLogger(__name__)

_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_GRACE_SECONDS = 2
"""How long browsers have to take the last event."""

_BACKLOG = 64


class _Server(uvicorn.Server):
    """Says when it serves, leaves the process's signals alone, and leaves no connection open."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()  # of a browser that took nothing any more
        await asyncio.sleep(0)


class BoardServer:
    """Serves the board of a bench. A context manager.

    Inside the block ``url`` is the link for the operator: with the token behind the ``#``, which
    browsers do not send. Boards on other than loopback addresses speak plain HTTP, too: what goes
    over that network can be read there.
    """

    def __init__(
        self,
        feed: Feed,
        commands: Commands,
        layout: Layout,
        address: BoardAddress,
        token: str | None = None,
        *,
        name: str = "",
    ) -> None:
        """Prepare; the port is taken when the block is entered.

        Args:
            feed: The views.
            commands: The bench.
            layout: How its hubs lie: ``PortMap.layout``.
            address: Where to serve; port 0 takes one that is free.
            token: Who has it may look and command; None makes one for this run.
            name: The bench's own name, so that other benches' ports are not commanded; ""
                takes the first that the feed tells of.
        """
        self.address = address
        self._keys = BoardKeys(token)
        self._commands = commands
        self._relay = Relay(feed, name, layout)
        self._stack = contextlib.ExitStack()

    @property
    def url(self) -> str:
        """The link. It holds the token: show it to the operator, and write it nowhere."""
        return f"{self.address.url}#token={self._keys.token}"

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            undo.callback(self._relay.close)
            bound = undo.enter_context(_bind(self.address))
            self.address = replace(self.address, port=bound.getsockname()[1])
            self._relay.start()
            self._serve(bound, undo)
            self._stack = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _serve(self, bound: socket.socket, undo: contextlib.ExitStack) -> None:
        app = BoardApp(self._relay, self._commands, self._keys, self.address.port).routes()
        server = _Server(_config(Guard(app, self.address, _names())))
        thread = threading.Thread(
            target=_run, args=(server, bound), name="board-server", daemon=True
        )

        def stop() -> None:
            self._relay.close()  # first, so that browsers are told
            server.should_exit = True
            thread.join(_STOP_SECONDS)

        thread.start()
        undo.callback(stop)
        if not server.ready.wait(_START_SECONDS):
            raise BoardUnusable(str(self.address), "the server did not start")


def _config(app: Guard) -> uvicorn.Config:
    """Say how to serve: no access log, and no guess from headers about who asks."""
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        backlog=_BACKLOG,
    )


def _run(server: uvicorn.Server, bound: socket.socket) -> None:
    try:
        server.run([bound])
    except Exception:  # the bench goes on without
        _log.exception("the board's server has failed")


def _names() -> frozenset[str]:
    """Return what this computer is called, in small letters."""
    name = socket.gethostname().casefold()
    return frozenset({name, name.partition(".")[0], f"{name.partition('.')[0]}.local"})


def _bind(address: BoardAddress) -> socket.socket:
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, where = found[0]
        new = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "there is no such host"
        raise BoardUnusable(str(address), reason) from None
    try:
        if os.name == "posix":  # elsewhere it would let another program share the port
            new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        new.bind(where)
    except OSError as error:
        new.close()
        raise BoardUnusable(str(address), error.strerror or "it cannot be bound") from None
    return new
