"""Errors of the sign-in at a Registrar. That it cannot prove its name over TLS is in ``trust``."""

from dataclasses import dataclass, field
from typing import ClassVar

from usbprov.errors.base import CallError, ExitCode


@dataclass(eq=False)
class RegistrarError(CallError):
    """Raised when a sign-in at a Registrar does not come to its end.

    ``diagnostic`` is the number of ``ms-diagnostics`` ([MS-OCER]), or None where there was none.
    """

    diagnostic: int | None = field(default=None, kw_only=True)


@dataclass(eq=False)
class RegistrarUnreachable(RegistrarError):
    """Raised when no connection to the Registrar can be made, or it breaks."""

    reason: str
    code: ClassVar = "SIP-01"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "the Registrar {server} cannot be reached: {reason}"
    cause: ClassVar = "The Front End service or the network is down, a firewall is in between, or name or port are wrong."
    remedy: ClassVar = "Check the address (SIP over TLS is at port 5061) and that the Front End service runs, then repeat; a certificate that is in the phone stays there."


@dataclass(eq=False)
class RegistrarTimeout(RegistrarError):
    """Raised when the Registrar took a request and did not answer in time."""

    seconds: float
    code: ClassVar = "SIP-02"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "the Registrar {server} did not answer within {seconds:g} s"
    cause: ClassVar = "It is overloaded, or waits for a store that it cannot reach."
    remedy: ClassVar = "Repeat later; a certificate that is in the phone stays there."


@dataclass(eq=False)
class RegistrarFailed(RegistrarError):
    """Raised when the Registrar answers that it, or a server behind it, cannot work now."""

    status: int
    words: str
    code: ClassVar = "SIP-03"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "the Registrar {server} cannot sign anybody in now: {status} {words}"
    cause: ClassVar = (
        "The user's home pool, or a server between, is down or not reached by this Registrar."
    )
    remedy: ClassVar = "Repeat later; if it stays, look at the Front End servers of the home pool."


@dataclass(eq=False)
class SignInRefused(RegistrarError):
    """Raised when the Registrar refuses the sign-in for a reason that has no class of its own."""

    status: int
    words: str
    code: ClassVar = "SIP-04"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "the Registrar {server} refuses the sign-in: {status} {words}"
    cause: ClassVar = "A policy of the Registrar does not allow it."
    remedy: ClassVar = (
        "Read the Registrar's words above; change what they name, then sign in again."
    )


@dataclass(eq=False)
class CertificateNotAccepted(RegistrarError):
    """Raised when the Registrar does not accept the user's certificate."""

    words: str
    code: ClassVar = "SIP-05"
    exit_code: ClassVar = ExitCode.CREDENTIAL
    template: ClassVar = "the Registrar {server} does not accept the certificate: {words}"
    cause: ClassVar = "It is not the one that is published for this user and device in the home pool: it was revoked or replaced, has expired, or the user was moved to another pool."
    remedy: ClassVar = "Provision the phone again (--replace), which publishes a new certificate."


@dataclass(eq=False)
class AccountNotAccepted(RegistrarError):
    """Raised when the Registrar does not accept a Windows account. Never tried again."""

    words: str
    code: ClassVar = "SIP-06"
    exit_code: ClassVar = ExitCode.CREDENTIAL
    template: ClassVar = "the Registrar {server} does not accept the account: {words}"
    cause: ClassVar = (
        "The account or its password is wrong, or the account is locked or not this user's."
    )
    remedy: ClassVar = "Check the account; each further wrong try may lock it."


@dataclass(eq=False)
class UserUnknown(RegistrarError):
    """Raised when the Registrar knows no such user."""

    user: str
    words: str
    code: ClassVar = "SIP-07"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "the Registrar {server} knows no user {user}: {words}"
    cause: ClassVar = "The user is not enabled for SIP, was moved or removed, or this is another site's Registrar."
    remedy: ClassVar = "Check with Get-CsUser that the user is enabled, and in which pool."


@dataclass(eq=False)
class UserNotAllowed(RegistrarError):
    """Raised when the Registrar does not let this user sign in, or not with this credential."""

    user: str
    words: str
    code: ClassVar = "SIP-08"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "the Registrar {server} does not let {user} sign in: {words}"
    cause: ClassVar = "The credential is another user's, or the user may not sign in from here."
    remedy: ClassVar = "Compare the certificate's user with the SIP address; check the user's policies (remote access)."


@dataclass(eq=False)
class SchemeNotOffered(RegistrarError):
    """Raised when the Registrar does not offer the way to sign in that is needed."""

    scheme: str
    offered: str
    code: ClassVar = "SIP-09"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "the Registrar {server} does not offer {scheme}, but {offered}"
    cause: ClassVar = "The way is switched off in its proxy configuration."
    remedy: ClassVar = (
        "Look at Get-CsProxyConfiguration: certificates need UseCertificateForClientToProxyAuth."
    )


@dataclass(eq=False)
class RegistrarUnproved(RegistrarError):
    """Raised when a Registrar that takes the sign-in does not prove that it is the one.

    ``check`` names what failed: ``unsigned``, ``signature``, ``finished``, ``certificate``.
    """

    reason: str
    check: str = field(default="", kw_only=True)
    code: ClassVar = "SIP-10"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = "the Registrar {server} did not prove who it is: {reason}"
    cause: ClassVar = "Something between changes the messages, or this is not the Registrar; servers of one pool that do not share their keys look so, too."
    remedy: ClassVar = (
        "Do not hand the phone out. Find out what answers at that address; compare its certificate."
    )


@dataclass(eq=False)
class RegistrarAnswerInvalid(RegistrarError):
    """Raised when what answers does not speak SIP, or breaks the rules of the sign-in."""

    problem: str
    code: ClassVar = "SIP-11"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = "the answer of the Registrar {server} cannot be used: {problem}"
    cause: ClassVar = "Another service is at this port, or something between changes the messages."
    remedy: ClassVar = "Check host and port of the Registrar."


@dataclass(eq=False)
class RedirectsEndless(RegistrarError):
    """Raised when Registrars send a user from one to the other without end, or nowhere."""

    reason: str
    code: ClassVar = "SIP-12"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "the Registrar {server} sends the user elsewhere in vain: {reason}"
    cause: ClassVar = "The pools do not agree where the user's home is."
    remedy: ClassVar = "Check the user's home pool (Get-CsUser, RegistrarPool) on both pools."


@dataclass(eq=False)
class HandshakeNotAgreed(RegistrarError):
    """Raised when both sides find no version or algorithm for the handshake within the sign-in."""

    reason: str
    code: ClassVar = "SIP-13"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "no handshake with the Registrar {server} can be agreed on: {reason}"
    cause: ClassVar = (
        "An old TLS version or the RSA and AES-CBC cipher suites are switched off on one side."
    )
    remedy: ClassVar = "Compare the TLS versions and cipher suites of the Front End servers (Schannel) with those that TLS-DSK needs."
