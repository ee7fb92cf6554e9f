"""The benches that share a ledger, and what their ports show, for the boards of all of them.

Neither is history: the chain of entries says nothing of it.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    Update,
    bindparam,
    delete,
    select,
    update,
)

from usbprov.ledger.chain import Write, cleaned
from usbprov.ledger.claims import remove
from usbprov.ledger.clock import DatabaseTime
from usbprov.ledger.database import Database
from usbprov.ledger.schema import benches, board, claims, heads
from usbprov.ledger.upsert import upsert

BOARD = "board"
"""The name of the row that counts the board's changes."""

_TOKEN_BYTES = 8


@dataclass(frozen=True)
class BenchRecord:
    """A bench; times are UTC by the database's clock.

    Attributes:
        name: As the operator calls it; one program at a time has it.
        host: The computer's name.
        pid: The process there.
        started: When it began.
        seen: When it was last heard of.
        until: Until when it counts as running without being heard of again.
        ended: When it said that it ends, or None.
        running: Whether it counts as running at the moment when this was read.
    """

    name: str
    host: str
    pid: int
    started: datetime
    seen: datetime
    until: datetime
    ended: datetime | None
    running: bool


@dataclass(frozen=True)
class Bench:
    """A bench of one's own: ``token`` is what it is kept alive by."""

    name: str
    token: str


@dataclass(frozen=True)
class PortRow:
    """What one port of a bench shows; ``port`` is its label."""

    port: str
    state: str
    phone: str | None = None
    user: str | None = None
    job: int | None = None
    note: str | None = None


@dataclass(frozen=True)
class BoardRow(PortRow):
    """The same as others read it."""

    bench: str = field(kw_only=True)
    updated: datetime = field(kw_only=True)
    change: int = field(kw_only=True)


@dataclass(frozen=True)
class Changes:
    """What is new on the boards.

    Attributes:
        number: What to ask with the next time.
        rows: The ports that changed, each once, as they are now, in the order of their changes.
        benches: All benches, by name.
    """

    number: int
    rows: tuple[BoardRow, ...]
    benches: tuple[BenchRecord, ...]


class Benches:
    """The benches of a ledger. Every method is one transaction, and may raise a ``LedgerError``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self, name: str, host: str, pid: int, seconds: float, *, instead: bool = False
    ) -> Bench | BenchRecord:
        """Begin to be the bench of that name, or say which program is it.

        A bench that ended, or was not heard of until its time was over, is replaced; with
        ``instead`` one that seems to run is, too: the caller knows that it does not. The claims
        and ports that were left by it are removed.
        """

        def work(write: Write) -> Bench | BenchRecord:
            _next_change(write)  # one after the other
            there = write.execute(_all_benches().where(benches.c.name == name)).mappings()
            for row in there.all():
                if row["running"] and not instead:
                    return _bench(row)
            remove(write, claims.c.bench == name)
            write.execute(delete(board).where(board.c.bench == name))
            return _begin(write, cleaned({"name": name, "host": host, "pid": pid}), seconds)

        return self._database.write("bench begun", work)

    def keep_alive(self, bench: Bench, seconds: float) -> bool:
        """Say that the bench is there for so many seconds more; False if it was replaced."""
        times = {"seen": DatabaseTime(), "until": DatabaseTime(seconds)}
        return self._update(bench, times)

    def end(self, bench: Bench) -> None:
        """Say that the bench ends; its claims are for the caller to release."""
        now = DatabaseTime()

        def work(write: Write) -> None:
            _next_change(write)  # so that others look
            write.execute(_of(bench, {"seen": now, "ended": now, "until": now}))

        self._database.write("bench", work)

    def all(self) -> list[BenchRecord]:
        """Return every bench that there ever was, by name."""
        return self._database.read(_benches)

    def show(self, bench: str, rows: Sequence[PortRow]) -> None:
        """Set what ports of a bench show."""
        columns: dict[str, Any] = {column.name: bindparam(column.name) for column in board.c}

        def work(write: Write) -> None:
            change = _next_change(write)
            common = {"bench": bench, "change": change}
            statement = upsert(write.dialect, board, {**columns, "updated": DatabaseTime()})
            write.execute_all(statement, [cleaned(vars(row)) | common for row in rows])

        if rows:
            self._database.write("board shown", work)

    def number(self) -> int:
        """Return the number of the latest change: the cheap way to learn whether there is any."""
        return self._database.read(_number)

    def changes(self, since: int = 0) -> Changes:
        """Return what changed on the boards after change ``since``; 0 gives all of it.

        The numbers become visible in their order, so none is missed by whoever asks again and
        again with the last answer's ``number``.
        """
        return self._database.snapshot(lambda connection: _changes(connection, since))

    def _update(self, bench: Bench, values: Mapping[str, Any]) -> bool:
        statement = _of(bench, values)
        return self._database.write("bench", lambda write: write.execute(statement).rowcount == 1)


def _of(bench: Bench, values: Mapping[str, Any]) -> Update:
    return update(benches).where(benches.c.token == bench.token).values(dict(values))


def _begin(write: Write, values: Mapping[str, Any], seconds: float) -> Bench:
    now, until = DatabaseTime(), DatabaseTime(seconds)
    bench = Bench(values["name"], secrets.token_hex(_TOKEN_BYTES))
    times = {"token": bench.token, "started": now, "seen": now, "until": until, "ended": None}
    write.execute(upsert(write.dialect, benches, {**values, **times}))
    return bench


def _next_change(write: Write) -> int:
    """Return the next number; the row stays locked, so it is visible before any greater one."""
    of_board = update(heads).where(heads.c.name == BOARD)
    statement = of_board.values(number=heads.c.number + 1).returning(heads.c.number)
    return int(write.execute(statement).scalar_one())


def _all_benches() -> Select[Any]:
    running = benches.c.ended.is_(None) & (benches.c.until > DatabaseTime())
    shown = [column for column in benches.c if column.name != "token"]
    return select(*shown, running.label("running")).order_by(benches.c.name)


def _benches(connection: Connection) -> list[BenchRecord]:
    return [_bench(row) for row in connection.execute(_all_benches()).mappings()]


def _bench(row: RowMapping) -> BenchRecord:
    values: dict[str, Any] = dict(row)
    return BenchRecord(**values | {"running": bool(values["running"])})


def _number(connection: Connection) -> int:
    query = select(heads.c.number).filter_by(name=BOARD)
    return int(connection.execute(query).scalar_one())


def _changes(connection: Connection, since: int) -> Changes:
    number = _number(connection)
    query = select(board).where(board.c.change > since)
    rows = connection.execute(query.order_by(board.c.change, board.c.bench, board.c.port))
    found = tuple(BoardRow(**row) for row in rows.mappings())
    return Changes(number, found, tuple(_benches(connection)))
