"""Appending to the chain: what a write did, in the same transaction."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Executable,
    Table,
    bindparam,
    insert,
    update,
)
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import SQLAlchemyError

from usbprov.ledger import driver
from usbprov.ledger.entries import START, Change, body_of, make_entry
from usbprov.ledger.prepared import Prepared
from usbprov.ledger.schema import heads
from usbprov.ledger.together import begin_with, commit_with

CHAIN = "chain"
"""The name of the chain's head."""

# Every write executes these, so they are written as the drivers take them.
_LAST = (
    "SELECT number, hash, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') FROM head WHERE name = 'chain'"
)
"""Gives the last entry's number and hash, and the time, in SQLite: every writer is alone there."""

_ADD = "INSERT INTO entry (number, at, kind, previous, body, hash) VALUES (?, ?, ?, ?, ?, ?)"
_ADVANCE = "UPDATE head SET number = number + 1, previous = hash, hash = ? WHERE name = 'chain'"

# A server works out the hash by itself, and the COMMIT goes with it: the row is locked for as long
# as the commit takes, and not until this program has its turn. The UPDATE takes the row as it is
# once others have committed.
_APPEND = """
WITH given AS MATERIALIZED (
    SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
           %s::text AS kind, %s::text AS body),
advanced AS (
    UPDATE head SET number = number + 1, previous = hash, hash = encode(sha256(convert_to(
        concat_ws(E'\\n', number + 1, given.at, given.kind, hash, given.body), 'UTF8')), 'hex')
    FROM given WHERE name = 'chain' RETURNING number, at, kind, previous, body, hash)
INSERT INTO entry (number, at, kind, previous, body, hash)
SELECT number, at, kind, previous, body, hash FROM advanced
"""

_MARK = "SELECT pg_current_xact_id()::text, number FROM head WHERE name = 'chain'"

_IS_UNDER_WAY = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND granted
               AND mode = 'ExclusiveLock' AND transactionid = %s::xid8::xid)
"""
"""A transaction locks its own number until its commit can be seen by all."""

_IS_THERE = "SELECT EXISTS (SELECT FROM entry WHERE number > %s AND kind = %s AND body = %s)"
"""No two entries have the same body, but that a claim is gone. The transaction's number by itself
would say less: a server that has crashed may give it out again."""

_ALONE = "SELECT pg_advisory_xact_lock(hashtext(%s), hashtext(%s))"


class Mark(NamedTuple):
    """What a transaction is known by before anything of it is committed.

    Attributes:
        xact: Its number, as PostgreSQL's ``xid8``.
        number: Of the chain's last entry: its own is a later one.
    """

    xact: str
    number: int


class Unsettled(SQLAlchemyError):
    """Raised when a transaction whose connection was lost may still be under way."""


class Write:
    """One transaction that writes: its statements, and what the chain will say of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._changes: list[Change] = []
        self.wiped = False
        """Whether something was removed of which nothing is to be left."""

    @property
    def dialect(self) -> str:
        """The database's name in SQLAlchemy: ``sqlite`` or ``postgresql``."""
        return self._connection.dialect.name

    @property
    def connection(self) -> Connection:
        """What it is done by; the chain says nothing of what is done with it otherwise."""
        return self._connection

    def execute(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> CursorResult[Any]:
        """Execute a statement that the chain says nothing of by itself."""
        return self._connection.execute(statement, values)

    def execute_all(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement for each of several rows, in one go."""
        self._connection.execute(statement, rows)

    def rows(self, statement: Prepared, values: Mapping[str, Any]) -> list[driver.Row]:
        """Execute a statement that is made ready, and return its rows."""
        return statement.rows(self._connection, values)

    def change_by(self, statement: Prepared, values: Mapping[str, Any]) -> int:
        """Execute a statement that is made ready; returns how many rows it changed."""
        return statement.change(self._connection, values)

    def alone_with(self, what: str, key: str) -> None:
        """Wait until no other transaction that said the same is under way."""
        if self.dialect == "postgresql":  # in SQLite every writer is alone
            driver.execute(self._connection, _ALONE, (what, key)).close()

    def insert(self, table: Table, values: Mapping[str, Any], aside: Sequence[str] = ()) -> int:
        """Add a row, and return its number; the columns of ``aside`` are not in the entry."""
        clean = cleaned(values)
        number: int
        ((number,),) = _insert(table, tuple(clean)).rows(self._connection, clean)
        told = {name: value for name, value in clean.items() if name not in aside}
        self.note(table, number, told)
        return number

    def change(self, table: Table, number: int, values: Mapping[str, Any]) -> bool:
        """Change the row of that number; False if there is none."""
        clean = cleaned(values)
        given = {_NUMBER: number, **clean}
        found = _change(table, tuple(clean)).change(self._connection, given)
        if found:
            self.note(table, number, clean)
        return bool(found)

    def change_all(
        self,
        table: Table,
        statement: Prepared,
        which: Mapping[str, Any],
        values: Mapping[str, Any],
    ) -> list[int]:
        """Change several rows; returns their numbers.

        Args:
            table: Whose rows.
            statement: Changes them, and gives their numbers.
            which: Its parameters that say which.
            values: Its parameters that are columns, and what they are changed to.
        """
        clean = cleaned(values)
        numbers = sorted(number for (number,) in self.rows(statement, {**which, **clean}))
        for number in numbers:
            self.note(table, number, clean)
        return numbers

    def note(self, table: Table, row: int | str, columns: Mapping[str, Any] | None) -> None:
        """Have the entry say that a row has these columns now, or is removed (None)."""
        self.tell(table.name, row, columns)

    def tell(self, what: str, row: int | str, columns: Mapping[str, Any] | None) -> None:
        """Have the entry say something of what is no row of a table."""
        self._changes.append(Change(what, row, columns))

    @property
    def body(self) -> str:
        """What the entry will say; "" where there is nothing to say."""
        return body_of(self._changes) if self._changes else ""

    def seal(self, kind: str, body: str) -> None:
        """Append the entry as the last act of the transaction; a server commits it at once."""
        append(self._connection, kind, body)


_NUMBER = "_number"
"""The parameter of a change that says which row is meant; no column is called so."""


@cache
def _insert(table: Table, columns: tuple[str, ...]) -> Prepared:
    return Prepared(insert(table).returning(table.c.id), columns)


@cache
def _change(table: Table, columns: tuple[str, ...]) -> Prepared:
    return Prepared(update(table).where(table.c.id == bindparam(_NUMBER)), columns)


def append(connection: Connection, kind: str, body: str) -> None:
    """Append an entry; a server commits in the same go, so that nobody waits for this program.

    In SQLite nobody else appends from here to the end of the transaction.
    """
    if connection.dialect.name == "postgresql":
        commit_with(connection, _APPEND, (kind, body))
        return
    ((number, previous, at),) = driver.rows(connection, _LAST)
    entry = make_entry(number + 1, at, kind, previous, body)
    values = (entry.number, entry.at, entry.kind, entry.previous, entry.body, entry.hash)
    driver.execute(connection, _ADD, values).close()
    driver.execute(connection, _ADVANCE, (entry.hash,)).close()


def mark(connection: Connection) -> Mark | None:
    """Begin a transaction of a server, and return what it is known by; None: it cannot get lost."""
    if connection.dialect.name != "postgresql":
        return None
    return Mark(*begin_with(connection, _MARK))


def was_committed(connection: Connection, of: Mark, kind: str, body: str) -> bool:
    """Say whether a transaction whose connection was lost has been committed.

    Raises:
        Unsettled: It may still be under way.
    """
    (is_under_way,) = begin_with(connection, _IS_UNDER_WAY, (of.xact,))
    if is_under_way:
        raise Unsettled
    values = (of.number, kind, body)
    return bool(connection.exec_driver_sql(_IS_THERE, values).scalar_one())


def begin_chain(connection: Connection) -> None:
    """Make the head of an empty chain."""
    connection.execute(insert(heads).values(name=CHAIN, number=0, previous="", hash=START))


def cleaned(values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace in texts what not every database can keep: NUL, and half of a surrogate pair."""
    return {name: _clean(v) if isinstance(v, str) else v for name, v in values.items()}


def _clean(text: str) -> str:
    if text.isprintable():
        return text
    sound = text.encode("utf-8", "replace").decode("utf-8")
    return sound.replace("\0", "\N{REPLACEMENT CHARACTER}")
