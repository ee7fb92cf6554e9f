"""What every answer of the front end has in common: headers, paths without case, a log line."""

import asyncio
import time
import uuid
from email.utils import format_datetime

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from usbprov.lab.calls import Call, CallLog, begin
from usbprov.lab.times import Clock


class FrontEnd:
    """Wraps the services' application, as IIS stands before the real ones.

    Paths are compared without case. Each call becomes a line of the request log.
    """

    def __init__(self, app: ASGIApp, fqdn: str, clock: Clock, calls: CallLog) -> None:
        self._app = app
        self._fqdn = fqdn
        self._clock = clock
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        began, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["Cache-Control"] = "private"
                headers["Date"] = format_datetime(self._clock(), usegmt=True)
                headers["X-MS-Server-Fqdn"] = self._fqdn
                headers["X-MS-Correlation-Id"] = str(uuid.uuid4())
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        path = scope["path"]
        call = Call(scope["method"], path)
        begin(call)
        try:
            await self._app({**scope, "path": path.lower()}, receive, send_with_headers)
        except asyncio.CancelledError:
            call.notes.append("the server was stopped")
        finally:
            taken = (time.perf_counter() - began) * 1000
            dropped = scope["state"]["connection"].dropped
            self._calls.write(call.line(0 if dropped else status, taken))
