"""Errors of the record of jobs."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


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
