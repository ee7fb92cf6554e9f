"""The board's pages and calls.

The page and its files hold nothing of the bench and go to whoever asks. What is on the bench is
shown to who has the cookie; the bench is commanded by who has the command key besides.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import usbprov
from usbprov.bench.controls import Commands
from usbprov.bench.states import PortState
from usbprov.bench.web import orders, wire
from usbprov.bench.web.address import is_near
from usbprov.bench.web.keys import BoardKeys
from usbprov.bench.web.orders import OrderExposed, OrderInvalid
from usbprov.bench.web.relay import Relay
from usbprov.bench.web.stream import events
from usbprov.errors import UsbprovError

_HERE = Path(__file__).parent

TOKEN_HEADER = "x-board-token"  # noqa: S105  # a header's name
COMMAND_HEADER = "x-board-command"

_MOST_STREAMS = 32
"""Browsers that may look at once."""


class BoardApp:
    """Answers the requests of the page."""

    def __init__(self, relay: Relay, commands: Commands, keys: BoardKeys, port: int) -> None:
        """Serve what the relay keeps, and hand orders on.

        Args:
            relay: What is shown.
            commands: The bench.
            keys: Who may look, and who may command.
            port: Where it is served: cookies do not tell ports apart, so its name does.
        """
        self._relay = relay
        self._commands = commands
        self._keys = keys
        self._cookie = f"usbprov-board-{port}"
        self._streams = 0
        self._page = _render_page()

    def routes(self) -> Starlette:
        """Return the application."""
        static = StaticFiles(directory=_HERE / "static")
        return Starlette(
            routes=[
                Route("/", self._index),
                Route("/session", self._open, methods=["POST"]),
                Route("/session", self._session, methods=["GET"]),
                Route("/events", self._events),
                Route("/order", self._order, methods=["POST"]),
                Mount("/static", static),
            ]
        )

    async def _index(self, _: Request) -> Response:
        return HTMLResponse(self._page)

    async def _open(self, request: Request) -> Response:
        """Change the link's token for a cookie."""
        if not self._keys.is_token(request.headers.get(TOKEN_HEADER, "")):
            return _refused("The link is not, or no longer, the one to this board.", 401)
        answer = self._welcome(request)
        answer.set_cookie(self._cookie, self._keys.cookie, httponly=True, samesite="strict")
        return answer

    async def _session(self, request: Request) -> Response:
        return self._welcome(request) if self._may_look(request) else _not_let_in()

    async def _events(self, request: Request) -> Response:
        if not self._may_look(request):
            return _not_let_in()
        if self._streams >= _MOST_STREAMS:
            return _refused("Too many browsers look at this board.", 503)
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(), headers=headers, media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[bytes]:
        self._streams += 1
        try:
            async for event in events(self._relay):
                yield event
        finally:
            self._streams -= 1

    async def _order(self, request: Request) -> Response:
        """Carry an order out; the cookie alone is not enough."""
        command = request.headers.get(COMMAND_HEADER, "")
        if not self._may_look(request) or not self._keys.is_command(command):
            return _not_let_in()
        try:
            order = json.loads(await _body(request))
            private = _is_private(request)
            said = await run_in_threadpool(orders.give, self._commands, order, is_private=private)
        except OrderExposed:
            return _refused("A PIN is keyed in at the bench's own computer only.", 403)
        except (OrderInvalid, ValueError, RecursionError):
            return _refused("This is no order.", 400)
        except UsbprovError as error:
            return _refused(wire.clean(str(error)), 409, error.code, error.remedy)
        return JSONResponse({"said": said})

    def _may_look(self, request: Request) -> bool:
        return self._keys.is_cookie(request.cookies.get(self._cookie, ""))

    def _welcome(self, request: Request) -> Response:
        told = {"command": self._keys.command, "private": _is_private(request)}
        return JSONResponse(told)


def _render_page() -> str:
    loader = FileSystemLoader(_HERE / "templates")
    templates = Environment(loader=loader, autoescape=select_autoescape(), trim_blocks=True)
    page = templates.get_template("board.html")
    return page.render(version=usbprov.__version__, states=[state.value for state in PortState])


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > orders.MOST_BYTES:
            raise OrderInvalid
    return body


def _is_private(request: Request) -> bool:
    """Say whether the browser is on this computer: to others it is plain HTTP over a network."""
    client, server = request.client, request.scope.get("server")
    return client is not None and is_near(client.host, server[0] if server else "")


def _not_let_in() -> Response:
    return _refused("Open the board by its link: it has the key to it.", 401)


def _refused(problem: str, status: int, code: str = "", remedy: str = "") -> Response:
    return JSONResponse({"problem": problem, "code": code, "remedy": remedy}, status)
