"""The servers that a phone talks to, and what they present over TLS."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from ssl import SSLError
from urllib.parse import urlsplit

from usbprov.errors import TrustError, UsageError
from usbprov.net.deadline import DEFAULT_LIMITS, TimeLimits
from usbprov.net.failures import exchange_error
from usbprov.net.site import Site
from usbprov.net.tls import look_at_chain, presented_chain, tls_context
from usbprov.pki.certificates import load_certificate
from usbprov.webservices.trust.sources import Certificates
from usbprov.webservices.urls import host_of, port_of, service_url

_SIP_TLS = 5061
"""The Registrar's port where none is named (RFC 3261 19.1.2)."""

_HTTPS = 443


class Role(StrEnum):
    """What a server is to a phone."""

    WEB_SERVICES = "Web Services"
    REGISTRAR = "Registrar"
    ANY = "server"
    """What was named by host and port alone."""


@dataclass(frozen=True)
class ServerAddress:
    """Where a server is addressed, by phone and computer alike."""

    role: Role
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True)
class Server:
    """What a server presents.

    Attributes:
        chain: Its certificates as on the wire, its own first.
        problem: Why this computer would not talk to it, or None. Nothing is sent to it here.
    """

    address: ServerAddress
    chain: Certificates
    problem: TrustError | None = None


def web_services_address(url: str) -> ServerAddress:
    """Return the address of the Web Services; raises ``UsageError`` for a URL of another kind."""
    url = service_url(url)
    return ServerAddress(Role.WEB_SERVICES, host_of(url), port_of(url))


def registrar_address(text: str) -> ServerAddress:
    """Read ``host`` or ``host:port``, an IPv6 address in brackets.

    Raises:
        UsageError: It is neither.
    """
    address = _address(text, Role.REGISTRAR, _SIP_TLS)
    if address is None:
        raise UsageError(f"--registrar must look like pool.contoso.com:5061, not {text!r}")
    return address


def server_address(text: str) -> ServerAddress:
    """Read ``host`` or ``host:port`` of any TLS server; the port is 443 where none is named.

    Raises:
        UsageError: It is neither.
    """
    address = _address(text, Role.ANY, _HTTPS)
    if address is None:
        raise UsageError(f"a server is named like pool.contoso.com:443, not {text!r}")
    return address


def _address(text: str, role: Role, port: int) -> ServerAddress | None:
    try:
        parts = urlsplit(f"//{text.strip()}")
        named = parts.port
    except ValueError:
        return None
    if not parts.hostname or parts.netloc != text.strip() or "@" in text or named == 0:
        return None
    return ServerAddress(role, parts.hostname, named or port)


def look_at(
    address: ServerAddress,
    ca_file: Path | None,
    site: Site,
    limits: TimeLimits = DEFAULT_LIMITS,
) -> Server:
    """Have a server present itself, verified by this computer if it can be.

    A server that this computer does not trust may be one that a phone trusts, so what it presents
    is judged all the same; the caller believes none of it.

    Raises:
        ServiceError: It cannot be reached.
        TrustError: It does not get as far as presenting a certificate.
    """
    began = time.monotonic()
    try:
        tls = tls_context(ca_file, site.least_tls(address.host))
        chain = presented_chain(address.host, address.port, tls, limits.connect)
    except OSError as error:
        failure = exchange_error(error, str(address), time.monotonic() - began)
        shown = look_at_chain(address.host, address.port) if isinstance(error, SSLError) else []
    else:
        return Server(address, _parsed(chain))
    if not shown or not isinstance(failure, TrustError):
        raise failure
    return Server(address, _parsed(shown), failure)


def _parsed(chain: Sequence[bytes]) -> Certificates:
    return tuple(load_certificate(der) for der in chain)
