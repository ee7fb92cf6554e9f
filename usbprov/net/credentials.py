"""Credentials: what proves a user to a server. Imports nothing heavy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class Way(StrEnum):
    """The ways to prove a user to the ticket service, by the names that ``--auth`` has for them."""

    PIN = "pin"
    """Extension and PIN."""
    NTLM = "ntlm"
    """Windows account: NTLMv2."""
    KERBEROS = "kerberos"
    """Windows account: Kerberos."""
    NEGOTIATE = "negotiate"
    """Windows account: Kerberos where it is to be had, else NTLMv2."""
    PASSWORD = "password"  # noqa: S105 - the name of a way
    """User name and password in the message itself."""
    CERTIFICATE = "certificate"
    """A user certificate that these Web Services issued before."""


@dataclass(frozen=True)
class PinCredential:
    """What a user types at a phone.

    Attributes:
        extension: Extension or phone number: ``1001``, ``+14255550123``.
        pin: The PIN; sent at most once, as it is locked after a few wrong tries.
    """

    extension: str
    pin: str = field(repr=False)


@dataclass(frozen=True)
class PasswordCredential:
    r"""A Windows account for the port that takes user name and password in the message.

    Attributes:
        login: ``DOMAIN\user`` or ``user@realm``.
        password: The password; sent at most once.
    """

    login: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class WindowsCredential:
    r"""A Windows account for the ports with integrated Windows authentication.

    Attributes:
        way: ``NTLM``, ``KERBEROS`` or ``NEGOTIATE``.
        login: ``DOMAIN\user`` or ``user@realm``; None for the Kerberos ticket that whoever uses
            this computer has already.
        password: The password, or None with that.
    """

    way: Way
    login: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class CertificateCredential:
    """A user certificate, and what signs with its key, wherever that is.

    Attributes:
        certificate: The certificate, DER.
        sign: Pads a SHA-256 DigestInfo (51 bytes, RFC 8017 9.2), or for TLS before 1.2 an MD5 and
            a SHA-1 digest (36 bytes, RFC 4346 7.4.8), by PKCS#1 v1.5 and signs it.
    """

    certificate: bytes
    sign: Callable[[bytes], bytes] = field(repr=False, compare=False)


Credential = PinCredential | PasswordCredential | WindowsCredential | CertificateCredential
