"""A Registrar as the engine and the checks see it: what it asks for, and a sign-in."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from usbprov.errors import UsageError
from usbprov.net.credentials import CertificateCredential, WindowsCredential
from usbprov.net.deadline import DEFAULT_LIMITS, TimeLimits
from usbprov.net.site import Site
from usbprov.phone.endpoint import Endpoint

if TYPE_CHECKING:
    from usbprov.registrar.connection import Connection

# ruff: noqa: PLC0415 - TLS and cryptography are imported when something is asked of a server

DEFAULT_PORT = 5061
"""SIP over TLS (RFC 3261 18.2.1)."""

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[\w.-]+))(?::(?P<port>\d{1,5}))?")
_HIGHEST_PORT = 0xFFFF

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class RegistrarAddress:
    """Where a Registrar is.

    Attributes:
        host: Name or address; an IPv6 address without brackets.
        port: TCP port.
    """

    host: str
    port: int = DEFAULT_PORT

    def __str__(self) -> str:
        return self._host if self.port == DEFAULT_PORT else self.full

    @property
    def full(self) -> str:
        """Host and port, always both."""
        return f"{self._host}:{self.port}"

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host`` or ``host:port``; an IPv6 address stands in brackets.

        Raises:
            UsageError: It is neither.
        """
        found = _ADDRESS.fullmatch(text.strip())
        port = int((found and found["port"]) or DEFAULT_PORT)
        if found is None or not 0 < port <= _HIGHEST_PORT:
            raise UsageError(f"a Registrar is given as host or host:port, not {text!r}")
        return cls(found["six"] or found["host"], port)


@dataclass(frozen=True)
class Challenge:
    """What a Registrar answers to a REGISTER that proves nothing.

    Attributes:
        schemes: Ways to prove a user, as offered and in that order: ``TLS-DSK``, ``NTLM``,
            ``Kerberos``; none where all are switched off.
        target: The name by which the Registrar goes in TLS-DSK, else in the first scheme.
        certificate_service: URL of the service that issues certificates for TLS-DSK, or None.
    """

    schemes: tuple[str, ...]
    target: str
    certificate_service: str | None


@dataclass(frozen=True)
class SignIn:
    """A sign-in that succeeded, was proved by the server, and was ended again.

    Attributes:
        server: The Registrar that signed the user in, after redirects: host or host:port.
        scheme: ``TLS-DSK``, ``NTLM`` or ``Kerberos``.
        protocol: Version of the inner TLS, ``TLS 1.0`` to ``TLS 1.2``; empty for other schemes.
        cipher: Cipher suite of the inner TLS; empty for other schemes.
        redirects: The servers that sent us on, in order.
        expires: For how many seconds the Registrar would have kept it; 0 if it did not say.
        signed_out: Whether the Registrar confirmed that it was ended.
        ms: How long all of it took, with redirects and signing out, in milliseconds.
    """

    server: str
    scheme: str
    protocol: str
    cipher: str
    redirects: tuple[str, ...]
    expires: int
    signed_out: bool
    ms: int


class Registrar:
    """One Registrar. Nothing is sent before a method is called; not thread-safe; close it.

    Nothing is tried again: not a failure that may pass, and never a credential.
    """

    def __init__(
        self,
        address: RegistrarAddress,
        *,
        ca_file: Path | None = None,
        timeout: TimeLimits = DEFAULT_LIMITS,
        site: Site | None = None,
    ) -> None:
        """Prepare.

        Args:
            address: Where it is.
            ca_file: PEM file with the only trust anchors that count, or None for the system's.
            timeout: For a connection, and for each request with its answer.
            site: What the site has settled about its servers.
        """
        self.address = address
        self._ca_file = ca_file
        self._limits = timeout
        self._site = site or Site()
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; may be called twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def challenge(self, user: str, endpoint: Endpoint) -> Challenge:
        """Ask what proof the Registrar wants of a user. No secret is sent.

        Args:
            user: SIP address, with ``sip:`` or without.
            endpoint: For whom the user would sign in.

        Raises:
            UsageError: The user is no SIP address.
            RegistrarError: It is not reached, fails, or does not know the user.
            TrustError: It cannot prove who it is.
        """
        from usbprov.registrar.challenges import ask
        from usbprov.registrar.user import SipUser

        who = SipUser.parse(user)
        return self._routed(lambda connection, _: ask(connection, who, endpoint))

    def sign_in(
        self,
        user: str,
        credential: CertificateCredential | WindowsCredential,
        endpoint: Endpoint,
    ) -> SignIn:
        """Sign a user in, have the Registrar prove who it is, and sign out again.

        Args:
            user: SIP address, with ``sip:`` or without.
            credential: What proves the user.
            endpoint: For whom: the device whose certificate it is.

        Raises:
            UsageError: The user is no SIP address, or this computer lacks what the way needs.
            RegistrarError: The Registrar is not reached, fails, refuses, or does not prove itself.
            TrustError: It cannot prove who it is over TLS.
            CertificateUnfit: The certificate's key cannot be used.
            PossessionUnproved: What signs does not have the certificate's key.
            UsbprovError: What the signer raises; with Kerberos, what the KDC refuses.
        """
        from usbprov.registrar.sign_in import Before, sign_in
        from usbprov.registrar.user import SipUser

        who, begin = SipUser.parse(user), time.monotonic()

        def act(connection: "Connection", redirects: tuple[str, ...]) -> SignIn:
            return sign_in(connection, who, credential, endpoint, Before(begin, redirects))

        return self._routed(act)

    def _routed(self, act: Callable[["Connection", tuple[str, ...]], _Result]) -> _Result:
        """Do something over a connection of its own, at this Registrar or where it sends us."""
        from usbprov.registrar.redirects import follow

        def at(address: RegistrarAddress, redirects: tuple[str, ...]) -> _Result:
            try:
                return act(self._connect(address), redirects)
            finally:
                self.close()

        return follow(self.address, at)

    def _connect(self, address: RegistrarAddress) -> "Connection":
        from usbprov.net.tls import tls_context
        from usbprov.registrar.connection import Connection

        tls = tls_context(self._ca_file, self._site.least_tls(address.host))
        self._connection = Connection(address, tls, self._limits)
        return self._connection
