"""Being alone with a ledger's file: nobody else has it open, and nobody can begin to use it.

Every process that uses an SQLite file in the mode of a write-ahead log holds a shared lock on it
for as long as it has it open, so a file that can be locked for one process alone is used by no
other (https://sqlite.org/wal.html, section 8).
"""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from usbprov.errors import LedgerBusy, LedgerDamaged, LedgerForeign
from usbprov.ledger.sqlite_errors import meaning

PATIENCE = 2.0
"""Seconds to wait for a process that is about to end: a choice."""

_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
"""The bytes that SQLite's processes lock (https://sqlite.org/src/file/src/os.h, ``SHARED_FIRST``);
they lie far behind the end of the file, or are never written to."""

_MAGIC = b"SQLite format 3\0"

_ALONE = (
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=DELETE",  # whatever is in the log comes into the file
    "BEGIN EXCLUSIVE",
    "COMMIT",
)


@contextmanager
def alone_with(path: Path) -> Iterator[sqlite3.Connection | None]:
    """Be alone with a file; gives a connection to it, or None where it cannot be read.

    Raises:
        LedgerBusy: Another process has it open.
        LedgerError: It cannot be locked.
    """
    if not _may_be_database(path):  # SQLite would bring the log into it all the same
        with _locked(path):
            yield None
        return
    with closing(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)) as connection:
        try:
            for statement in _ALONE:
                connection.execute(statement).fetchall()
        except sqlite3.Error as error:
            told = meaning(path, error)
        else:
            yield connection
            return
    if isinstance(told, LedgerBusy):
        raise LedgerBusy(str(path), "another process has it open")
    if not isinstance(told, LedgerDamaged | LedgerForeign):
        raise told
    with _locked(path):
        yield None


def _may_be_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) in (_MAGIC, b"")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lock, where the system has such locks, what SQLite locks in a file that it can read."""
    with path.open("r+b") as file:
        if not _lock(file.fileno()):
            raise LedgerBusy(str(path), "another process has it open")
        if sys.platform == "win32":
            file.close()  # there a file that is open can be neither renamed nor replaced
        yield


def _lock(handle: int) -> bool:
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 - POSIX

        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except OSError:
            return False
    return True
