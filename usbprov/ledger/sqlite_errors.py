"""What SQLite and the file system say, as errors of the tree.

The codes are those of https://sqlite.org/rescode.html; an extended one says more than its last
byte does, which is the primary one.
"""

import errno
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from usbprov.errors import (
    LedgerBusy,
    LedgerDamaged,
    LedgerError,
    LedgerForeign,
    LedgerFull,
    LedgerReadOnly,
    LedgerUnusable,
)

_PRIMARY = 0xFF

_CODES: Mapping[int, type[LedgerError]] = MappingProxyType(
    {
        sqlite3.SQLITE_BUSY: LedgerBusy,
        sqlite3.SQLITE_LOCKED: LedgerBusy,
        sqlite3.SQLITE_FULL: LedgerFull,
        sqlite3.SQLITE_IOERR_SHMSIZE: LedgerFull,  # its index of the log could not be made longer
        sqlite3.SQLITE_READONLY: LedgerReadOnly,
        sqlite3.SQLITE_PERM: LedgerReadOnly,
        sqlite3.SQLITE_CORRUPT: LedgerDamaged,
        sqlite3.SQLITE_IOERR_SHORT_READ: LedgerDamaged,  # the file ends too early
        sqlite3.SQLITE_NOTADB: LedgerForeign,
    }
)

_ERRNOS: Mapping[int | None, type[LedgerError]] = MappingProxyType(
    {
        errno.ENOSPC: LedgerFull,
        getattr(errno, "EDQUOT", errno.ENOSPC): LedgerFull,
        errno.EROFS: LedgerReadOnly,
        errno.EACCES: LedgerReadOnly,
        errno.EPERM: LedgerReadOnly,
    }
)


def meaning(path: Path, error: BaseException) -> LedgerError:
    """Return the error of the tree for one of SQLAlchemy, of the driver or of the system."""
    original = getattr(error, "orig", None) or error
    kind = _of_system(original) if isinstance(original, OSError) else _of_sqlite(path, original)
    return kind(str(path), str(original))


def _of_system(error: OSError) -> type[LedgerError]:
    return _ERRNOS.get(error.errno, LedgerUnusable)


def _of_sqlite(path: Path, error: BaseException) -> type[LedgerError]:
    code = getattr(error, "sqlite_errorcode", 0)
    if code & _PRIMARY == sqlite3.SQLITE_CANTOPEN and _is_closed(path.parent):
        return LedgerReadOnly  # the log beside the file cannot be made
    return _CODES.get(code) or _CODES.get(code & _PRIMARY, LedgerUnusable)


def _is_closed(folder: Path) -> bool:
    return folder.is_dir() and not os.access(folder, os.W_OK)
