"""Errors of recovery, renewal and retirement: what is missing, or was not confirmed."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError
from usbprov.errors.job import SomeFailed


@dataclass(eq=False)
class RecoveryError(UsbprovError):
    """Raised when a phone is not brought to work, or not taken out of service."""

    phone: str


@dataclass(eq=False)
class RecoveryNeedsConsent(RecoveryError):
    """Raised when the only way to a working phone gives up a key or certificate in it."""

    state: str
    code: ClassVar = "RCV-01"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "{phone}: {state}; a new key would replace what it holds"
    cause: ClassVar = "What is in the phone is another user's, or of no use any more."
    remedy: ClassVar = "Repeat with --replace if that may be given up; the old credential stays until the new one is committed."


@dataclass(eq=False)
class RecoveryNeedsServer(RecoveryError):
    """Raised when what is left to be done needs the Web Services, and they cannot be asked."""

    state: str
    reason: str
    code: ClassVar = "RCV-02"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "{phone}: {state}; the Web Services are needed for that: {reason}"
    cause: ClassVar = "This computer has no way to the servers, or they are down."
    remedy: ClassVar = "Repeat where the servers are reached; or have the job prepared there (usbprov prepare) and apply its file here (usbprov apply)."


@dataclass(eq=False)
class RecoveryNeedsAddress(RecoveryError):
    """Raised when neither options, ledger nor phone say where the Web Services are."""

    state: str
    code: ClassVar = "RCV-03"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{phone}: {state}; nobody says where the Web Services are"
    cause: ClassVar = (
        "This computer's ledger does not know the phone, and the phone has no settings."
    )
    remedy: ClassVar = "Give --web-services-url and --registrar, or --discover."


@dataclass(eq=False)
class RecoveryNeedsCredential(RecoveryError):
    """Raised when a certificate must be asked for, and nothing proves the user."""

    state: str
    code: ClassVar = "RCV-04"
    exit_code: ClassVar = ExitCode.CREDENTIAL
    template: ClassVar = "{phone}: {state}; nothing proves the user to the Web Services"
    cause: ClassVar = "The phone has no certificate that the servers accept, and no PIN, password or Kerberos ticket was given."
    remedy: ClassVar = "Repeat with --extension and the user's PIN, or --login and his password."


@dataclass(eq=False)
class RecoveryUnsupported(RecoveryError):
    """Raised when this model cannot do what its recovery needs."""

    state: str
    code: ClassVar = "RCV-05"
    exit_code: ClassVar = ExitCode.PHONE
    template: ClassVar = "{phone}: {state}, and this model cannot be told otherwise over the cable"
    cause: ClassVar = "The model, or its firmware, lacks the capability."
    remedy: ClassVar = (
        "Set it in the phone's own menu; `usbprov info` lists what can be done over the cable."
    )


@dataclass(eq=False)
class NotConfirmed(RecoveryError):
    """Raised when a phone is to be erased and nobody has typed which one."""

    code: ClassVar = "RCV-06"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{phone} was not erased: its serial number or MAC was not typed"
    cause: ClassVar = "What was typed is not this phone's, or there is no terminal to type it at."
    remedy: ClassVar = "Repeat, and type the serial number or MAC that is shown; in scripts name the phone as serial:… or mac:… and add --yes."


@dataclass(eq=False)
class NotErased(RecoveryError):
    """Raised when a phone still holds something after it was erased."""

    holds: str
    code: ClassVar = "RCV-07"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = "{phone} still holds {holds} after it was erased"
    cause: ClassVar = (
        "The phone's firmware is faulty, or another program has written to it meanwhile."
    )
    remedy: ClassVar = "Repeat. If it stays, reset the phone in its own menu, and have the user's certificates revoked."


@dataclass(eq=False)
class SomeNotRenewed(SomeFailed):
    """Raised when some of several phones whose certificate is due were not renewed."""

    code: ClassVar = "RCV-08"
    template: ClassVar = "{failed} of {total} phones were not renewed"
    remedy: ClassVar = (
        "Correct what the errors name and repeat: phones that were renewed are not due any more."
    )
