"""The ASGI applications: both services and LyncDiscover over HTTPS, what is anonymous over HTTP."""

import logging
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from usbprov.lab import autodiscover, chain, disturbance
from usbprov.lab.autodiscover import Autodiscover
from usbprov.lab.calls import note
from usbprov.lab.certprov import CertificateService
from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.metadata import Endpoints, certprov_metadata, webticket_metadata
from usbprov.lab.names import (
    AUTODISCOVER_PATH,
    AUTODISCOVER_USER_PATH,
    CERTIFICATE_PATH,
    CERTPROV_PATH,
    ISSUE_ACTION,
    PASSWORD_PATH,
    PIN_PATH,
    PROOF_PATH,
    PUBLISH_ACTION,
    WEBTICKET_PATH,
)
from usbprov.lab.policy import Policy, WindowsAuth
from usbprov.lab.presented import Presentation
from usbprov.lab.refusals import Refusal
from usbprov.lab.soap import MAX_MESSAGE, Fault, Message, SoapFault, fault_envelope, read_message
from usbprov.lab.webticket import WebTicketService
from usbprov.lab.windows import WindowsAuthentication, diagnostics

logger = logging.getLogger(__name__)

_TEXT_XML = "text/xml; charset=utf-8"
_Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Operation:
    """A SOAP operation.

    Attributes:
        action: Its ``SOAPAction``.
        answer: Answers its messages.
        diagnostics: Whether a numbered fault is told in ``X-Ms-diagnostics`` too.
    """

    action: str
    answer: Callable[[Message], bytes]
    diagnostics: bool = False


@dataclass(frozen=True)
class Parts:
    """What the applications are made of.

    Attributes:
        endpoints: The URLs that the metadata name.
        fqdn: The front end's name in the diagnostics.
        webticket: Answers at the ticket ports.
        certprov: Answers at the certificate service's port.
        windows: Signs users in at the Windows port.
        autodiscover: Answers LyncDiscover.
        presentation: Has the chain that is downloaded.
        policy: What is offered.
        faults: What goes wrong.
    """

    endpoints: Endpoints
    fqdn: str
    webticket: WebTicketService
    certprov: CertificateService
    windows: WindowsAuthentication
    autodiscover: Autodiscover
    presentation: Presentation
    policy: Policy
    faults: Faults

    @property
    def methods_off(self) -> frozenset[str]:
        """The ways to get a ticket that are not offered now."""
        return self.policy.methods_off | self.faults.words(FaultName.AUTH_OFF)


def secure_app(parts: Parts) -> Starlette:
    """Put together what is served over HTTPS."""
    webticket = parts.webticket
    publish = Operation(PUBLISH_ACTION, parts.certprov.get_and_publish)
    by_certificate = Operation(ISSUE_ACTION, webticket.issue_with_certificate, diagnostics=True)
    operations = (
        ("pin", PIN_PATH, Operation(ISSUE_ACTION, webticket.issue_with_pin)),
        ("password", PASSWORD_PATH, Operation(ISSUE_ACTION, webticket.issue_with_password)),
        ("certificate", CERTIFICATE_PATH, by_certificate),
    )
    ports = {
        path: _offered(parts, method, partial(_answer, parts, operation))
        for method, path, operation in operations
    }
    ports[WEBTICKET_PATH] = _offered(parts, "windows", partial(_answer_windows, parts))
    ports[PROOF_PATH] = partial(_answer, parts, publish)
    routes = [route for path, work in ports.items() for route in _port(parts, path, work)]
    return Starlette(routes=[*routes, *_documents(parts), *_discovery(parts)])


def plain_app(parts: Parts) -> Starlette:
    """Put together what is served over HTTP, to anybody."""

    async def elsewhere(request: Request) -> Response:
        return _discovered(parts.autodiscover.redirect(_sip_uri(request)))

    async def download(_request: Request) -> Response:
        issuers = parts.presentation.now().chain.issuers
        return Response(chain.chain_document(issuers), media_type=chain.MEDIA_TYPE)

    async def ask(request: Request) -> Response:
        issuers = parts.presentation.now().chain.issuers
        answer = partial(chain.chain_answer, issuers=issuers)
        return await _answer(parts, Operation(chain.CHAIN_ACTION, answer), request)

    path = CERTPROV_PATH.lower()
    return Starlette(
        routes=[
            Route(path, _if_downloadable(parts, download), methods=["GET"]),
            Route(path, _if_downloadable(parts, ask), methods=["POST"]),
            *(Route(at, elsewhere, methods=["GET"]) for at in ("/", AUTODISCOVER_PATH.lower())),
        ]
    )


def _port(parts: Parts, path: str, work: _Handler) -> list[Route]:
    async def post(request: Request) -> Response:
        instead = await disturbance.before(request, parts.faults)
        if instead is not None:
            return instead
        return await disturbance.after(request, await work(request), parts.faults)

    async def get(_request: Request) -> Response:
        return Response(status_code=400)

    return [
        Route(path.lower(), post, methods=["POST"]),
        Route(path.lower(), get, methods=["GET"]),
    ]


def _offered(parts: Parts, method: str, work: _Handler) -> _Handler:
    async def checked(request: Request) -> Response:
        if method in parts.methods_off:
            return _refused(parts, Refusal.METHOD_OFF)
        return await work(request)

    return checked


def _if_downloadable(parts: Parts, work: _Handler) -> _Handler:
    async def checked(request: Request) -> Response:
        if not parts.policy.chain_download or parts.faults.take(FaultName.CHAIN_DOWNLOAD_OFF):
            return _refused(parts, Refusal.CHAIN_OFF)
        return await work(request)

    return checked


def _refused(parts: Parts, refusal: Refusal) -> Response:
    note(refusal.reason)
    value = diagnostics(refusal, parts.fqdn, "wst:InvalidRequest")
    return Response(status_code=403, headers={"X-Ms-diagnostics": value})


def _documents(parts: Parts) -> list[Route]:
    ntlm = parts.policy.windows_auth == WindowsAuth.NTLM.value
    made: dict[str, Callable[[], bytes]] = {
        WEBTICKET_PATH: lambda: webticket_metadata(parts.endpoints, parts.methods_off, ntlm=ntlm),
        CERTPROV_PATH: lambda: certprov_metadata(parts.endpoints),
    }

    def route(path: str, make: Callable[[], bytes]) -> Route:
        async def metadata(request: Request) -> Response:
            instead = disturbance.redirect(request, parts.faults)
            return instead or Response(make(), media_type=_TEXT_XML)

        return Route(f"{path}/mex".lower(), metadata, methods=["GET"])

    return [route(path, make) for path, make in made.items()]


def _discovery(parts: Parts) -> list[Route]:
    async def root(request: Request) -> Response:
        return _discovered(parts.autodiscover.root(_sip_uri(request)))

    async def user(request: Request) -> Response:
        try:
            header = request.headers.get(autodiscover.TICKET_HEADER, "")
            return _discovered(parts.autodiscover.user(header))
        except SoapFault as fault:
            note(fault.note)
            url = {"X-MS-WebTicketURL": parts.endpoints.webticket}
            return Response(status_code=401, headers=url)

    return [
        *(Route(path, root, methods=["GET"]) for path in ("/", AUTODISCOVER_PATH.lower())),
        Route(AUTODISCOVER_USER_PATH.lower(), user, methods=["GET"]),
    ]


def _sip_uri(request: Request) -> str:
    return request.query_params.get("sipuri", "")


def _discovered(content: bytes) -> Response:
    return Response(content, media_type=autodiscover.MEDIA_TYPE)


async def _answer_windows(parts: Parts, request: Request) -> Response:
    if await _body(request) is None:  # read to its end, or the connection could not be kept
        return _too_long()
    admitted = await parts.windows.admit(request)
    if isinstance(admitted, Response):
        return admitted
    issue = partial(parts.webticket.issue_to_windows_user, user=admitted.user)
    response = await _answer(parts, Operation(ISSUE_ACTION, issue), request)
    response.headers.update(admitted.headers)
    return response


async def _answer(parts: Parts, operation: Operation, request: Request) -> Response:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/xml":
        return Response(status_code=415)
    data = await _body(request)
    if data is None:
        return _too_long()
    action = request.headers.get("soapaction", "").strip('"')
    return await run_in_threadpool(_work, parts, operation, action, data)


def _too_long() -> Response:
    return Response(status_code=413, headers={"Connection": "close"})


async def _body(request: Request) -> bytes | None:
    """Read the body; None if it is longer than a message may be. May be called again."""
    kept: bytes | None = getattr(request.state, "content", None)
    if kept is not None:
        return kept
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > MAX_MESSAGE:
                return None
    except ClientDisconnect:
        return b""
    request.state.content = bytes(data)
    return bytes(data)


def _work(parts: Parts, operation: Operation, action: str, data: bytes) -> Response:
    try:
        if action != operation.action:
            raise SoapFault(Fault.ACTION, "SOAPAction")
        return Response(operation.answer(read_message(data)), media_type=_TEXT_XML)
    except SoapFault as fault:
        note(f"refused, {fault.fault.local}: {fault.note}")
        response = _fault(fault.fault, fault.says)
        if operation.diagnostics and isinstance(fault.says, Refusal):
            code = f"wsse:{fault.fault.local}"
            response.headers["X-Ms-diagnostics"] = diagnostics(fault.says, parts.fqdn, code)
        return response
    except Exception as error:
        # Neither the client nor the log is shown its words: they may hold a part of the request.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        logger.error("%s at %s:%d", kind, Path(frame.filename).name, frame.lineno or 0)  # noqa: TRY400
        return _fault(Fault.SERVER)


def _fault(fault: Fault, says: Refusal | str | None = None) -> Response:
    return Response(fault_envelope(fault, says), 500, media_type=_TEXT_XML)
