"""The named faults that show at the HTTP level: what is answered instead of an answer."""

import asyncio
import functools
import gzip
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from usbprov.lab.calls import note
from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.presented import WRONG_NAME
from usbprov.lab.windows import NEGOTIATE, NTLM, Connection, any_challenge, challenged, unauthorized

HUGE_SIZE = 64 << 20
RETRY_AFTER = 1
"""Seconds, as ``busy`` says them."""

_CHUNK = b" " * (1 << 16)
_BOMB_PART = 16 << 20
_BOMB_PARTS = 64
_DRIP_SECONDS = 0.05
_TEXT_XML = "text/xml; charset=utf-8"
_PAGE = "<html><head><title>Runtime Error</title></head><body><h1>Server Error</h1></body></html>"
_NESTED_ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY a "aaaaaaaaaa">'
    b'<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">'
    b'<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">]>'
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>&e;</s:Body>'
    b"</s:Envelope>"
)
_BROKEN_OFF = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    b"<RequestSecurityTokenResponseCollection <<&;"
)


async def before(request: Request, faults: Faults) -> Response | None:
    """Do what the faults want before a request is worked on; a response ends the request."""
    await asyncio.sleep(faults.value(FaultName.SLOW) or 0)
    redirected = redirect(request, faults)
    if redirected is not None:
        return redirected
    for name, answer in _INSTEAD.items():
        if faults.take(name):
            note(f"fault {name.value}")
            return await answer(request)
    return None


async def after(request: Request, response: Response, faults: Faults) -> Response:
    """Do what the faults want with the answer to a request that was worked on."""
    if not faults.take(FaultName.DROP_ANSWER):
        return response
    note(f"fault {FaultName.DROP_ANSWER.value}")
    return await _drop(request)


def redirect(request: Request, faults: Faults) -> Response | None:
    """Return the redirect that a fault wants; for ``/mex`` too, where clients follow them."""
    if faults.take(FaultName.REDIRECT_LOOP):
        location = f"{request.url.path}?again={next(_redirects)}"
    elif faults.take(FaultName.REDIRECT_ELSEWHERE):
        location = f"https://{WRONG_NAME}{request.url.path}"
    else:
        return None
    note("fault redirect")
    return Response(status_code=302, headers={"Location": location})


_redirects = itertools.count(1)


async def _drop(request: Request) -> Response:
    connection: Connection = request.state.connection
    connection.dropped = True
    connection.transport.abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response(status_code=500)


async def _page(_request: Request) -> Response:
    return HTMLResponse(_PAGE, 500)


async def _busy(_request: Request) -> Response:
    return HTMLResponse(_PAGE, 503, headers={"Retry-After": str(RETRY_AFTER)})


async def _garbage(_request: Request) -> Response:
    return Response(_BROKEN_OFF, media_type=_TEXT_XML)


async def _dtd(_request: Request) -> Response:
    return Response(_NESTED_ENTITIES, media_type=_TEXT_XML)


async def _huge(_request: Request) -> Response:
    async def spaces() -> AsyncIterator[bytes]:
        for _ in range(HUGE_SIZE // len(_CHUNK)):
            yield _CHUNK
            await asyncio.sleep(0)  # or it is not noticed that the client has gone

    return StreamingResponse(spaces(), media_type=_TEXT_XML)


async def _bomb(_request: Request) -> Response:
    part = _bomb_part()

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(_BOMB_PARTS):
            yield part
            await asyncio.sleep(0)

    return StreamingResponse(parts(), media_type=_TEXT_XML, headers={"Content-Encoding": "gzip"})


@functools.cache
def _bomb_part() -> bytes:
    """Make one member of a gzip file, which may have many of them (RFC 1952 2.2)."""
    return gzip.compress(b" " * _BOMB_PART)


async def _endless(_request: Request) -> Response:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(_DRIP_SECONDS)

    return StreamingResponse(drops(), media_type=_TEXT_XML)


async def _unauthorized(request: Request) -> Response:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return challenged(scheme, any_challenge()) if token else unauthorized((NEGOTIATE, NTLM))


_INSTEAD: Mapping[FaultName, Callable[[Request], Awaitable[Response]]] = {
    FaultName.DROP_CONNECTION: _drop,
    FaultName.HTML_500: _page,
    FaultName.BUSY: _busy,
    FaultName.GARBAGE_XML: _garbage,
    FaultName.DTD: _dtd,
    FaultName.HUGE_ANSWER: _huge,
    FaultName.GZIP_BOMB: _bomb,
    FaultName.ENDLESS_BODY: _endless,
    FaultName.LOOP_401: _unauthorized,
}
