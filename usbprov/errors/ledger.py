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
    cause: ClassVar = "The disk is full or read-only, or the file or database is damaged."
    remedy: ClassVar = "Make room or choose another ledger with --ledger. No effect is begun that cannot be recorded."


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
