"""Errors of files that carry a job from one computer to another."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError
from usbprov.errors.job import SomeFailed


@dataclass(eq=False)
class OfflineError(UsbprovError):
    """Raised when a file that carries a job cannot be made or used; the file is as it was."""

    file: str
    exit_code: ClassVar[ExitCode] = ExitCode.CHECK


@dataclass(eq=False)
class NotPrepared(OfflineError):
    """Raised when a file is none that `usbprov prepare` or `usbprov request` makes."""

    reason: str
    code: ClassVar = "OFF-01"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{file} cannot be used: {reason}"
    cause: ClassVar = "Another file was named, or it was changed by a program that it went through."
    remedy: ClassVar = "Name the file that `usbprov prepare` wrote; carry it as it is, never through a text editor."


@dataclass(eq=False)
class PreparedTruncated(OfflineError):
    """Raised when the end of a prepared file is missing."""

    there: int
    whole: int
    code: ClassVar = "OFF-02"
    template: ClassVar = "{file} is truncated: {there} of {whole} bytes are there"
    cause: ClassVar = "The copy was cut short: the medium was full, or was pulled too early."
    remedy: ClassVar = "Copy the file again, and eject the medium before it is pulled."


@dataclass(eq=False)
class PreparedAltered(OfflineError):
    """Raised when the bytes of a carried file are not those that were written."""

    reason: str
    code: ClassVar = "OFF-03"
    template: ClassVar = "{file} was altered: {reason}"
    cause: ClassVar = (
        "The medium is failing, the copy went wrong, or somebody has changed the file."
    )
    remedy: ClassVar = "Copy the file again from where it was made. If it fails there too, make it anew, and find out who had the medium."


@dataclass(eq=False)
class PassphraseWrong(OfflineError):
    """Raised when the passphrase is not the one that a prepared file was made with."""

    code: ClassVar = "OFF-04"
    exit_code: ClassVar = ExitCode.CREDENTIAL
    template: ClassVar = "the passphrase does not open {file}"
    cause: ClassVar = "It was mistyped, or belongs to another file."
    remedy: ClassVar = (
        "Try again. Without its passphrase the file is of no use: prepare the phone anew."
    )


@dataclass(eq=False)
class PreparedNewer(OfflineError):
    """Raised when a carried file was written by a version of usbprov that is newer than this."""

    version: int
    code: ClassVar = "OFF-05"
    template: ClassVar = "{file} has format {version}, which this usbprov does not know"
    cause: ClassVar = "The other computer has a newer usbprov."
    remedy: ClassVar = "Install the same version on both computers."


@dataclass(eq=False)
class PreparedUnfinished(OfflineError):
    """Raised when a prepared file has no certificate yet."""

    code: ClassVar = "OFF-06"
    exit_code: ClassVar = ExitCode.INTERRUPTED
    template: ClassVar = "{file} is not finished: there is no certificate in it yet"
    cause: ClassVar = "`usbprov prepare` was interrupted, or an early copy was carried."
    remedy: ClassVar = "Repeat `usbprov prepare` where the servers are: it goes on where it stopped. Then carry the file again."


@dataclass(eq=False)
class PreparedForOther(OfflineError):
    """Raised when a prepared file is for another phone than the one that is attached."""

    phone: str
    expected: str
    found: str
    code: ClassVar = "OFF-07"
    exit_code: ClassVar = ExitCode.PHONE
    template: ClassVar = "{file} is for {expected}, but {phone} has {found}"
    cause: ClassVar = "The wrong phone is attached, or the wrong file was taken."
    remedy: ClassVar = "Nothing was written to this phone. Attach the right one: its MAC address stands on its label."


@dataclass(eq=False)
class PreparedExpired(OfflineError):
    """Raised when the certificate in a prepared file is not good for use any more."""

    reason: str
    code: ClassVar = "OFF-08"
    template: ClassVar = "the certificate in {file} cannot be used: {reason}"
    cause: ClassVar = "The file lay too long, or the clock of this computer is wrong."
    remedy: ClassVar = "Look at this computer's clock; if it is right, prepare the phone anew. Nothing was written to the phone."


@dataclass(eq=False)
class ClockBehindFile(OfflineError):
    """Raised when this computer's clock is behind the moment at which the file was made."""

    clock: str
    made: str
    code: ClassVar = "OFF-09"
    template: ClassVar = "this computer's clock says {clock}, but {file} was made later, {made}"
    cause: ClassVar = "The clock of one of the two computers is wrong; the phone would be given it."
    remedy: ClassVar = (
        "Set this computer's clock, or that of the other and prepare the phone anew there."
    )


@dataclass(eq=False)
class PreparedKeyMissing(OfflineError):
    """Raised when the phone does not have the key any more for which the certificate was made."""

    phone: str
    key: str
    code: ClassVar = "OFF-10"
    exit_code: ClassVar = ExitCode.PHONE
    template: ClassVar = "{phone} does not have the key of {file} (SHA-256 {key}…)"
    cause: ClassVar = (
        "The phone was reset, or provisioned in another way, since its request was written."
    )
    remedy: ClassVar = "Nothing was written to the phone. Write a new request with `usbprov request`, and have it prepared."


@dataclass(eq=False)
class CarriedNotWritten(OfflineError):
    """Raised when a file to be carried cannot be written; an old one is as it was."""

    reason: str
    code: ClassVar = "OFF-11"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "{file} was not written: {reason}"
    cause: ClassVar = "The folder is not there or not yours, or the disk is full."
    remedy: ClassVar = "Make room, or name another file with --out. Repeat the command: it goes on where it stopped."


@dataclass(eq=False)
class CarriedFileTaken(OfflineError):
    """Raised when the file that is to be written is there already, and belongs to another job."""

    holds: str
    code: ClassVar = "OFF-12"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "{file} is there already, {holds}"
    cause: ClassVar = "The same file name was given for two phones."
    remedy: ClassVar = "Name another file with --out, or remove this one if nobody needs it."


@dataclass(eq=False)
class SomeNotPrepared(SomeFailed):
    """Raised when some files of a roster were not prepared."""

    code: ClassVar = "OFF-13"
    template: ClassVar = "{failed} of {total} files were not prepared"
    remedy: ClassVar = (
        "Correct what the errors name and repeat: files that are done are left alone."
    )
