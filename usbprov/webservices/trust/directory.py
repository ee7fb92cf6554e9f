"""Active Directory over LDAP: the way in which a tethered phone gets its roots.

Every enterprise CA stands in the configuration partition as an object of the class
``certificationAuthority`` with its certificates in ``cACertificate`` (RFC 4523 3.1, 2.1): roots in
the container Certification Authorities, intermediates in AIA. Both are below Public Key Services.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from usbprov.errors import DirectoryRefused, ObjectUnreadable, UsageError
from usbprov.net.deadline import DEFAULT_LIMITS, TimeLimits
from usbprov.pki.certificates import load_certificate
from usbprov.webservices.trust.sources import Certificates, SourceName

if TYPE_CHECKING:
    from cryptography import x509

    from usbprov.webservices.trust.ldap import Entry

# ruff: noqa: PLC0415 - ldap3 is an extra, imported when a directory is asked

logger = logging.getLogger(__name__)

_PORTS = {"ldap": 389, "ldaps": 636}
_CONTAINER = "CN=Public Key Services,CN=Services"
_AUTHORITIES = "(objectClass=certificationAuthority)"
_CONFIGURATION = "configurationNamingContext"


@dataclass(frozen=True)
class DirectoryAddress:
    """Where a directory is, and from where on it is searched.

    Attributes:
        tls: Whether it speaks TLS from the beginning (``ldaps``).
        base: DN of the configuration partition, or of a part of it that is to be searched as it
            is, or ``""``: then the directory is asked.
    """

    host: str
    port: int
    tls: bool
    base: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ldaps' if self.tls else 'ldap'}://{host}:{self.port}"


def directory_address(url: str) -> DirectoryAddress:
    """Read ``ldap://HOST[:PORT][/BASE]`` or ``ldaps://…`` (RFC 4516 2).

    Raises:
        UsageError: It is no such URL.
    """
    wrong = UsageError(f"--ldap-url must look like ldaps://dc1.contoso.com, not {url!r}")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise wrong from None
    default = _PORTS.get(parts.scheme)
    if default is None or not parts.hostname or port == 0 or not url.isprintable():
        raise wrong
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise wrong
    base = unquote(parts.path.lstrip("/"))
    return DirectoryAddress(parts.hostname, port or default, parts.scheme == "ldaps", base)


@dataclass(frozen=True)
class Bind:
    """A simple bind (RFC 4513 5.1.3).

    Attributes:
        user: A name in any form that the directory takes.
        password: Gives the password; asked when there is a connection to send it over.
    """

    user: str
    password: Callable[[], str] = field(repr=False)


@dataclass(frozen=True)
class DirectorySource:
    """The certification authorities of a directory.

    Attributes:
        bind: Who reads, or None for anonymous.
        start_tls: Whether ``ldap`` is secured by StartTLS before anything else is said.
        ca_file: The trust anchors for TLS, or None for the system's.
        plain_password: Whether the password may go over the wire in the clear.
    """

    address: DirectoryAddress
    bind: Bind | None = None
    start_tls: bool = False
    ca_file: Path | None = None
    plain_password: bool = False
    limits: TimeLimits = DEFAULT_LIMITS
    name: SourceName = SourceName.DIRECTORY

    def __post_init__(self) -> None:
        """Refuse to send a password in the clear.

        Raises:
            UsageError: There is a password, no TLS, and no leave for that.
        """
        if self.bind is not None and not (self.protected or self.plain_password):
            raise UsageError(
                "the password would go in the clear: use ldaps:// or --ldap-start-tls"
                " (or, if it must be, --ldap-plain-password)"
            )

    @property
    def where(self) -> str:
        """Its address."""
        return str(self.address)

    @property
    def protected(self) -> bool:
        """TLS proves who answers; without it, anybody may."""
        return self.address.tls or self.start_tls

    def fetch(self) -> Certificates:
        """Search the directory; a value that is no certificate is left out, and logged.

        Raises:
            DirectoryUnreachable: No connection, or it broke off.
            DirectoryRefused: The sign-in or the search is refused.
            AnswerInvalid: What answers is no LDAP, or answers without end.
            TrustError: It cannot prove who it is.
            UsageError: The library for LDAP is not installed.
        """
        from usbprov.webservices.trust.ldap import LdapSession, Scope

        with LdapSession(self.address, self.limits) as session:
            session.open(self.ca_file, start_tls=self.start_tls)
            session.sign_in(self.bind)
            base = self.address.base or self._configuration(
                session.search("", Scope.BASE, "(objectClass=*)", _CONFIGURATION)
            )
            inside = base if _CONTAINER.lower() in base.lower() else f"{_CONTAINER},{base}"
            entries = session.search(inside, Scope.SUBTREE, _AUTHORITIES, "cACertificate")
        return tuple(dict.fromkeys(_certificates(entries)))

    def _configuration(self, entries: "Sequence[Entry]") -> str:
        """Read the DN of the configuration partition out of the root DSE ([MS-ADTS] 3.1.1.3.2)."""
        values = [value for entry in entries for value in entry.values(_CONFIGURATION)]
        if not values:
            raise DirectoryRefused(
                self.where,
                f"it does not tell its {_CONFIGURATION}; add it to the URL, as in"
                f" {self.where}/CN=Configuration,DC=contoso,DC=com",
            )
        return values[0].decode("utf-8", "replace")


def _certificates(entries: "Sequence[Entry]") -> "Iterator[x509.Certificate]":
    for entry in entries:
        for value in entry.values("cACertificate"):
            try:
                yield load_certificate(value)
            except ObjectUnreadable:
                logger.debug("%r has a value that is no certificate", entry.dn)
