"""A ledger's backup: one SQLite file, of one moment, that holds all of it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from usbprov.errors import LedgerNotCopied
from usbprov.ledger import copying
from usbprov.ledger.chain import CHAIN
from usbprov.ledger.copying import Told, silent
from usbprov.ledger.database import Database
from usbprov.ledger.rows import copy_rows
from usbprov.ledger.schema import metadata


@dataclass(frozen=True)
class Backup:
    """A ledger in a file.

    Attributes:
        path: The file.
        entries: Number of the chain's last entry.
        head: Hash of that entry: what `verify` shows, and what is to be written down.
        at: UTC time of that entry, ISO 8601; empty where there is none.
        size: Of the file, in bytes.
    """

    path: Path
    entries: int
    head: str
    at: str
    size: int


def back_up(database: Database, path: Path, told: Told = silent) -> Backup:
    """Copy a ledger into a new file, as of one moment, while others go on writing to it.

    Args:
        database: The ledger's, on a server or in a file.
        path: The new file; it is readable for its owner only.
        told: Is told how far it is.

    Raises:
        LedgerNotCopied: It cannot be written, or is there already.
        LedgerDamaged: Not all of the ledger can be read.
        LedgerError: As of ``usbprov/errors/ledger.py``.
    """
    database.open()
    with copying.whole_copy(path) as unfinished:
        _fill(database, unfinished, told)
        copying.check_whole(unfinished, database.backend.name)
        return describe(unfinished, path)


def describe(file: Path, path: Path) -> Backup:
    """Say what a ledger's file holds, which will be called ``path``.

    Raises:
        sqlite3.Error: It cannot be read.
    """
    with closing(copying.open_reader(file, still=True)) as reader:
        query = "SELECT number, hash FROM head WHERE name = ?"
        number, digest = reader.execute(query, [CHAIN]).fetchone()
        last = reader.execute("SELECT at FROM entry WHERE number = ?", [number]).fetchone()
    return Backup(path, number, digest, last[0] if last else "", file.stat().st_size)


def _fill(database: Database, unfinished: Path, told: Told) -> None:
    if isinstance(database.place, Path):
        copying.copy_pages(database.place, unfinished, told)
    else:
        database.snapshot(lambda connection: _fill_from_server(connection, unfinished, told))


def _fill_from_server(source: Connection, unfinished: Path, told: Told) -> None:
    """Fill the file row by row; after a lost connection from the beginning."""
    unfinished.write_bytes(b"")
    engine = create_engine(f"sqlite:///{unfinished}", poolclass=NullPool)
    try:
        with engine.begin() as copy:
            metadata.create_all(copy)
            copy_rows(source, copy, told)
    except SQLAlchemyError as error:
        if isinstance(getattr(error, "orig", None), sqlite3.Error):
            raise LedgerNotCopied(str(unfinished), str(error.orig)) from None  # type: ignore[attr-defined]
        raise
