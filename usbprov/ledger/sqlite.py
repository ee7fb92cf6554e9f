"""The ledger in an SQLite file: write-ahead log, full synchronisation, one writer at a time."""

import os
import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from usbprov.errors import LedgerBusy, LedgerError, LedgerUnusable
from usbprov.ledger.backend import Failure
from usbprov.ledger.driver import execute

BUSY_SECONDS = 10
"""How long a write waits for another process before it gives up."""

_RETRY_SECONDS = 0.02
_CONNECTIONS = 8
_BEGIN = "usbprov_begin"
"""The execution option that says how a transaction begins; by default as a writer's."""


class Sqlite:
    """An SQLite file: a commit survives a power cut."""

    reading: Mapping[str, Any] = {_BEGIN: ""}
    snapshot: Mapping[str, Any] = {_BEGIN: "BEGIN"}

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        # Threads queue here, one after the other; SQLite itself would have them try again and
        # again, and let the same one wait for long.
        self._turn = threading.Lock()

    def engine(self) -> Engine:
        """Make the file, if it is not there, and the pool."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The file holds who works where; it is created for its owner only before SQLite sees it.
        self.path.touch(mode=0o600, exist_ok=True)
        engine = create_engine(
            f"sqlite:///{self.path}",
            connect_args={"timeout": BUSY_SECONDS},
            pool_size=_CONNECTIONS,
            max_overflow=0,
        )
        event.listen(engine, "connect", _make_durable)
        event.listen(engine, "begin", _begin)
        return engine

    def turn(self) -> AbstractContextManager[object]:
        """Let the threads of this process write one after the other."""
        return self._turn

    def lock_schema(self, connection: Connection) -> None:
        """Do nothing: a writer's transaction keeps everybody else from writing."""

    def back_up(self, schema: int) -> None:
        """Copy the file to one beside it, which is complete as soon as it is there."""
        kept = self.path.with_name(f"{self.path.name}.before-schema-{schema}")
        unfinished = kept.with_name(f"{kept.name}.unfinished")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        source, copy = sqlite3.connect(self.path), sqlite3.connect(unfinished)
        with closing(source), closing(copy):
            source.backup(copy)
        _flush(unfinished)
        unfinished.replace(kept)
        _flush(kept.parent)

    def is_lost(self, error: Failure) -> bool:
        """Return False: there is no connection that could be lost."""
        return False

    def is_undone(self, error: Failure) -> bool:
        """Return False: writers wait for each other from the beginning."""
        return False

    def translated(self, error: Failure) -> LedgerError:
        """Tell a file that others hold from one that cannot be used."""
        original = getattr(error, "orig", None) or error
        busy = getattr(original, "sqlite_errorcode", None) in (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
        )
        return (LedgerBusy if busy else LedgerUnusable)(self.name, str(original))


def _flush(path: Path) -> None:
    """Have a file or folder on the disk, where the system lets a folder be opened."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make_durable(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # The driver is to begin no transactions of its own: it would commit each CREATE TABLE alone.
    connection.isolation_level = None
    _switch_to_wal(connection, time.monotonic() + BUSY_SECONDS)
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _switch_to_wal(connection: sqlite3.Connection, deadline: float) -> None:
    """Wait, too, for another process that is just switching: here SQLite itself does not."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _begin(connection: Connection) -> None:
    """Take the lock at the beginning, where SQLite waits for it; an upgrade later would fail."""
    statement = connection.get_execution_options().get(_BEGIN, "BEGIN IMMEDIATE")
    if statement:
        execute(connection, statement).close()
