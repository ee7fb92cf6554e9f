"""Errors that a phone answers with, or is found in."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


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


@dataclass(eq=False)
class NoPublicProtocol(PhoneError):
    """Raised when a phone is known, but no public document tells how it takes a key over USB."""

    model: str
    code: ClassVar = "PHN-09"
    template: ClassVar = "{phone} is a {model}: no public document tells how it takes a key over USB, so nothing is sent to it"
    cause: ClassVar = "Lync Phone Edition phones fetch their certificate themselves, over the network; what crosses their USB cable was never published."
    remedy: ClassVar = "Sign the phone in over the network by extension and PIN; `usbprov discover` checks beforehand what it will meet there. `usbprov describe --dump FILE` keeps its descriptors, which would help its driver."


@dataclass(eq=False)
class NothingToProvision(PhoneError):
    """Raised when a device is known, and is a handset of the computer without an account."""

    model: str
    code: ClassVar = "PHN-10"
    template: ClassVar = "{phone} is a {model}, a handset of this computer: it has no account of its own, so there is nothing to provision"
    cause: ClassVar = "Handsets and speakerphones for USB are microphone and keys of the program that calls; user and certificate are the program's."
    remedy: ClassVar = "Sign in with the program on the computer. `usbprov list` shows whether a desk phone is attached as well; name it by its port path."
