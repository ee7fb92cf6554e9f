"""Errors of reports and labels."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class ReportError(UsbprovError):
    """Raised when a report or labels cannot be made."""


@dataclass(eq=False)
class ReportSupportMissing(ReportError):
    """Raised when a form of report is asked for whose library is not installed."""

    form: str
    library: str
    extra: str
    code: ClassVar = "REP-01"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{form} needs the Python package {library}: install usbprov[{extra}]"
    cause: ClassVar = "usbprov was installed without the extra that has this package."
    remedy: ClassVar = "Install the extra that is named, or ask for another --format."


@dataclass(eq=False)
class ReportNotWritten(ReportError):
    """Raised when the file of a report or of labels cannot be written; an old one is as it was."""

    path: str
    reason: str
    code: ClassVar = "REP-02"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "{path} was not written: {reason}"
    cause: ClassVar = (
        "The folder is not there or not yours, the disk is full, or the file is open elsewhere."
    )
    remedy: ClassVar = "Name another file with -o, or make room."


@dataclass(eq=False)
class NothingToReport(ReportError):
    """Raised when the ledger has no job of the time or the bench that was asked for."""

    about: str
    code: ClassVar = "REP-03"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the ledger has no job: {about}"
    cause: ClassVar = (
        "Another ledger was used (--ledger), the bench has another name, or the time is too short."
    )
    remedy: ClassVar = (
        "`usbprov ledger list` shows what there is; leave --since or --bench out, or widen them."
    )
