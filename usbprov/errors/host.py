"""Errors of the host computer: its rules and checks."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class HostError(UsbprovError):
    """Raised when something about this computer is not as it must be."""


@dataclass(eq=False)
class RulesNotChanged(HostError):
    """Raised when the udev rules cannot be written, removed or loaded."""

    path: str
    reason: str
    code: ClassVar = "HST-01"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "the udev rules {path} were not changed: {reason}"
    cause: ClassVar = "Only root may change them, or this system has no udev."
    remedy: ClassVar = "Repeat as root (sudo), or hand the output of `usbprov udev print` to whoever administers this computer."


@dataclass(eq=False)
class LocksUnusable(HostError):
    """Raised when the folder of the locks, which keep two programs off one phone, is no use."""

    path: str
    reason: str
    code: ClassVar = "HST-02"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "the lock {path} cannot be used: {reason}"
    cause: ClassVar = "The folder belongs to somebody else or the file system is full or read-only."
    remedy: ClassVar = "Correct that, or name another folder with --lock-dir, the same for all who use these phones."


@dataclass(eq=False)
class ChecksFailed(HostError):
    """Raised when checks were made and some of them found something wrong."""

    failed: int
    total: int
    code: ClassVar = "CHK-05"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = "{failed} of {total} checks found something wrong"
    cause: ClassVar = "Each check above says what it saw."
    remedy: ClassVar = "Do what is said there, from the top, and check again."
