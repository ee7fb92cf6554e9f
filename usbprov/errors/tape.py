"""Errors of recorded jobs: the tape, the bundle that carries it, and its replay."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class TapeError(UsbprovError):
    """Raised when a recorded job cannot be kept, read or played."""


@dataclass(eq=False)
class BundleInvalid(TapeError):
    """Raised when a support bundle, or the tape in it, is damaged, too large or made up."""

    path: str
    problem: str
    code: ClassVar = "TAP-01"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{path} is no support bundle that can be used: {problem}"
    cause: ClassVar = (
        "The file is another one, was changed or cut on its way, or is of a newer usbprov."
    )
    remedy: ClassVar = "Have it made again with `usbprov support-bundle`, and sent as it is."


@dataclass(eq=False)
class NothingRecorded(TapeError):
    """Raised when a bundle or a replay is asked for, and nothing was recorded."""

    what: str
    code: ClassVar = "TAP-02"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "there is no tape of {what}"
    cause: ClassVar = "The job ran with --no-tape, with another ledger, or so long ago that its tape was thrown away."
    remedy: ClassVar = "Repeat the job: it is recorded unless --no-tape is given."


@dataclass(eq=False)
class NotOnTape(TapeError):
    """Raised when a replay has the program do what it did not do when the tape was made."""

    port: str
    wanted: str
    found: str
    code: ClassVar = "TAP-03"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = (
        "the replay left the tape: {port} is to have {wanted}, the tape has {found}"
    )
    cause: ClassVar = "This usbprov goes another way than the one that made the tape, or the tape was cut or changed."
    remedy: ClassVar = "Replay it with the version that manifest.json names."


@dataclass(eq=False)
class ReplayDiffers(TapeError):
    """Raised when a replayed job does not end as it did when it was recorded."""

    recorded: str
    replayed: str
    code: ClassVar = "TAP-04"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = "recorded: {recorded}; replayed: {replayed}"
    cause: ClassVar = "This usbprov behaves differently from the one that made the tape, as after a repair, or the tape was changed."
    remedy: ClassVar = "Compare the steps above with `usbprov replay -v`."


@dataclass(eq=False)
class BundleNotWritten(TapeError):
    """Raised when the file of a support bundle cannot be written."""

    path: str
    reason: str
    code: ClassVar = "TAP-05"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the support bundle {path} was not written: {reason}"
    cause: ClassVar = "The folder does not exist, is read-only, or the disk is full."
    remedy: ClassVar = "Name another file."
