"""Errors of scans on a bench: what was scanned is not what is waited for.

What was scanned is never repeated as it is, unless it is known: somebody may have keyed in a PIN.
"""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class ScanError(UsbprovError):
    """Raised when a scan does not lead to anything; nothing has changed but what the text says."""

    reason: str


@dataclass(eq=False)
class ScanUnknown(ScanError):
    """Raised when what was scanned is neither a phone that is known here nor a user's badge."""

    code: ClassVar = "SCN-01"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{reason}"
    cause: ClassVar = "Another bar code of the label was scanned, or the user is not on the roster."
    remedy: ClassVar = "Scan the phone's serial number or MAC address, then the badge (extension or SIP address). Plug in a phone that is not on the roster before it is scanned."


@dataclass(eq=False)
class ScanOutOfTurn(ScanError):
    """Raised when a badge is scanned and no phone was, or too long ago."""

    code: ClassVar = "SCN-02"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{reason}"
    cause: ClassVar = "The phone comes first, the badge second."
    remedy: ClassVar = "Scan the phone, then the badge of its user."


@dataclass(eq=False)
class ScanRefused(ScanError):
    """Raised when phone and user are known and must not be brought together."""

    code: ClassVar = "SCN-03"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "{reason}"
    cause: ClassVar = "The user has a phone, or the roster keeps user or phone for another, or the phone's job has begun."
    remedy: ClassVar = "Scan another badge for this phone, or correct the roster."
