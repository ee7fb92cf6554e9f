"""Errors of the record of jobs."""

from dataclasses import dataclass
from typing import ClassVar

from usbprov.errors.base import ExitCode, UsbprovError


@dataclass(eq=False)
class LedgerError(UsbprovError):
    """Raised when the record of jobs cannot be read or written."""


@dataclass(eq=False)
class LedgerUnusable(LedgerError):
    """Raised when the ledger cannot be opened, read or written."""

    path: str
    reason: str
    code: ClassVar = "LED-01"
    template: ClassVar = "the ledger {path} cannot be used: {reason}"
    cause: ClassVar = "The disk fails or a quota is used up, the folder is not there, or the database does not work as it should."
    remedy: ClassVar = "Mend what the reason names, or choose another ledger with --ledger. No effect is begun that cannot be recorded."


@dataclass(eq=False)
class LedgerTooNew(LedgerError):
    """Raised when the ledger was written by a newer usbprov; it is not touched."""

    path: str
    found: int
    known: int
    code: ClassVar = "LED-02"
    template: ClassVar = "the ledger {path} has schema {found}, this usbprov knows {known}"
    cause: ClassVar = "A newer usbprov has used this ledger."
    remedy: ClassVar = "Use that version, or another ledger with --ledger."


@dataclass(eq=False)
class NoSuchJob(LedgerError):
    """Raised when the ledger has no job of the number asked for."""

    job: str
    code: ClassVar = "LED-03"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the ledger has no job {job}"
    cause: ClassVar = "The number is mistyped, or the job is in another ledger."
    remedy: ClassVar = "`usbprov ledger list` shows the jobs that there are."


@dataclass(eq=False)
class LedgerAltered(LedgerError):
    """Raised when the ledger is not what was written to it: its chain of hashes does not hold.

    Attributes:
        entry: Number of the first entry that does not hold.
        about: What that entry is about: job, step, claim.
        at: When it was written, or empty where that is not known.
        found: What is wrong.
    """

    path: str
    entry: int
    about: str
    at: str
    found: str
    code: ClassVar = "LED-04"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = "the ledger {path} was altered from entry {entry} on: {about}: {found}"
    cause: ClassVar = "Somebody or something other than usbprov changed, removed or restored it."
    remedy: ClassVar = "Keep the ledger as evidence, compare it with a backup, and go on with another one; docs/ledger.md tells what the check can see."


@dataclass(eq=False)
class LedgerHashUnknown(LedgerError):
    """Raised when the ledger's chain has no entry with the hash that was written down."""

    path: str
    expected: str
    entries: int
    code: ClassVar = "LED-05"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = (
        "none of the {entries} entries of the ledger {path} has the hash {expected}"
    )
    cause: ClassVar = "Entries at the end were removed, the whole chain was written anew, or the hash is another ledger's."
    remedy: ClassVar = "Compare with a backup; docs/ledger.md tells what the check can see."


@dataclass(eq=False)
class LedgerAddressInvalid(LedgerError):
    """Raised when --ledger is no address that can be used; it is not repeated, as it may hold a password."""

    problem: str
    code: ClassVar = "LED-06"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "the address of the ledger cannot be used: {problem}"
    cause: ClassVar = "A URL of PostgreSQL was meant, and is mistyped or holds what it must not."
    remedy: ClassVar = "Write postgresql://USER@HOST/DATABASE; a password goes into ~/.pgpass or a service file, see docs/ledger.md."


@dataclass(eq=False)
class LedgerDependencyMissing(LedgerError):
    """Raised when a library of the `postgres` extra is not installed."""

    library: str
    code: ClassVar = "LED-07"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "a ledger in PostgreSQL needs the Python package {library}"
    cause: ClassVar = "usbprov was installed without its postgres extra."
    remedy: ClassVar = "Install usbprov[postgres]."


@dataclass(eq=False)
class LedgerUnreached(LedgerError):
    """Raised when the ledger's server is not reached, or was lost and did not come back in time."""

    path: str
    reason: str
    code: ClassVar = "LED-08"
    exit_code: ClassVar = ExitCode.UNREACHED
    retryable: ClassVar = True
    template: ClassVar = "the ledger {path} is not reached: {reason}"
    cause: ClassVar = (
        "The database server is down or restarting, the network is, or it cannot prove who it is."
    )
    remedy: ClassVar = "Start the server or mend the network, then repeat; the job goes on."


@dataclass(eq=False)
class LedgerSignInRefused(LedgerError):
    """Raised when the ledger's server does not let the role in."""

    path: str
    reason: str
    code: ClassVar = "LED-09"
    exit_code: ClassVar = ExitCode.CREDENTIAL
    template: ClassVar = "the server of the ledger {path} refuses the sign-in: {reason}"
    cause: ClassVar = "The role, the database or the password is wrong or missing, or pg_hba.conf does not allow it."
    remedy: ClassVar = "Put the password into ~/.pgpass or a service file, or let the server's administrator allow the role; see docs/ledger.md."


@dataclass(eq=False)
class LedgerDenied(LedgerError):
    """Raised when the role may not do in the ledger's database what is needed."""

    path: str
    reason: str
    code: ClassVar = "LED-10"
    template: ClassVar = "the ledger {path} does not allow this role what is needed: {reason}"
    cause: ClassVar = (
        "The role lacks a right, or the tables are not there yet and it may not make them."
    )
    remedy: ClassVar = "Let the database's owner run `usbprov ledger list` on it once, and grant the rights of docs/ledger.md."


@dataclass(eq=False)
class LedgerBusy(LedgerError):
    """Raised when others hold the ledger for so long that a write gives up."""

    path: str
    reason: str
    code: ClassVar = "LED-11"
    retryable: ClassVar = True
    template: ClassVar = "the ledger {path} is busy: {reason}"
    cause: ClassVar = (
        "Another process holds it, or the disk or server is too slow for what is asked of it."
    )
    remedy: ClassVar = (
        "Repeat; the job goes on. If it stays so, see which process has the ledger open."
    )


@dataclass(eq=False)
class LedgerNotDurable(LedgerError):
    """Raised when the ledger's server would lose what it confirmed in a power cut."""

    path: str
    setting: str
    code: ClassVar = "LED-12"
    template: ClassVar = "the server of the ledger {path} does not keep what it confirms: {setting}"
    cause: ClassVar = "The server was set for speed: a power cut could lose a key or certificate that was recorded."
    remedy: ClassVar = (
        "Switch fsync, full_page_writes and synchronous_commit on in postgresql.conf."
    )


@dataclass(eq=False)
class LedgerFull(LedgerError):
    """Raised when there is no room to write down what was done, or what would be done next."""

    path: str
    reason: str
    code: ClassVar = "LED-13"
    template: ClassVar = "there is no room for the ledger {path}: {reason}"
    cause: ClassVar = "The disk is full, or as good as full."
    remedy: ClassVar = "Make room on that disk, then repeat; the job goes on. Nothing was begun that could not be recorded. `usbprov ledger purge` and `vacuum` make the ledger itself smaller."


@dataclass(eq=False)
class LedgerReadOnly(LedgerError):
    """Raised when the ledger's file, folder or disk may not be written to."""

    path: str
    reason: str
    code: ClassVar = "LED-14"
    template: ClassVar = "the ledger {path} cannot be written to: {reason}"
    cause: ClassVar = "The file or its folder is another user's or read-only, or the system has put the disk to read-only after an error."
    remedy: ClassVar = "Let this user write to the file and its folder, or choose another ledger with --ledger. If the disk went read-only by itself, save what is on it first."


@dataclass(eq=False)
class LedgerDamaged(LedgerError):
    """Raised when the ledger's file is a database of which a part is not what it must be."""

    path: str
    reason: str
    code: ClassVar = "LED-15"
    template: ClassVar = "the ledger {path} is damaged: {reason}"
    cause: ClassVar = (
        "The disk is failing, or something other than usbprov wrote to the file or copied it."
    )
    remedy: ClassVar = "Leave the file as it is, look at the disk, and put the last backup in its place: `usbprov ledger restore FILE` keeps the damaged one beside it. docs/ledger.md tells what can still be read of it."


@dataclass(eq=False)
class LedgerForeign(LedgerError):
    """Raised when the file is no ledger: not a database, or one of another program."""

    path: str
    reason: str
    code: ClassVar = "LED-16"
    template: ClassVar = "{path} is no ledger: {reason}"
    cause: ClassVar = "Another file was named, or the beginning of the ledger was overwritten."
    remedy: ClassVar = "Name the right file with --ledger. If this was the ledger, put the last backup in its place: `usbprov ledger restore FILE` keeps this file beside it."


@dataclass(eq=False)
class LedgerMoved(LedgerError):
    """Raised when the ledger's file was moved, removed or replaced while it was in use."""

    path: str
    reason: str
    code: ClassVar = "LED-17"
    template: ClassVar = "the ledger {path} is not where it was: {reason}"
    cause: ClassVar = "Its file or folder was renamed or deleted, or its disk was taken away."
    remedy: ClassVar = "Put it back, or name its new place with --ledger, then repeat; the job goes on. Nothing was begun that could not be recorded."


@dataclass(eq=False)
class LedgerNotCopied(LedgerError):
    """Raised when a copy of the ledger cannot be written; the ledger is as it was."""

    path: str
    reason: str
    code: ClassVar = "LED-18"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = "{path} was not written: {reason}"
    cause: ClassVar = (
        "The folder is not there or not yours, the disk is full, or there is such a file already."
    )
    remedy: ClassVar = (
        "Name another file, or make room. No file is overwritten, and the ledger is as it was."
    )


@dataclass(eq=False)
class LedgerUnconfirmed(LedgerError):
    """Raised when what was asked for takes something away, and nobody said that it may."""

    path: str
    what: str
    code: ClassVar = "LED-19"
    exit_code: ClassVar = ExitCode.USAGE
    template: ClassVar = "nothing was done with the ledger {path}: {what}"
    cause: ClassVar = "It takes something away, so it is asked about first; here nobody could answer, or the answer was no."
    remedy: ClassVar = "Repeat it with --yes if that is what you want."


@dataclass(eq=False)
class LedgerHashPurged(LedgerError):
    """Raised when no entry has the hash that was written down, but it may be one that was purged."""

    path: str
    expected: str
    first: int
    last: int
    at: str
    code: ClassVar = "LED-20"
    exit_code: ClassVar = ExitCode.CHECK
    template: ClassVar = "none of the entries {first} to {last} of the ledger {path} has the hash {expected}, and those before were purged at {at}"
    cause: ClassVar = "The hash is older than what was purged, or the ledger was put back or written anew, or the hash is another ledger's."
    remedy: ClassVar = "Compare with a hash that was written down later, or with a backup from before the purge; docs/ledger.md tells what a purge gives up."


@dataclass(eq=False)
class LedgerNotEmpty(LedgerError):
    """Raised when a backup is to go into a database on a server that has entries already."""

    path: str
    entries: int
    code: ClassVar = "LED-21"
    exit_code: ClassVar = ExitCode.REFUSED
    template: ClassVar = (
        "the ledger {path} has {entries} entries; a backup goes only into a database without any"
    )
    cause: ClassVar = "Benches may be at work on it, and usbprov keeps no second one on a server."
    remedy: ClassVar = "Make a new database and restore into that, or let the server's administrator put it back with its own means (pg_restore)."
