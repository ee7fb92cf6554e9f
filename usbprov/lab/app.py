"""The ASGI application: both services behind their URLs."""

import logging
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from usbprov.lab import disturbance
from usbprov.lab.certprov import CertificateService
from usbprov.lab.faults import Faults
from usbprov.lab.frontend import FrontEnd
from usbprov.lab.metadata import Endpoints, certprov_metadata, webticket_metadata
from usbprov.lab.names import (
    CERTPROV_PATH,
    ISSUE_ACTION,
    PIN_PATH,
    PROOF_PATH,
    PUBLISH_ACTION,
    WEBTICKET_PATH,
)
from usbprov.lab.soap import (
    MAX_MESSAGE,
    Fault,
    Message,
    SoapFault,
    fault_envelope,
    read_message,
)
from usbprov.lab.webticket import WebTicketService

logger = logging.getLogger(__name__)

_TEXT_XML = "text/xml; charset=utf-8"
_Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Operation:
    """A SOAP operation: its action, and what answers its messages."""

    action: str
    answer: Callable[[Message], bytes]


def make_app(
    endpoints: Endpoints,
    fqdn: str,
    webticket: WebTicketService,
    certprov: CertificateService,
    faults: Faults,
) -> FrontEnd:
    """Put the services together.

    Args:
        endpoints: The URLs that the metadata name.
        fqdn: The front end's name in ``X-MS-Server-Fqdn``.
        webticket: Answers at the PIN port.
        certprov: Answers at the ticket port.
        faults: What goes wrong.
    """
    issue = Operation(ISSUE_ACTION, webticket.issue_with_pin)
    publish = Operation(PUBLISH_ACTION, certprov.get_and_publish)
    routes = [
        *_port(PIN_PATH, issue, faults),
        *_port(PROOF_PATH, publish, faults),
        _document(WEBTICKET_PATH, webticket_metadata(endpoints)),
        _document(CERTPROV_PATH, certprov_metadata(endpoints)),
    ]
    return FrontEnd(Starlette(routes=routes), fqdn)


def _document(path: str, content: bytes) -> Route:
    async def metadata(_request: Request) -> Response:
        return Response(content, media_type=_TEXT_XML)

    return Route(f"{path}/mex".lower(), metadata, methods=["GET"])


def _port(path: str, operation: Operation, faults: Faults) -> list[Route]:
    async def post(request: Request) -> Response:
        instead = await disturbance.before(request, faults)
        if instead is not None:
            return instead
        response = await _answer(request, operation)
        return await disturbance.after(request, response, faults)

    async def get(_request: Request) -> Response:
        return Response(status_code=400)

    return [
        Route(path.lower(), post, methods=["POST"]),
        Route(path.lower(), get, methods=["GET"]),
    ]


async def _answer(request: Request, operation: Operation) -> Response:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/xml":
        return Response(status_code=415)
    data = await _body(request)
    if data is None:
        return Response(status_code=413, headers={"Connection": "close"})
    action = request.headers.get("soapaction", "").strip('"')
    return await run_in_threadpool(_work, operation, action, data)


async def _body(request: Request) -> bytes | None:
    """Read the body; None if it is longer than a message may be."""
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > MAX_MESSAGE:
                return None
    except ClientDisconnect:
        return b""
    return bytes(data)


def _work(operation: Operation, action: str, data: bytes) -> Response:
    try:
        if action != operation.action:
            raise SoapFault(Fault.ACTION, "SOAPAction")
        return Response(operation.answer(read_message(data)), media_type=_TEXT_XML)
    except SoapFault as fault:
        logger.debug("fault %s: %s", fault.fault.name, fault.note)
        return _fault(fault.fault)
    except Exception as error:
        # Neither the client nor the log is shown its words: they may hold a part of the request.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        logger.error("%s at %s:%d", kind, Path(frame.filename).name, frame.lineno or 0)  # noqa: TRY400
        return _fault(Fault.SERVER)


def _fault(fault: Fault) -> Response:
    return Response(fault_envelope(fault), 500, media_type=_TEXT_XML)
