"""One tree of errors.

Every class says in its docstring when it is raised, carries the facts as typed fields, and has
a stable code, an exit code, a likely cause and a remedy. ``docs/errors.md`` has one section a
code and is generated from this module.

::

    UsbprovError
    ├── UsageError ─ ConfigInvalid
    ├── UsbError ─ NoPhone, NoSuchPhone, AmbiguousPhone, BusUnavailable, PhoneBusy, AccessDenied,
    │              PhoneGone, LinkTimeout, LinkBroken, NoDriver
    ├── PhoneError ─ ProtocolViolation, PhoneRefused, SlotOccupied, KeyGenerationFailed,
    │                Unsupported, TransferCorrupt, CredentialMismatch, PhoneChanged
    ├── ServiceError ─ ServerUnreachable, ServerTimeout, ServerFailed, RequestRefused,
    │                  CredentialRefused, WrongUser, AnswerInvalid, NotOffered
    ├── TrustError ─ ChainUntrusted, NameMismatch, ServerCertificateExpired, HandshakeFailed,
    │                PhoneDistrusts
    ├── CheckFailed ─ CertificateUnfit, ReadBackDiffers, PossessionUnproved, ObjectUnreadable
    ├── LedgerError ─ LedgerUnusable, LedgerTooNew, NoSuchJob
    ├── JobError ─ Interrupted, JobBusy, SomeFailed
    └── LabError ─ LabUnusable, LabDependencyMissing
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process says to its caller; stable, documented in ``docs/errors.md``."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    PHONE = 3
    REFUSED = 4
    UNREACHED = 5
    TRUST = 6
    CREDENTIAL = 7
    CHECK = 8
    INTERRUPTED = 9
    SOME_FAILED = 10


@dataclass(eq=False)
class UsbprovError(Exception):
    """Raised when usbprov cannot do what was asked; the root of the tree, never raised itself.

    ``template`` is formatted with the fields to say what happened. ``retryable`` says whether
    the same request may succeed later without anybody changing anything.
    """

    code: ClassVar[str] = "GEN-00"
    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL
    retryable: ClassVar[bool] = False
    template: ClassVar[str] = ""
    cause: ClassVar[str] = ""
    remedy: ClassVar[str] = ""

    def __str__(self) -> str:
        return self.template.format(**vars(self))

    def facts(self) -> Mapping[str, object]:
        """Return the typed fields by name, for ``--json`` and the ledger; never a secret."""
        return dict(vars(self))


# --- usage -------------------------------------------------------------------------------------


@dataclass(eq=False)
class UsageError(UsbprovError):
    """Raised when the command line contradicts itself or lacks something."""

    problem: str
    code: ClassVar = "CLI-01"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{problem}"
    cause: ClassVar = "An option is missing, or two options do not go together."
    remedy: ClassVar = "See the command's --help, which ends with examples."


@dataclass(eq=False)
class ConfigInvalid(UsageError):
    """Raised when a settings file, users file or environment variable cannot be used."""

    source: str = ""
    code: ClassVar = "CLI-02"
    template: ClassVar = "{source}: {problem}"
    cause: ClassVar = "The file is not TOML, or has a key or value that is not known."
    remedy: ClassVar = "Correct the named line; docs/configuration.md lists every key."


# --- the cable ---------------------------------------------------------------------------------


@dataclass(eq=False)
class UsbError(UsbprovError):
    """Raised when a phone cannot be found or talked to over USB."""

    exit_code: ClassVar = ExitCode.PHONE


@dataclass(eq=False)
class NoPhone(UsbError):
    """Raised when no phone is attached to any of the buses searched."""

    buses: str
    code: ClassVar = "USB-01"
    template: ClassVar = "no phone is attached (searched: {buses})"
    cause: ClassVar = "The cable is not in, the phone is off or still booting, or it is on a bus that was not searched."
    remedy: ClassVar = "Plug the phone in and wait for it to boot; name another bus with --bus; `usbprov list` shows what is seen."


@dataclass(eq=False)
class NoSuchPhone(UsbError):
    """Raised when the selector names none of the attached phones."""

    selector: str
    attached: tuple[str, ...]
    code: ClassVar = "USB-02"
    template: ClassVar = "no attached phone matches {selector!r}"
    cause: ClassVar = (
        "The phone is at another port, or its serial number or MAC is written differently."
    )
    remedy: ClassVar = "Choose one of the attached phones: a port path (1-1.4.2), serial:… or mac:…"


@dataclass(eq=False)
class AmbiguousPhone(UsbError):
    """Raised when more than one attached phone fits, and the job must be for exactly one."""

    selector: str
    attached: tuple[str, ...]
    code: ClassVar = "USB-03"
    template: ClassVar = "{selector} fits more than one attached phone"
    cause: ClassVar = "Several phones are attached and none, or not exactly one, was named."
    remedy: ClassVar = "Name one by its port path (1-1.4.2), serial:… or mac:…"


@dataclass(eq=False)
class BusUnavailable(UsbError):
    """Raised when a bus cannot be searched at all: no libusb, or a USB/IP exporter not reached."""

    bus: str
    reason: str
    code: ClassVar = "USB-04"
    retryable: ClassVar = True
    template: ClassVar = "bus {bus} cannot be searched: {reason}"
    cause: ClassVar = (
        "The exporter is not running or listens elsewhere, or this host has no usable libusb."
    )
    remedy: ClassVar = "Check the --bus address and that the exporter runs; `usbprov lab up` prints the right address."


@dataclass(eq=False)
class PhoneBusy(UsbError):
    """Raised when another program, or another usbprov, holds the phone."""

    phone: str
    holder: str = "another program"
    code: ClassVar = "USB-05"
    retryable: ClassVar = True
    template: ClassVar = "{phone} is in use by {holder}"
    cause: ClassVar = "Another program has the phone open; only one at a time may."
    remedy: ClassVar = "Let it finish, or stop it, then repeat."


@dataclass(eq=False)
class AccessDenied(UsbError):
    """Raised when the operating system refuses to open the phone's device node."""

    phone: str
    code: ClassVar = "USB-06"
    template: ClassVar = "no permission to open {phone}"
    cause: ClassVar = (
        "The udev rule is not installed, or this session (SSH, container, service) has no seat."
    )
    remedy: ClassVar = (
        "Install udev/70-usbprov.rules, join the group that it names, and replug the phone."
    )


@dataclass(eq=False)
class PhoneGone(UsbError):
    """Raised when the phone vanishes from the bus while it is in use."""

    phone: str
    code: ClassVar = "USB-07"
    retryable: ClassVar = True
    template: ClassVar = "{phone} was unplugged or lost power"
    cause: ClassVar = "The cable was pulled, the hub lost power, or the phone restarted."
    remedy: ClassVar = (
        "Plug the phone in again and repeat the command: the job goes on where it stopped."
    )


@dataclass(eq=False)
class LinkTimeout(UsbError):
    """Raised when the phone does not answer a command within the command's time limit."""

    phone: str
    command: str
    seconds: float
    code: ClassVar = "USB-08"
    retryable: ClassVar = True
    template: ClassVar = "{phone} did not answer {command} within {seconds:g} s"
    cause: ClassVar = "The phone is busy, hung, or its firmware does not know the command."
    remedy: ClassVar = "Repeat; if it happens again, restart the phone and look at its firmware version with `usbprov info`."


@dataclass(eq=False)
class LinkBroken(UsbError):
    """Raised when a transfer fails on the wire: a stall that stays, a babble, an I/O error."""

    phone: str
    reason: str
    code: ClassVar = "USB-09"
    retryable: ClassVar = True
    template: ClassVar = "the USB transfer with {phone} failed: {reason}"
    cause: ClassVar = "A bad cable or hub, or firmware that stalls its endpoints."
    remedy: ClassVar = "Try another cable and a port directly on the computer."


@dataclass(eq=False)
class NoDriver(UsbError):
    """Raised when the device that was named is attached, but no driver speaks its protocol."""

    phone: str
    code: ClassVar = "USB-10"
    template: ClassVar = "no driver knows the device at {phone}"
    cause: ClassVar = "The device is not a phone of a family that usbprov can provision."
    remedy: ClassVar = "`usbprov drivers` lists the families that are known."


# --- the phone ---------------------------------------------------------------------------------


@dataclass(eq=False)
class PhoneError(UsbprovError):
    """Raised when the phone answers, and the answer is no, or is wrong."""

    phone: str
    exit_code: ClassVar = ExitCode.PHONE


@dataclass(eq=False)
class ProtocolViolation(PhoneError):
    """Raised when a phone's bytes break its protocol; they are not used for anything."""

    problem: str
    code: ClassVar = "PHN-01"
    template: ClassVar = "{phone} broke the protocol: {problem}"
    cause: ClassVar = (
        "The firmware is faulty or speaks another revision, or the device is not what it says."
    )
    remedy: ClassVar = (
        "Update the phone's firmware; do not provision a device that you do not trust."
    )


@dataclass(eq=False)
class PhoneRefused(PhoneError):
    """Raised when the phone refuses a command with an error code of its own."""

    command: str
    reason: str
    code: ClassVar = "PHN-02"
    template: ClassVar = "{phone} refused {command}: {reason}"
    cause: ClassVar = "The phone's state does not allow the command."
    remedy: ClassVar = "Look at the phone's state with `usbprov info`, then repeat the job: it goes on where it stopped."


@dataclass(eq=False)
class SlotOccupied(PhoneError):
    """Raised when the slot holds a key or certificate that nobody said may be replaced."""

    slot: int
    holds: str
    code: ClassVar = "PHN-03"
    template: ClassVar = "slot {slot} of {phone} already holds {holds}"
    cause: ClassVar = "The phone was provisioned before, or by another tool."
    remedy: ClassVar = "Add --replace to make a new credential (the old one works until the new one is committed), with --key existing to keep the key."


@dataclass(eq=False)
class KeyGenerationFailed(PhoneError):
    """Raised when the phone reports that it could not make its key, or does not end in time."""

    reason: str
    code: ClassVar = "PHN-04"
    retryable: ClassVar = True
    template: ClassVar = "{phone} could not make its key: {reason}"
    cause: ClassVar = "The phone lacks randomness or memory, or is too slow for this key size."
    remedy: ClassVar = "Repeat; if it happens again, restart the phone, or use --key host."


@dataclass(eq=False)
class Unsupported(PhoneError):
    """Raised when the job needs something that this model cannot do."""

    feature: str
    code: ClassVar = "PHN-05"
    template: ClassVar = "{phone} cannot do this: {feature}"
    cause: ClassVar = "The model, or its firmware, lacks the capability."
    remedy: ClassVar = (
        "`usbprov info` lists what the phone can do; --key host makes the key on this computer."
    )


@dataclass(eq=False)
class TransferCorrupt(PhoneError):
    """Raised when an object's SHA-256 differs between the two ends of the cable."""

    what: str
    code: ClassVar = "PHN-06"
    retryable: ClassVar = True
    template: ClassVar = "{what} arrived damaged at or from {phone}: the SHA-256 differs"
    cause: ClassVar = "Bytes were changed or lost on the cable or in the phone."
    remedy: ClassVar = "Repeat; if it happens again, use another cable."


@dataclass(eq=False)
class CredentialMismatch(PhoneError):
    """Raised when the phone finds at COMMIT that certificate and key do not belong together."""

    slot: int
    reason: str
    code: ClassVar = "PHN-07"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = "{phone} did not accept the credential for slot {slot}: {reason}"
    cause: ClassVar = "The certificate is for another key, or not valid by the phone's clock."
    remedy: ClassVar = (
        "The old credential still works. Repeat with --replace for a new key and certificate."
    )


@dataclass(eq=False)
class PhoneChanged(PhoneError):
    """Raised when the phone at the port is not the one the job began with."""

    expected: str
    found: str
    code: ClassVar = "PHN-08"
    template: ClassVar = "the phone at {phone} is {found}, but the job is for {expected}"
    cause: ClassVar = "Phones were swapped between ports while the job ran."
    remedy: ClassVar = (
        "Nothing was written to this phone. Repeat the job with the right phone attached."
    )


# --- the Web Services --------------------------------------------------------------------------


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


# --- trust -------------------------------------------------------------------------------------


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


# --- checks of the result ----------------------------------------------------------------------


@dataclass(eq=False)
class CheckFailed(UsbprovError):
    """Raised when what came back is not what was asked for."""

    exit_code: ClassVar = ExitCode.CHECK


@dataclass(eq=False)
class CertificateUnfit(CheckFailed):
    """Raised when the issued certificate is for another key or user, or not valid."""

    problem: str
    code: ClassVar = "CHK-01"
    template: ClassVar = "the issued certificate cannot be used: {problem}"
    cause: ClassVar = "The server answered another request, or its clock or policy is wrong."
    remedy: ClassVar = "Nothing was installed. Show this to the administrator of the Web Services."


@dataclass(eq=False)
class ReadBackDiffers(CheckFailed):
    """Raised when the certificate read back from the phone is not the one installed."""

    phone: str
    code: ClassVar = "CHK-02"
    template: ClassVar = "{phone} gives back another certificate than was installed"
    cause: ClassVar = "The phone's storage is faulty, or another program wrote to it."
    remedy: ClassVar = "Repeat the job with --replace; do not hand the phone out before it passes."


@dataclass(eq=False)
class PossessionUnproved(CheckFailed):
    """Raised when the phone's signature over a fresh nonce does not verify."""

    phone: str
    code: ClassVar = "CHK-03"
    template: ClassVar = "{phone} does not prove that it holds the key of its certificate"
    cause: ClassVar = (
        "Key and certificate in the phone do not belong together, or the phone is not genuine."
    )
    remedy: ClassVar = "Repeat the job with --replace; do not hand the phone out before it passes."


@dataclass(eq=False)
class ObjectUnreadable(CheckFailed):
    """Raised when bytes that should be a key, request or certificate cannot be parsed as one."""

    what: str
    problem: str
    code: ClassVar = "CHK-04"
    template: ClassVar = "{what} cannot be read: {problem}"
    cause: ClassVar = (
        "The file or answer is damaged, or in another encoding (DER and PEM are known)."
    )
    remedy: ClassVar = "Look at it with `openssl x509` or `openssl req`, and get it anew."


# --- the ledger --------------------------------------------------------------------------------


@dataclass(eq=False)
class LedgerError(UsbprovError):
    """Raised when the record of jobs cannot be read or written."""


@dataclass(eq=False)
class LedgerUnusable(LedgerError):
    """Raised when the ledger's file cannot be opened, read or written."""

    path: str
    reason: str
    code: ClassVar = "LED-01"
    template: ClassVar = "the ledger {path} cannot be used: {reason}"
    cause: ClassVar = (
        "The disk is full or read-only, another process holds the file, or it is damaged."
    )
    remedy: ClassVar = "Make room or choose another file with --ledger. No effect is begun that cannot be recorded."


@dataclass(eq=False)
class LedgerTooNew(LedgerError):
    """Raised when the ledger was written by a newer usbprov; it is not touched."""

    path: str
    found: int
    known: int
    code: ClassVar = "LED-02"
    template: ClassVar = "the ledger {path} has schema {found}, this usbprov knows {known}"
    cause: ClassVar = "A newer usbprov has used this ledger."
    remedy: ClassVar = "Use that version, or another file with --ledger."


@dataclass(eq=False)
class NoSuchJob(LedgerError):
    """Raised when the ledger has no job of the number asked for."""

    job: str
    code: ClassVar = "LED-03"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the ledger has no job {job}"
    cause: ClassVar = "The number is mistyped, or the job is in another ledger."
    remedy: ClassVar = "`usbprov ledger list` shows the jobs that there are."


# --- the job -----------------------------------------------------------------------------------


@dataclass(eq=False)
class JobError(UsbprovError):
    """Raised when a job as a whole does not come to its end."""


@dataclass(eq=False)
class Interrupted(JobError):
    """Raised when a begun job stops before its end and a repeat will go on with it."""

    job: str
    step: str
    reason: str
    code: ClassVar = "JOB-01"
    exit_code: ClassVar = ExitCode.INTERRUPTED
    retryable: ClassVar = True
    template: ClassVar = "job {job} was interrupted in step {step}: {reason}"
    cause: ClassVar = "The cable was pulled, the phone lost power, or the program was told to stop."
    remedy: ClassVar = "Attach the phone and repeat the command: the job goes on where it stopped, nothing is lost."


@dataclass(eq=False)
class JobBusy(JobError):
    """Raised when another running usbprov works on the same phone."""

    phone: str
    holder: str
    code: ClassVar = "JOB-02"
    exit_code: ClassVar = ExitCode.PHONE
    retryable: ClassVar = True
    template: ClassVar = "{phone} is being provisioned by {holder}"
    cause: ClassVar = "Two jobs for one phone were started."
    remedy: ClassVar = "Wait for the other to end."


@dataclass(eq=False)
class SomeFailed(JobError):
    """Raised when some of many phones were not provisioned."""

    failed: int
    total: int
    code: ClassVar = "JOB-03"
    exit_code: ClassVar = ExitCode.SOME_FAILED
    template: ClassVar = "{failed} of {total} phones were not provisioned"
    cause: ClassVar = "Each failed phone's own error is shown above."
    remedy: ClassVar = (
        "Correct what the errors name and repeat: phones that are done are left alone."
    )


# --- the lab -----------------------------------------------------------------------------------


@dataclass(eq=False)
class LabError(UsbprovError):
    """Raised when the lab server or its emulated phones cannot run."""


@dataclass(eq=False)
class LabUnusable(LabError):
    """Raised when the lab's folder, ports or users file cannot be used."""

    problem: str
    code: ClassVar = "LAB-01"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the lab cannot be used: {problem}"
    cause: ClassVar = "The folder holds no lab, a port is taken, or the users file is wrong."
    remedy: ClassVar = "Start one with `usbprov lab up --dir DIR`, and give the same --dir to the other lab commands."


@dataclass(eq=False)
class LabDependencyMissing(LabError):
    """Raised when a library of the `lab` extra is not installed."""

    library: str
    code: ClassVar = "LAB-02"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the lab needs the Python package {library}"
    cause: ClassVar = "usbprov was installed without its lab extra."
    remedy: ClassVar = "Install usbprov[lab]."
