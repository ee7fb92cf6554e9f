"""Errors of the calls to the Web Services."""

from dataclasses import dataclass, field
from typing import ClassVar

from usbprov.errors.base import CallError, ExitCode


@dataclass(eq=False)
class ServiceError(CallError):
    """Raised when a call to the Web Services does not end in a usable answer."""


@dataclass(eq=False)
class ServerUnreachable(ServiceError):
    """Raised when no connection to the server can be made, or it breaks.

    ``connected`` says whether there was one, so that something may have been sent.
    """

    reason: str
    connected: bool = field(default=False, kw_only=True)
    code: ClassVar = "WEB-01"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "{server} cannot be reached: {reason}"
    cause: ClassVar = (
        "The server or the network is down, a firewall is in between, or the name or port is wrong."
    )
    remedy: ClassVar = "Check the address and that the Web Services run, then repeat; a job goes on where it stopped."


@dataclass(eq=False)
class ServerTimeout(ServiceError):
    """Raised when the server took the request and did not answer in time.

    ``answering`` says whether the answer had begun.
    """

    seconds: float
    answering: bool = field(default=False, kw_only=True)
    code: ClassVar = "WEB-02"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "{server} did not answer within {seconds:g} s"
    cause: ClassVar = "The server is overloaded or waits for a store that it cannot reach."
    remedy: ClassVar = "Repeat later; a job goes on where it stopped."


@dataclass(eq=False)
class ServerFailed(ServiceError):
    """Raised when the server answers with an HTTP error that says nothing about the request."""

    status: int
    words: str = ""
    code: ClassVar = "WEB-03"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "{server} failed with HTTP status {status} {words}"
    cause: ClassVar = "The service or a part behind it (the user store of the home pool) is down."
    remedy: ClassVar = "Repeat later; look at the server's event log if it stays."


@dataclass(eq=False)
class RequestRefused(ServiceError):
    """Raised when the server understood the request and refuses it; repeating cannot help."""

    words: str
    error_id: int | None = None
    code: ClassVar = "WEB-04"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "{server} refused the request: {words}"
    cause: ClassVar = "A server policy (key size, user, method) does not allow it."
    remedy: ClassVar = "Read the server's words above; change what they name, then start again."


@dataclass(eq=False)
class CredentialRefused(ServiceError):
    """Raised when the server does not accept the PIN, password or ticket. Never tried again."""

    words: str
    error_id: int | None = None
    code: ClassVar = "WEB-05"
    exit_code: ClassVar = ExitCode.CREDENTIAL
    template: ClassVar = "{server} did not accept the credentials: {words}"
    cause: ClassVar = "Wrong extension, account, PIN or password; one that was never set, has expired or is locked after too many tries; or a certificate that was replaced or revoked."
    remedy: ClassVar = "Check what was given with the user, or use another --auth. It was tried once only: further tries may lock the account."


@dataclass(eq=False)
class WrongUser(ServiceError):
    """Raised when the ticket is for another user than the one asked for."""

    asked: str
    got: str
    code: ClassVar = "WEB-06"
    exit_code: ClassVar = ExitCode.CREDENTIAL
    template: ClassVar = "the credentials belong to {got}, not to {asked}"
    cause: ClassVar = (
        "The extension, account or certificate of another user was given, or the wrong --user."
    )
    remedy: ClassVar = "Correct --user, --extension or --login. Nothing was written to the phone."


@dataclass(eq=False)
class AnswerInvalid(ServiceError):
    """Raised when the server's answer is too large, no XML, has a DTD, or lacks what it must have."""

    problem: str
    code: ClassVar = "WEB-07"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = "the answer of {server} cannot be used: {problem}"
    cause: ClassVar = "Something else than the Web Services answers at this address (a proxy, a portal), or the server is faulty."
    remedy: ClassVar = "Open the URL in a browser and look at who answers."


@dataclass(eq=False)
class NotOffered(ServiceError):
    """Raised when the server's metadata does not offer the port or method that is needed."""

    what: str
    code: ClassVar = "WEB-08"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "{server} does not offer {what}"
    cause: ClassVar = "The method is switched off on the server (UsePinAuth, UseCertificateAuth), or the URL is that of another service."
    remedy: ClassVar = (
        "Have it switched on with Set-CsWebServiceConfiguration, or use another --auth."
    )


@dataclass(eq=False)
class StoreUnreachable(ServiceError):
    """Raised when the Web Services cannot reach the user store of the user's home pool."""

    words: str
    error_id: int | None = None
    code: ClassVar = "WEB-09"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "{server} cannot publish, the user store does not answer: {words}"
    cause: ClassVar = "The Web Services cannot reach the User Services store of the user's home pool. It may come and go, while a pool fails over, or last."
    remedy: ClassVar = "Repeat; a job goes on with the same key. If it stays: on every front end of the pool look for the event `data store unavailable`, check that the User Services (RTCSRV) and the back-end database run and that the Web Services reach them, then run Test-CsPhoneBootstrap."


@dataclass(eq=False)
class ServerBusy(ServiceError):
    """Raised when the server says that it is too busy now; ``retry_after`` is its wish in seconds."""

    words: str = ""
    retry_after: float | None = None
    code: ClassVar = "WEB-10"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "{server} is too busy: {words}"
    cause: ClassVar = "More requests come than the Web Services or a balancer in front of them take: after an outage, or on a staging bench."
    remedy: ClassVar = (
        "Repeat in a few minutes; a job goes on where it stopped. Work on fewer phones at a time."
    )


@dataclass(eq=False)
class RegistrarUnavailable(ServiceError):
    """Raised when the Web Services say that the Registrar of the user's pool is not available."""

    words: str
    error_id: int | None = None
    code: ClassVar = "WEB-11"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "{server} cannot reach the Registrar: {words}"
    cause: ClassVar = "The Registrar service of the user's pool is stopped, starting, or cannot be reached from the Web Services."
    remedy: ClassVar = "Repeat; a job goes on with the same key. If it stays: read certprov.log on every server of the pool, check that the Registrar runs (Get-CsWindowsService) and that its certificate is valid, then run Test-CsRegistration."


@dataclass(eq=False)
class PinLocked(CredentialRefused):
    """Raised when the server says that the user's PIN is locked."""

    code: ClassVar = "WEB-12"
    template: ClassVar = "{server} did not accept the PIN, it is locked: {words}"
    cause: ClassVar = (
        "A wrong PIN was given too often, at a phone or here, or an administrator locked it."
    )
    remedy: ClassVar = "Have it unlocked with Unlock-CsClientPin, or set anew with Set-CsClientPin, then start again. It was tried once only."


@dataclass(eq=False)
class PinUnset(CredentialRefused):
    """Raised when the server says that the user has no PIN, or that it has expired."""

    code: ClassVar = "WEB-13"
    template: ClassVar = "{server} did not accept the PIN, it is not set or has expired: {words}"
    cause: ClassVar = "A new user has no PIN until one is set; and the PIN policy lets PINs expire."
    remedy: ClassVar = "Have one set with Set-CsClientPin, or let the user set it on the dial-in conferencing page, then start again; Get-CsClientPinInfo shows its state."


@dataclass(eq=False)
class NumberShared(CredentialRefused):
    """Raised when the server says that number and PIN fit more than one user."""

    code: ClassVar = "WEB-14"
    template: ClassVar = "{server} cannot tell whose number it is: {words}"
    cause: ClassVar = (
        "Several users share the number, and their PINs do not tell them apart either."
    )
    remedy: ClassVar = "Give the user's own extension with --extension. If there is none, have the LineURI given one (;ext=…), or one of the PINs changed."


@dataclass(eq=False)
class RedirectRefused(ServiceError):
    """Raised when the server redirects to where nothing of this job may go, or without end."""

    problem: str
    code: ClassVar = "WEB-15"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "the redirect by {server} is not followed: {problem}"
    cause: ClassVar = "A portal or balancer answers in place of the Web Services, the user was moved to another pool, or the URL is an old one."
    remedy: ClassVar = "Give the URL of the user's own pool with --web-services-url. Nothing was sent to where the redirect leads."
