"""Copies of a ledger's file: of one moment while others write, and whole or not at all."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from usbprov.errors import LedgerDamaged, LedgerError, LedgerNotCopied
from usbprov.files import whole_file
from usbprov.ledger.sqlite_errors import meaning

Told = Callable[[int], None]
"""Is told how much of the work is done, in percent."""

OWN = 0o600
"""Who works where is nobody else's business."""

_PAGES = 2048
"""How many are copied before the work is told of: 8 MiB at SQLite's usual size of a page."""

_VERSIONS, _ROLLBACK = 18, b"\x01\x01"
"""Where a file says that it has a write-ahead log, and what it says where it has none
(https://sqlite.org/fileformat.html, 1.3)."""

_OF_COPY = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR_WRITE})


def silent(_percent: int) -> None:
    """Tell nobody."""


def copy_whole(source: Path, copy: Path, *, instead: bool = False, told: Told = silent) -> None:
    """Copy a ledger's file, readable for its owner only; the copy is one file, without a log.

    Others may go on writing to ``source``. A crash leaves the copy whole, or not there.

    Args:
        source: The ledger; it is only read.
        copy: Where the copy goes.
        instead: Whether it takes the place of a file that is there.
        told: Is told how far it is.

    Raises:
        LedgerNotCopied: The copy cannot be written, or is there.
        LedgerError: The ledger cannot be read.
    """
    with whole_copy(copy, instead=instead) as unfinished:
        copy_pages(source, unfinished, told)


@contextmanager
def whole_copy(copy: Path, *, instead: bool = False) -> Iterator[Path]:
    """Give an empty file to be filled with a ledger, which then takes the name ``copy``.

    Raises:
        LedgerNotCopied: It cannot be written, or is there.
    """
    try:
        with whole_file(copy, OWN, instead=instead, anywhere=True) as unfinished:
            yield unfinished
    except FileExistsError:
        raise LedgerNotCopied(str(copy), "there is such a file") from None
    except OSError as error:
        raise LedgerNotCopied(str(copy), error.strerror or str(error)) from None


def copy_pages(source: Path, copy: Path, told: Told = silent, *, still: bool = False) -> None:
    """Fill an empty file with a ledger as of one moment; it is not yet on the disk.

    Args:
        source: The ledger; it is only read.
        copy: The empty file.
        told: Is told how far it is.
        still: Whether it is certain that nobody writes to ``source``.

    Raises:
        LedgerError: As ``copy_whole``.
        OSError: The copy cannot be written.
    """
    try:
        _copy(source, copy, told, still=still)
    except sqlite3.Error as error:
        raise _blamed(source, copy, error) from None
    with copy.open("r+b") as file:
        file.seek(_VERSIONS)
        file.write(_ROLLBACK)


def _copy(source: Path, copy: Path, told: Told, *, still: bool) -> None:
    reading, writing = open_reader(source, still=still), sqlite3.connect(copy)
    with closing(reading) as reader, closing(writing) as writer:
        for pragma in ("journal_mode=OFF", "synchronous=OFF"):  # it is thrown away if it fails
            writer.execute(f"PRAGMA {pragma}").close()
        # What is read is of one moment from here on; otherwise others that write would have it
        # begin again and again.
        reader.execute("BEGIN").close()
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()

        def tell(_status: int, remaining: int, total: int) -> None:
            told(100 * (total - remaining) // max(total, 1))

        reader.backup(writer, pages=_PAGES, progress=tell)


def open_reader(path: Path, *, still: bool = False) -> sqlite3.Connection:
    """Open a file that must be there, to read it; its log, if it has one, counts.

    Of one that is ``still``, which nobody writes to and which has no log, nothing is locked and
    nothing is made beside it: it may be on a medium that cannot be written to.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if still else ''}"
    return sqlite3.connect(uri, uri=True, isolation_level=None)


def check_whole(path: Path, name: str) -> None:
    """Check every page of a file that nobody uses, and that has no log.

    Args:
        path: The file.
        name: How it is called in the error.

    Raises:
        LedgerDamaged: Some part is not what it must be.
        LedgerError: It cannot be read.
    """
    try:
        with closing(open_reader(path, still=True)) as reader:
            found = damage(reader)
    except sqlite3.Error as error:
        raise type(meaning(path, error))(name, str(error)) from None
    if found:
        raise LedgerDamaged(name, found)


def damage(connection: sqlite3.Connection) -> str:
    """Return the first thing that is wrong with a file, its indexes too; "" where nothing is."""
    (first,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    return "" if first == "ok" else " ".join(first.replace("*** in database main ***", "").split())


def _blamed(source: Path, copy: Path, error: sqlite3.Error) -> LedgerError:
    """Tell what is wrong with the copy from what is wrong with the ledger."""
    code = getattr(error, "sqlite_errorcode", 0)
    if code in _OF_COPY or code & 0xFF in _OF_COPY:
        return LedgerNotCopied(str(copy), str(error))
    return meaning(source, error)
