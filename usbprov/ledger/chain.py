"""Appending to the chain: what a write did, in the same transaction."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Insert,
    Table,
    Update,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.engine import CursorResult

from usbprov.ledger.entries import START, Change, Entry, make_entry
from usbprov.ledger.schema import entries, heads

CHAIN = "chain"
"""The name of the chain's head."""

# Every write executes these three, so they are written as the drivers take them: the detour through
# SQLAlchemy's statements costs four times as much.
_HEAD = {
    "sqlite": "SELECT number, hash, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')"
    " FROM head WHERE name = 'chain'",
    "postgresql": "SELECT number, hash, to_char(clock_timestamp() AT TIME ZONE 'UTC',"
    """ 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM head WHERE name = 'chain' FOR UPDATE""",
}
"""Gives the last entry's number and hash and the database's time; the row stays locked."""

_ADD = {
    "sqlite": "INSERT INTO entry (number, at, kind, previous, body, hash)"
    " VALUES (?, ?, ?, ?, ?, ?)",
    "postgresql": "INSERT INTO entry (number, at, kind, previous, body, hash)"
    " VALUES (%s, %s, %s, %s, %s, %s)",
}
_ADVANCE = {
    "sqlite": "UPDATE head SET number = number + 1, hash = ? WHERE name = 'chain'",
    "postgresql": "UPDATE head SET number = number + 1, hash = %s WHERE name = 'chain'",
}


class Write:
    """One transaction that writes: its statements, and what the chain will say of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._changes: list[Change] = []

    @property
    def dialect(self) -> str:
        """The database's name in SQLAlchemy: ``sqlite`` or ``postgresql``."""
        return self._connection.dialect.name

    def execute(
        self, statement: Executable, values: Mapping[str, Any] | None = None
    ) -> CursorResult[Any]:
        """Execute a statement that the chain says nothing of by itself."""
        return self._connection.execute(statement, values)

    def alone(self) -> None:
        """Wait until no other transaction appends; none will, then, until this one ends."""
        lock_head(self._connection)

    def insert(self, table: Table, values: Mapping[str, Any], aside: Sequence[str] = ()) -> int:
        """Add a row, and return its number; the columns of ``aside`` are not in the entry."""
        clean = cleaned(values)
        number = int(self._connection.execute(_insert(table), clean).scalar_one())
        told = {name: value for name, value in clean.items() if name not in aside}
        self.note(table, number, told)
        return number

    def change(self, table: Table, number: int, values: Mapping[str, Any]) -> bool:
        """Change the row of that number; False if there is none."""
        clean = cleaned(values)
        found = self._connection.execute(_change(table), {"_number": number, **clean}).rowcount
        if found:
            self.note(table, number, clean)
        return bool(found)

    def change_all(
        self, table: Table, where: Sequence[ColumnElement[bool]], values: Mapping[str, Any]
    ) -> None:
        """Change the rows that are so."""
        clean = cleaned(values)
        statement = update(table).where(*where).values(clean).returning(table.c.id)
        for number in sorted(self._connection.execute(statement).scalars()):
            self.note(table, number, clean)

    def note(self, table: Table, row: int | str, columns: Mapping[str, Any] | None) -> None:
        """Have the entry say that a row has these columns now, or is removed (None)."""
        self._changes.append(Change(table.name, row, columns))

    def seal(self, kind: str) -> Entry | None:
        """Append the entry, if there is anything to say, as the last act of the transaction."""
        return append(self._connection, kind, self._changes) if self._changes else None


@cache
def _insert(table: Table) -> Insert:
    return insert(table).returning(table.c.id)


@cache
def _change(table: Table) -> Update:
    return update(table).where(table.c.id == bindparam("_number"))


def append(connection: Connection, kind: str, changes: Sequence[Change]) -> Entry:
    """Append an entry; from here to the end of the transaction nobody else can."""
    number, previous, at = lock_head(connection)
    entry = make_entry(number + 1, at, kind, previous, changes)
    fields = (entry.number, entry.at, entry.kind, entry.previous, entry.body, entry.hash)
    connection.exec_driver_sql(_ADD[connection.dialect.name], fields)
    connection.exec_driver_sql(_ADVANCE[connection.dialect.name], (entry.hash,))
    return entry


def lock_head(connection: Connection) -> tuple[int, str, str]:
    """Return the last entry's number and hash, and the time; nobody else appends from here on."""
    number, last, at = connection.exec_driver_sql(_HEAD[connection.dialect.name]).one()
    return number, last, at


def begin_chain(connection: Connection) -> None:
    """Make the head of an empty chain."""
    connection.execute(insert(heads).values(name=CHAIN, number=0, hash=START))


def has(connection: Connection, entry: Entry) -> bool:
    """Say whether the entry was committed, waiting for a transaction that is about to end."""
    lock_head(connection)
    query = select(entries.c.hash).filter_by(number=entry.number)
    return connection.execute(query).scalar_one_or_none() == entry.hash


def cleaned(values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace in texts what not every database can keep: NUL, and half of a surrogate pair."""
    return {name: _clean(v) if isinstance(v, str) else v for name, v in values.items()}


def _clean(text: str) -> str:
    if text.isprintable():
        return text
    sound = text.encode("utf-8", "replace").decode("utf-8")
    return sound.replace("\0", "\N{REPLACEMENT CHARACTER}")
