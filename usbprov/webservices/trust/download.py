"""The Web Services' download of their certificate chain: anonymous, over plain HTTP.

That it exists, is anonymous and gives PKCS#7 is known ([MS-OCAUTHWS] 1.5 and the administration
guide); the message is not. So the form is data: ``ChainForm`` has our guess, and a site that has
recorded a real exchange replaces it by a file. What comes this way can be forged by anybody.
"""

import http.client
import socket
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from usbprov.errors import AnswerInvalid, ConfigInvalid, ObjectUnreadable, UsageError
from usbprov.net.deadline import DEFAULT_LIMITS, TimeLimits, time_left, time_limit
from usbprov.pki.bundles import load_bundle
from usbprov.webservices.trust.sources import Certificates, SourceName

# ruff: noqa: PLC0415 - HTTP and XML are imported when something is downloaded

_HTTP_PORT = 80
_MAX_BYTES = 1 << 20
_PIECE = 16384


@dataclass(frozen=True)
class ChainForm:
    """How the chain is asked for and found in the answer; our guess where nothing is said.

    Attributes:
        method: ``GET``, or ``POST`` with ``body``.
        path: What follows the URL of the certificate provisioning service.
        headers: Request headers: ``SOAPAction``, ``Content-Type``.
        body: Request body, text.
        element: Local name of the XML element whose text is the chain, or ``""`` where the whole
            answer is.
    """

    method: str = "GET"
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    element: str = ""


GUESS = ChainForm()


def site_form(file: Path | None) -> ChainForm:
    """Return a site's own form, or our guess where it has none; raises as ``read_form``."""
    return GUESS if file is None else read_form(file)


def read_form(file: Path) -> ChainForm:
    """Read a form from a TOML file, whose keys are the attributes of ``ChainForm``.

    Raises:
        ConfigInvalid: It cannot be read, or has a key or value that is not known.
    """
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigInvalid(str(error), str(file)) from None
    known = {f.name: type(getattr(GUESS, f.name)) for f in fields(ChainForm)}
    for key, value in values.items():
        if not isinstance(value, known.get(key, ())):
            raise ConfigInvalid(f"unknown key or value: {key}", str(file))
    form = ChainForm(**values)
    if form.method not in {"GET", "POST"} or not _printable(form):
        raise ConfigInvalid("method must be GET or POST, path and headers plain text", str(file))
    return form


def _printable(form: ChainForm) -> bool:
    texts = [form.path, *form.headers, *map(str, form.headers.values())]
    return all(text.isascii() and text.isprintable() for text in texts) and " " not in form.path


@dataclass(frozen=True)
class DownloadSource:
    """The chain download at one address, ``http://HOST[:PORT]/PATH``."""

    url: str
    form: ChainForm = GUESS
    limits: TimeLimits = DEFAULT_LIMITS
    name: SourceName = SourceName.DOWNLOAD
    protected: bool = False

    @property
    def where(self) -> str:
        """Its address."""
        return self.url

    def fetch(self) -> Certificates:
        """Download the chain; nothing is sent that says who asks.

        Raises:
            ServiceError: There is no usable answer.
            ObjectUnreadable: It holds no certificates.
        """
        body = _exchange(self.url, self.form, self.limits)
        if self.form.element:
            body = _text_of_element(body, self.form.element, self.url)
        try:
            return tuple(load_bundle(body.strip(), "the chain download"))
        except ObjectUnreadable as error:
            raise AnswerInvalid(_server(self.url), error.problem) from None


def anonymous_url(url: str) -> str:
    """Return the chain download's address where only the Web Services' own URL is known.

    The topology publishes it at the same host and path, over HTTP at port 80.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"http://[{host}]{parts.path}" if ":" in host else f"http://{host}{parts.path}"


def download_url(text: str) -> str:
    """Check a URL that the user gives.

    Raises:
        UsageError: It is no ``http`` URL with a host.
    """
    try:
        parts = urlsplit(text.strip())
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    plain = text.isascii() and text.isprintable() and " " not in text
    if not (usable and plain) or parts.scheme != "http" or "@" in parts.netloc or parts.fragment:
        raise UsageError(f"the address of the chain download must begin with http://, not {text!r}")
    return parts.geturl()


def _exchange(url: str, form: ChainForm, limits: TimeLimits) -> bytes:
    from usbprov.net.failures import exchange_error
    from usbprov.webservices.faults import complaint_error
    from usbprov.webservices.session import Answer

    began = time.monotonic()
    try:
        with time_limit(limits.answer):
            status, headers, body = _ask(url, form, limits)
    except (OSError, http.client.HTTPException) as error:
        failure = exchange_error(error, _server(url), time.monotonic() - began)
    else:
        complaint = complaint_error(Answer(url, status, headers, body))
        if complaint is None:
            return body
        failure = complaint
    raise failure


def _ask(url: str, form: ChainForm, limits: TimeLimits) -> tuple[int, Mapping[str, str], bytes]:
    from requests.structures import CaseInsensitiveDict

    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or _HTTP_PORT)
    plain = socket.create_connection((connection.host, connection.port), limits.connect)
    connection.sock = _LimitedSocket(fileno=plain.detach())
    try:
        target = (parts.path or "/") + form.path + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept-Encoding": "identity", **form.headers}
        connection.request(form.method, target, form.body.encode() or None, headers)
        answer = connection.getresponse()
        return (
            answer.status,
            CaseInsensitiveDict(answer.headers.items()),
            _body(answer, _server(url)),
        )
    finally:
        connection.close()


def _body(answer: http.client.HTTPResponse, server: str) -> bytes:
    body = bytearray()
    while piece := answer.read(_PIECE):
        body += piece
        if len(body) > _MAX_BYTES:
            raise AnswerInvalid(server, f"it is larger than {_MAX_BYTES} bytes")
    if answer.length:  # bytes that were announced and did not come
        raise http.client.IncompleteRead(bytes(body), answer.length)
    return bytes(body)


class _LimitedSocket(socket.socket):
    """A plain socket that keeps to the time limit of the whole exchange."""

    def recv_into(self, *arguments: Any) -> int:
        """Receive, in the time that is left."""
        self.settimeout(time_left())
        return super().recv_into(*arguments)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send, in the time that is left."""
        self.settimeout(time_left())
        super().sendall(data, flags)


def _text_of_element(body: bytes, name: str, url: str) -> bytes:
    from usbprov.webservices.xmlsafe import descendants, parse, text_of

    server = _server(url)
    found = next(descendants(parse(body, server).root, name), None)
    if found is None:
        raise AnswerInvalid(server, f"it has no element {name}")
    return text_of(found).encode()


def _server(url: str) -> str:
    return urlsplit(url).netloc
