"""Errors of the calls to the Web Services."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class ServiceError(UsbprovError):
    """Raised when a call to the Web Services does not end in a usable answer."""

    server: str


@dataclass(eq=False)
class ServerUnreachable(ServiceError):
    """Raised when no connection to the server can be made."""

    reason: str
    code: ClassVar = "WEB-01"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "{server} cannot be reached: {reason}"
    cause: ClassVar = (
        "The server or the network is down, a firewall is in between, or the name or port is wrong."
    )
    remedy: ClassVar = "Check the address and that the Web Services run, then repeat: the job goes on where it stopped."


@dataclass(eq=False)
class ServerTimeout(ServiceError):
    """Raised when the server took the request and did not answer in time."""

    seconds: float
    code: ClassVar = "WEB-02"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "{server} did not answer within {seconds:g} s"
    cause: ClassVar = "The server is overloaded or waits for a store that it cannot reach."
    remedy: ClassVar = "Repeat later: the job goes on where it stopped."


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
    cause: ClassVar = "Wrong extension or PIN, a PIN that was never set, has expired or is locked after too many tries."
    remedy: ClassVar = "Check extension and PIN with the user. It was tried once only: further tries may lock the account."


@dataclass(eq=False)
class WrongUser(ServiceError):
    """Raised when the ticket is for another user than the one asked for."""

    asked: str
    got: str
    code: ClassVar = "WEB-06"
    exit_code: ClassVar = ExitCode.CREDENTIAL
    template: ClassVar = "extension and PIN belong to {got}, not to {asked}"
    cause: ClassVar = "The extension of another user was given, or the wrong --user."
    remedy: ClassVar = "Correct --user or --extension. Nothing was written to the phone."


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
