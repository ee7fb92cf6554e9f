"""The ledger in an SQLite file: write-ahead log, full synchronisation, one writer at a time."""

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from usbprov.errors import LedgerDamaged, LedgerError, LedgerMoved
from usbprov.ledger.backend import Failure
from usbprov.ledger.copying import copy_whole, damage
from usbprov.ledger.driver import driver_of, execute
from usbprov.ledger.room import check_room
from usbprov.ledger.schema import SCHEMA
from usbprov.ledger.sqlite_errors import meaning

BUSY_SECONDS = 10
"""How long a write waits for another process before it gives up."""

_SCRUB_SECONDS = 1.0
"""How long emptying the log waits for readers and writers."""

_SCRUB_EVERY = 1.0
"""Seconds between two times that it is emptied at least."""

_RETRY_SECONDS = 0.02
_CONNECTIONS = 8
_CACHE = "cache_size=-256"
"""KiB of the file that each connection keeps; SQLite's 2 MiB would fill up over hours, and the
system keeps the file in memory anyway."""
_BEGIN = "usbprov_begin"
"""The execution option that says how a transaction begins; by default as a writer's."""
_PRIMARY = 0xFF

logger = logging.getLogger(__name__)


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
        self._writer: Connection | None = None
        self._file: tuple[int, int] | None = None
        self._unscrubbed = False
        self._scrub_due = 0.0

    def engine(self) -> Engine:
        """Make the file, if it is not there, and the pool."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The file holds who works where; it is created for its owner only before SQLite sees it.
        self.path.touch(mode=0o600, exist_ok=True)
        self._file = _identity(self.path)
        engine = create_engine(
            "sqlite://",
            creator=lambda: self._connect(BUSY_SECONDS),
            poolclass=QueuePool,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_use_lifo=True,  # else all of them would be warm, and none is needed for most
        )
        event.listen(engine, "connect", _make_durable)
        event.listen(engine, "begin", self._begin)
        return engine

    def _connect(self, timeout: float) -> sqlite3.Connection:
        """Open the file; one that was removed meanwhile is not made anew."""
        uri = f"{self.path.absolute().as_uri()}?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=timeout, check_same_thread=False)

    def _begin(self, connection: Connection) -> None:
        """Take the lock at the beginning, where SQLite waits for it; an upgrade later would fail.

        SQLite would go on writing to a file that has no name any more.
        """
        if _identity(self.path) != self._file:
            raise LedgerMoved(self.name, "another file is there, or none")
        statement = connection.get_execution_options().get(_BEGIN, "BEGIN IMMEDIATE")
        if statement:
            execute(connection, statement).close()

    @contextmanager
    def writing(self, engine: Engine) -> Iterator[Connection]:
        """Have a transaction on the one connection that all threads write by, one after the other.

        To get one out of the pool and to give it back takes as long as all else that is done here
        for a commit. After an error it is not known what it is good for, and the next is new.
        """
        with self._turn:
            try:
                self._writer = self._writer or engine.connect()
                with self._writer.begin():
                    yield self._writer
            except BaseException:
                self._drop_writer()
                raise

    def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def lock_schema(self, connection: Connection) -> None:
        """Do nothing: a writer's transaction keeps everybody else from writing."""

    def back_up(self, schema: int) -> None:
        """Copy the file to one beside it, which is complete as soon as it is there."""
        kept = self.path.with_name(f"{self.path.name}.before-schema-{schema}")
        copy_whole(self.path, kept, instead=True)

    def check_room(self) -> None:
        """Refuse to go on where the disk is as good as full; before it is opened nobody knows."""
        if self._file is not None:
            check_room(self.path)

    def check_pages(self, connection: Connection) -> None:
        """Check every page, the indexes too: with a wrong one a row would not be found."""
        found = damage(driver_of(connection))
        if found:
            raise LedgerDamaged(self.name, found)

    def scrub(self, *, now: bool = False) -> None:
        """Overwrite what the write-ahead log has of rows that were removed.

        Their place in the file itself was overwritten by the commit (``secure_delete``), which is
        in the log still. It takes as long as some commits, so that of several within a second one
        is enough. Readers may keep the log from being emptied; the next time it is tried again.
        """
        with self._turn:
            self._unscrubbed = True
            if now or time.monotonic() >= self._scrub_due:
                self._unscrubbed = not self._empty_log()
                self._scrub_due = time.monotonic() + _SCRUB_EVERY

    def settle(self) -> None:
        """Do what was put off, and close the writers' connection."""
        if self._unscrubbed:
            self.scrub(now=True)
        with self._turn:
            self._drop_writer()

    def _empty_log(self) -> bool:
        """Write the log back and cut it to nothing; False where others keep it from that."""
        try:
            with closing(self._connect(_SCRUB_SECONDS)) as connection:
                (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:  # the next write tells what is wrong
            logger.debug("the ledger's log was not emptied: %s", error)
            return False
        return not busy

    def is_lost(self, error: Failure) -> bool:
        """Return False: there is no connection that could be lost."""
        return False

    def is_undone(self, error: Failure) -> bool:
        """Return False: writers wait for each other from the beginning."""
        return False

    def translated(self, error: Failure) -> LedgerError:
        """Tell by the codes of SQLite and the system; a file that has gone is told by itself."""
        if self._file is not None and _identity(self.path) != self._file:
            return LedgerMoved(self.name, str(getattr(error, "orig", None) or error))
        return meaning(self.path, error)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another of its name, or None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _make_durable(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # The driver is to begin no transactions of its own: it would commit each CREATE TABLE alone.
    connection.isolation_level = None
    _switch_to_wal(connection, time.monotonic() + BUSY_SECONDS)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", _CACHE):
        connection.execute(f"PRAGMA {pragma}").close()


def _switch_to_wal(connection: sqlite3.Connection, deadline: float) -> None:
    """Wait, too, for another process that is just switching: here SQLite itself does not.

    The file of a newer version, or of another program, is not changed in this either.
    """
    while True:
        try:
            if _is_ours(connection):
                connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & _PRIMARY in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Say whether the file has nothing in it, or a ledger that this version knows."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if "meta" not in tables:
        return not tables
    query = "SELECT max(CAST(value AS INTEGER)) FROM meta WHERE name = 'schema'"
    (found,) = connection.execute(query).fetchone()
    return found is not None and found <= SCHEMA
