"""The ledger's transactions: opened when first used, repeated when lost, one kind of error."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from usbprov.ledger import chain, migration
from usbprov.ledger.address import LedgerPlace, PostgresAddress
from usbprov.ledger.backend import Backend, Failure
from usbprov.ledger.chain import Mark, Write
from usbprov.ledger.sqlite import Sqlite

T = TypeVar("T")

RETURN_SECONDS = 30.0
"""How long a server that was reached before, and went away, is waited for."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0

logger = logging.getLogger(__name__)


@dataclass
class _Sent(Generic[T]):
    """What a transaction has come to when its commit is about to be sent."""

    mark: Mark | None
    kind: str
    body: str
    result: T


class Database:
    """A ledger's database; any number of threads may use it at the same time."""

    def __init__(self, place: LedgerPlace) -> None:
        self.place = place
        self.backend = _backend(place)
        self._opening = threading.Lock()
        self._engine: Engine | None = None

    def open(self) -> None:
        """Make the tables, or bring them forward, unless that is done.

        Raises:
            LedgerError: As of ``usbprov/errors/ledger.py``.
        """
        self._repeated(self._opened)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work``, which reads with one statement.

        Raises:
            LedgerError: As of ``usbprov/errors/ledger.py``.
        """
        return self._repeated(lambda: self._read(work, self.backend.reading))

    def snapshot(self, work: Callable[[Connection], T]) -> T:
        """Run ``work``, which reads with several statements and is to see one moment."""
        return self._repeated(lambda: self._read(work, self.backend.snapshot))

    def write(self, kind: str, work: Callable[[Write], T]) -> T:
        """Run ``work`` in a transaction, which is durable when this returns.

        A transaction that was lost is repeated as a whole once it is known that it was not
        committed: its entry in the chain tells. What appends no entry must do no harm twice.

        Args:
            kind: What the chain's entry says that was done.
            work: May be called again.

        Raises:
            LedgerError: As of ``usbprov/errors/ledger.py``.
        """
        sent: list[_Sent[T]] = []
        return self._repeated(lambda: self._write(kind, work, sent))

    def check_room(self) -> None:
        """Refuse to begin what could not be recorded for want of room.

        Raises:
            LedgerError: As of ``usbprov/errors/ledger.py``.
        """
        try:
            self.backend.check_room()
        except OSError as error:
            raise self.backend.translated(error) from None

    def close(self) -> None:
        """Close every connection; may be called twice."""
        with self._opening:
            if self._engine is not None:
                self.backend.settle()
                self._engine.dispose()
                self._engine = None

    def _read(self, work: Callable[[Connection], T], options: Mapping[str, Any]) -> T:
        with self._opened().connect() as connection:
            connection.execution_options(**options)
            with connection.begin():
                return work(connection)

    def _write(self, kind: str, work: Callable[[Write], T], sent: list[_Sent[T]]) -> T:
        with self.backend.writing(self._opened()) as connection:
            if sent and _was_committed(connection, sent[-1]):
                return sent[-1].result
            sent.clear()
            mark = chain.mark(connection)
            write = Write(connection)
            result = work(write)
            if body := write.body:
                sent.append(_Sent(mark, kind, body, result))
                write.seal(kind, body)
        if write.wiped:
            self.backend.scrub()
        return result

    def _repeated(self, run: Callable[[], T]) -> T:
        """Run it, again and again while the connection is lost or the server had to undo it."""
        deadline, pause = time.monotonic() + RETURN_SECONDS, _FIRST_PAUSE
        while True:
            try:
                return run()
            except (SQLAlchemyError, OSError) as error:
                if time.monotonic() + pause > deadline or not self._passes(error):
                    raise self.backend.translated(error) from None
                logger.debug("the ledger is tried again: %r", error)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _passes(self, error: Failure) -> bool:
        """A server that was never reached is not waited for."""
        if self._engine is None:
            return False
        return self.backend.is_lost(error) or self.backend.is_undone(error)

    def _opened(self) -> Engine:
        with self._opening:
            if self._engine is None:
                self._engine = self._open()
            return self._engine

    def _open(self) -> Engine:
        engine = self.backend.engine()
        try:
            migration.prepare(engine, self.backend)
        except BaseException:
            engine.dispose()
            raise
        return engine


def _was_committed(connection: Connection, sent: _Sent[Any]) -> bool:
    if sent.mark is None:
        return False
    return chain.was_committed(connection, sent.mark, sent.kind, sent.body)


def _backend(place: LedgerPlace) -> Backend:
    if not isinstance(place, PostgresAddress):
        return Sqlite(place)
    from usbprov.ledger.postgres import Postgres  # noqa: PLC0415 - few need it

    return Postgres(place)
