"""The named faults that show at the HTTP level: what is answered instead of an answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from usbprov.lab.faults import FaultName, Faults

HUGE_SIZE = 64 << 20
_CHUNK = b" " * (1 << 16)
_TEXT_XML = "text/xml; charset=utf-8"
_PAGE = "<html><head><title>Runtime Error</title></head><body><h1>Server Error</h1></body></html>"
_NESTED_ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY a "aaaaaaaaaa">'
    b'<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">'
    b'<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">]>'
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>&e;</s:Body>'
    b"</s:Envelope>"
)


class Abortable(Protocol):
    """The transport of a connection, as far as it is needed here."""

    def abort(self) -> None:
        """Reset the connection at once."""
        ...


async def before(request: Request, faults: Faults) -> Response | None:
    """Do what the faults want before a request is worked on; a response ends the request."""
    await asyncio.sleep(faults.value(FaultName.SLOW) or 0)
    for name, answer in _INSTEAD.items():
        if faults.take(name):
            return await answer(request)
    return None


async def after(request: Request, response: Response, faults: Faults) -> Response:
    """Do what the faults want with the answer to a request that was worked on."""
    return await _drop(request) if faults.take(FaultName.DROP_ANSWER) else response


async def _drop(request: Request) -> Response:
    transport: Abortable = request.state.transport
    transport.abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response(status_code=500)


async def _page(_request: Request) -> Response:
    return HTMLResponse(_PAGE, 500)


async def _huge(_request: Request) -> Response:
    async def spaces() -> AsyncIterator[bytes]:
        for _ in range(HUGE_SIZE // len(_CHUNK)):
            yield _CHUNK
            await asyncio.sleep(0)  # or it is not noticed that the client has gone

    return StreamingResponse(spaces(), media_type=_TEXT_XML)


async def _dtd(_request: Request) -> Response:
    return Response(_NESTED_ENTITIES, media_type=_TEXT_XML)


_INSTEAD: Mapping[FaultName, Callable[[Request], Awaitable[Response]]] = {
    FaultName.DROP_CONNECTION: _drop,
    FaultName.HTML_500: _page,
    FaultName.HUGE_ANSWER: _huge,
    FaultName.DTD: _dtd,
}
