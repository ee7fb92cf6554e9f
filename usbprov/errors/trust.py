"""Errors of trust: a server cannot prove who it is."""

from dataclasses import dataclass, field
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class TrustError(UsbprovError):
    """Raised when a server cannot prove, over TLS, who it is.

    ``check`` names what failed, in a word; ``presented`` has a line for each certificate that the
    server showed.
    """

    server: str
    reason: str
    check: str = field(default="", kw_only=True)
    presented: tuple[str, ...] = field(default=(), kw_only=True)
    exit_code: ClassVar = ExitCode.TRUST


@dataclass(eq=False)
class ChainUntrusted(TrustError):
    """Raised when the server's chain does not end in a root that this computer trusts."""

    code: ClassVar = "TLS-01"
    template: ClassVar = "the certificate of {server} does not lead to a trusted root: {reason}"
    cause: ClassVar = "The server uses a private CA that this computer does not know, does not send its intermediate, or a certificate in the chain is signed with an algorithm or a key that is too weak."
    remedy: ClassVar = "Give the CA's certificate with --ca-file, after checking its fingerprint with the administrator; have a missing intermediate installed on the server, and weak certificates issued anew."


@dataclass(eq=False)
class NameMismatch(TrustError):
    """Raised when the server's certificate is for another name than the one in the URL."""

    code: ClassVar = "TLS-02"
    template: ClassVar = "the certificate of {server} is for another name: {reason}"
    cause: ClassVar = "The URL uses a name or address that is not in the certificate."
    remedy: ClassVar = (
        "Use the Web Services FQDN as in the certificate, or have the certificate reissued."
    )


@dataclass(eq=False)
class ServerCertificateExpired(TrustError):
    """Raised when the server's certificate, or one above it, is outside its validity."""

    code: ClassVar = "TLS-03"
    template: ClassVar = "the certificate of {server} is not valid now: {reason}"
    cause: ClassVar = "It has expired, or this computer's clock is wrong."
    remedy: ClassVar = "Check this computer's date, then have the certificate renewed."


@dataclass(eq=False)
class HandshakeFailed(TrustError):
    """Raised when TLS cannot be agreed on at all."""

    code: ClassVar = "TLS-04"
    template: ClassVar = "no TLS connection with {server}: {reason}"
    cause: ClassVar = "The server speaks only old TLS versions, or the port is not a TLS port."
    remedy: ClassVar = "Check the port; have TLS 1.2 switched on at the server. Until it is, --allow-old-tls HOST lets this one server speak an older version."


@dataclass(eq=False)
class PhoneDistrusts(TrustError):
    """Raised when the phone would not trust the server, and the missing root is not at hand."""

    phone: str = ""
    code: ClassVar = "TLS-05"
    template: ClassVar = "{phone} would not trust {server}: {reason}"
    cause: ClassVar = "The phone's store of roots is older than the server's CA."
    remedy: ClassVar = (
        "Give the CA's certificate with --ca-file; it will be installed in the phone."
    )


@dataclass(eq=False)
class PhoneCannotVerify(TrustError):
    """Raised when the server's chain uses a signature or a key size that the phone cannot verify."""

    phone: str = ""
    code: ClassVar = "TLS-06"
    template: ClassVar = "{phone} can never verify {server}: {reason}"
    cause: ClassVar = "The phone's model or firmware is older than the algorithms of the server's certificates. No certificate that is installed changes that."
    remedy: ClassVar = "Update the phone's firmware, or have the server's certificate issued by a CA within the phone's limits; `usbprov info` shows them. Nothing was changed."


@dataclass(eq=False)
class SourceUnverified(TrustError):
    """Raised when what the phone needs came over an unprotected way, and nothing vouches for it."""

    certificates: tuple[str, ...] = ()
    code: ClassVar = "TLS-07"
    template: ClassVar = "nothing vouches for what {server} gave: {reason}"
    cause: ClassVar = "Plain HTTP, plain LDAP and a server's own chain can be forged by anybody on the way; these certificates lead to no root that this computer trusts."
    remedy: ClassVar = "Have the administrator read the root's SHA-256 out to you, compare it, and repeat with --fingerprint; or give the CA's certificate with --ca-file. Nothing was installed."
