"""What every request goes through: whose server this is asked for, and what browsers may do."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from usbprov.bench.web.address import BoardAddress

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Sent with everything: the page is made of its own files only, and stands in no other page."""


class Guard:
    """Turns away requests for another host or from another page; an ASGI middleware."""

    def __init__(self, app: ASGIApp, address: BoardAddress, names: frozenset[str]) -> None:
        """Guard an application that is served at an address, on a computer of these names."""
        self._app = app
        self._address = address
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(Headers(scope=scope), scope["method"])
        app = PlainTextResponse(refusal, 403) if refusal else self._app
        await app(scope, receive, send_guarded)

    def _refusal(self, headers: Headers, method: str) -> str:
        host = headers.get("host", "")
        if not self._address.answers_to(host, self._names):
            return "This board is not called that."
        if method == "GET":
            return ""
        origin = headers.get("origin")
        if origin is not None and origin.casefold() != f"http://{host}".casefold():
            return "Another page may not do this."
        return ""
