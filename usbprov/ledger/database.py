"""Opening the ledger's database: durable settings, schema check, one kind of error."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from usbprov.errors import LedgerTooNew, LedgerUnusable
from usbprov.ledger.schema import SCHEMA, failures, meta, metadata

BUSY_SECONDS = 10
"""How long a write waits for another process before it gives up."""

_RETRY_SECONDS = 0.02


class Database:
    """An SQLite file in WAL mode with full synchronisation: a commit survives a power cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine: Engine | None = None

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give a connection in a transaction that is durable when the block ends.

        Raises:
            LedgerUnusable: The file cannot be opened, read or written.
            LedgerTooNew: Its schema is newer than this program.
        """
        with self._translated():
            engine = self._engine or self._open()
            with engine.begin() as connection:
                yield connection

    def close(self) -> None:
        """Close every connection; may be called twice."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError) as error:
            reason = str(getattr(error, "orig", None) or error)
            raise LedgerUnusable(str(self.path), reason) from None

    def _open(self) -> Engine:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The file holds who works where; it is created for its owner only before SQLite sees it.
        self.path.touch(mode=0o600, exist_ok=True)
        engine = create_engine(f"sqlite:///{self.path}", connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _make_durable)
        event.listen(engine, "begin", _take_write_lock)
        with engine.begin() as connection:
            self._check_schema(connection)
        self._engine = engine
        return engine

    def _check_schema(self, connection: Connection) -> None:
        if not inspect(connection).has_table(meta.name):
            metadata.create_all(connection)
            connection.execute(insert(meta).values(name="schema", value=str(SCHEMA)))
            return
        found = int(connection.execute(select(meta.c.value).filter_by(name="schema")).scalar_one())
        if found > SCHEMA:
            raise LedgerTooNew(str(self.path), found, SCHEMA)
        failures.create(connection, checkfirst=True)


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


def _take_write_lock(connection: Connection) -> None:
    """Take the lock at the beginning, where SQLite waits for it; an upgrade later would fail."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
