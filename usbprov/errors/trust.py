"""Errors of trust: a server cannot prove who it is."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class TrustError(UsbprovError):
    """Raised when a server cannot prove, over TLS, who it is."""

    server: str
    reason: str
    exit_code: ClassVar = ExitCode.TRUST


@dataclass(eq=False)
class ChainUntrusted(TrustError):
    """Raised when the server's chain does not end in a root that this computer trusts."""

    code: ClassVar = "TLS-01"
    template: ClassVar = "the certificate of {server} does not lead to a trusted root: {reason}"
    cause: ClassVar = "The server uses a private CA that this computer does not know, or does not send its intermediate."
    remedy: ClassVar = "Give the CA's certificate with --ca-file, after checking its fingerprint with the administrator."


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
    remedy: ClassVar = "Check the port; have TLS 1.2 switched on at the server."


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
