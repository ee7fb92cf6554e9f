"""HTTPS exchanges with the Web Services: one verified keep-alive session, nothing sent twice."""

import http
import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from usbprov import __version__
from usbprov.errors import RedirectRefused, ServerTimeout
from usbprov.net.deadline import TimeLimits, time_limit
from usbprov.net.failures import exchange_error
from usbprov.tape.deck import player, recorder
from usbprov.tape.ports import passing
from usbprov.webservices.bodies import read_capped
from usbprov.webservices.urls import redirected, server_of

logger = logging.getLogger(__name__)

_HEADERS = {
    "User-Agent": f"usbprov/{__version__}",
    "Accept-Encoding": "gzip",
    "Accept": "text/xml",
    "Connection": "keep-alive",
}
_MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""The status codes that send a client elsewhere (RFC 9110 15.4)."""


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer.

    Attributes:
        url: What was asked in the end.
        status: HTTP status code.
        headers: By name, without regard to case.
        body: Unpacked, at most 1 MiB; it may hold a ticket, so it is not shown.
        connection: Local TCP port: tells whether two answers came over one connection.
        certificate: What the server has shown on it, DER; for channel bindings.
    """

    url: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    connection: int = 0
    certificate: bytes = field(default=b"", repr=False)

    @property
    def server(self) -> str:
        """Who answered: host or host:port."""
        return server_of(self.url)

    @property
    def phrase(self) -> str:
        """The standard words for the status; the server's own are not repeated."""
        try:
            return http.HTTPStatus(self.status).phrase
        except ValueError:
            return ""


class VerifiedAdapter(HTTPAdapter):
    """Has ``requests`` use one TLS context as it is, and neither its own CA bundle nor retries."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        super().__init__(pool_connections=2, pool_maxsize=1, max_retries=Retry(0, read=False))

    def init_poolmanager(
        self,
        connections: int,
        maxsize: int,
        block: bool = False,
        **options: object,
    ) -> None:
        """Give the context to every pool."""
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._tls, **options)

    def cert_verify(self, conn: object, url: str, verify: object, cert: object) -> None:
        """Do nothing: the original would load a public CA bundle into the context."""


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that there is none: the original reads the body of a redirect without a cap."""


class HttpSession:
    """Keep-alive connections and cookies of one enrolment. Not thread-safe.

    A request leaves this computer at most once: a connection that breaks is an error, never a
    reason to send again, since a request may hold a PIN.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        limits: TimeLimits,
        exceptions: Mapping[str, ssl.SSLContext] | None = None,
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            tls: Verifies the servers.
            limits: Time limits of each exchange.
            exceptions: Other contexts, for some hosts only.
        """
        self._limits = limits
        self._answering = False
        self._session = _Session()
        self._session.trust_env = False
        self._session.adapters.clear()
        self._session.mount("https://", VerifiedAdapter(tls))
        for host, other in (exceptions or {}).items():
            name = f"[{host}]" if ":" in host else host
            for end in ("/", ":"):  # or it would be the beginning of other hosts' names
                self._session.mount(f"https://{name}{end}", VerifiedAdapter(other))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; may be called twice."""
        self._session.close()

    def get(self, url: str) -> Answer:
        """Fetch a public document, following redirects that stay on the host.

        Raises:
            RedirectRefused: A redirect leaves the host, or there is no end of them.
            ServiceError: There is no usable answer.
            TrustError: The server cannot prove who it is.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._exchange("GET", url, None, {})
            if answer.status not in REDIRECTS:
                return answer
            url = redirected(url, answer.headers.get("Location", ""))
        raise RedirectRefused(server_of(url), "there is no end of them")

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a request once; a redirect is not followed, but is the answer.

        Raises:
            ServiceError: There is no usable answer; the server may have taken the request.
            TrustError: The server cannot prove who it is; nothing was sent.
        """
        return self._exchange("POST", url, body, headers)

    def _exchange(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        if recorder() is None and player() is None:
            return self._exchange_now(method, url, body, headers)
        from usbprov.webservices.taping import exchange_port  # noqa: PLC0415 - needs this module

        port = exchange_port(method, url, body, headers)
        return passing(port, lambda: self._exchange_now(method, url, body, headers))

    def _exchange_now(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        began, self._answering = time.monotonic(), False
        try:
            with time_limit(self._limits.answer):
                answer = self._send(method, url, body, headers)
        except (requests.RequestException, HTTPError, OSError) as error:
            failure = exchange_error(error, server_of(url), time.monotonic() - began)
            if isinstance(failure, ServerTimeout):
                failure.answering = self._answering
        else:
            took = (time.monotonic() - began) * 1000
            size = len(answer.body)
            logger.debug("%s %s: %d, %d bytes, %.0f ms", method, url, answer.status, size, took)
            return answer
        # Raised out here, so that no exception of requests hangs on it: those hold the request.
        raise failure

    def _send(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        # As ``Session.request`` does it, which first merges settings of which there are none here.
        request = requests.PreparedRequest()
        cookies, limits = self._session.cookies, (self._limits.connect, self._limits.answer)
        request.prepare(method, url, {**_HEADERS, **headers}, data=body, cookies=cookies)
        with self._session.send(
            request, timeout=limits, allow_redirects=False, stream=True, proxies={}
        ) as found:
            self._answering = True
            encoding = found.headers.get("Content-Encoding", "")
            connection, certificate = _came_over(found)
            content = read_capped(found.raw, encoding, server_of(url))
            return Answer(url, found.status_code, found.headers, content, connection, certificate)


def _came_over(found: requests.Response) -> tuple[int, bytes]:
    """Return local port and server certificate of an answer's connection, before it is read."""
    secured = getattr(found.raw.connection, "sock", None)
    if not isinstance(secured, ssl.SSLSocket):
        return 0, b""
    return secured.getsockname()[1], secured.getpeercert(binary_form=True) or b""
