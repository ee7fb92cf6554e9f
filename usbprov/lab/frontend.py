"""What every answer of the front end has in common: headers, paths without case, a log line."""

import logging
import time
import uuid

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)


class FrontEnd:
    """Wraps the services' application, as IIS stands before the real ones.

    Paths are compared without case. Logged are method, path, status and time: no query, no
    header, no body.
    """

    def __init__(self, app: ASGIApp, fqdn: str) -> None:
        self._app = app
        self._fqdn = fqdn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        began, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["Cache-Control"] = "private"
                headers["X-MS-Server-Fqdn"] = self._fqdn
                headers["X-MS-Correlation-Id"] = str(uuid.uuid4())
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        path = scope["path"]
        await self._app({**scope, "path": path.lower()}, receive, send_with_headers)
        taken = (time.perf_counter() - began) * 1000
        logger.debug("%s %r %d %.1f ms", scope["method"], path, status, taken)
