"""Errors of the roster of a bench, and of the secrets that go with it."""

from dataclasses import dataclass, field
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class RosterError(UsbprovError):
    """Raised when a roster, or the PINs that go with it, cannot be used."""


@dataclass(eq=False)
class RosterUnreadable(RosterError):
    """Raised when a roster or secrets file cannot be read as a table at all."""

    path: str
    reason: str
    code: ClassVar = "ROS-01"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{path} cannot be read: {reason}"
    cause: ClassVar = "The name is wrong, or the file is neither CSV nor an XLSX workbook, is damaged, or is too big for a roster."
    remedy: ClassVar = "Save it from the spreadsheet as CSV or XLSX, with the names of the columns in the first line; docs/roster.md lists them."


@dataclass(eq=False)
class RosterInvalid(RosterError):
    """Raised when lines of a roster are wrong; nothing is begun with it.

    ``problems`` has all of them, each with its line and column; never a PIN.
    """

    path: str
    count: int
    first: str
    problems: tuple[str, ...] = field(default=())
    code: ClassVar = "ROS-02"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{path} has {count} error(s); the first: {first}"
    cause: ClassVar = (
        "The file was written or edited by hand, or a spreadsheet changed its numbers."
    )
    remedy: ClassVar = (
        "Correct every line that `usbprov bench check` names. Nothing starts while an error stands."
    )


@dataclass(eq=False)
class SecretsUnsafe(RosterError):
    """Raised when a file of PINs could be read or changed by others; it is not read."""

    path: str
    reason: str
    code: ClassVar = "ROS-03"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the secrets file {path} is not read: {reason}"
    cause: ClassVar = "It was copied or made with the usual rights, or by somebody else."
    remedy: ClassVar = "Make it yours alone (chown to yourself, chmod 600). If others may have read it, have the PINs changed."


@dataclass(eq=False)
class SecretsInvalid(RosterError):
    """Raised when lines of a secrets file are wrong; ``problems`` has all of them, never a PIN."""

    path: str
    count: int
    first: str
    problems: tuple[str, ...] = field(default=())
    code: ClassVar = "ROS-04"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{path} has {count} error(s); the first: {first}"
    cause: ClassVar = (
        "It is not a table of extension and PIN, or a PIN has other characters than digits."
    )
    remedy: ClassVar = (
        'Write `1001 = "PIN"` below `[pins]` (TOML), or the columns extension and pin (CSV).'
    )


@dataclass(eq=False)
class SecretMissing(RosterError):
    """Raised when a job needs a PIN that nobody has given."""

    user: str
    code: ClassVar = "ROS-05"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "there is no PIN for {user}"
    cause: ClassVar = "Neither the roster nor the secrets file has it, and it was not keyed in."
    remedy: ClassVar = "Add it to the secrets file (--secrets), or key it in when the bench asks."


@dataclass(eq=False)
class WorkbookSupportMissing(RosterError):
    """Raised when a workbook is given and the library that reads them is not installed."""

    path: str
    code: ClassVar = "ROS-06"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{path} is a workbook; reading one needs the Python package openpyxl"
    cause: ClassVar = "usbprov was installed without its xlsx extra."
    remedy: ClassVar = "Install usbprov[xlsx], or save the table as CSV."
