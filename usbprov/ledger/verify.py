"""Verifying the ledger: the chain by itself, and the tables against what the chain says.

What it can see, and what only a hash that was written down elsewhere shows, is in docs/ledger.md.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from usbprov.errors import LedgerAltered, LedgerHashUnknown
from usbprov.ledger.chain import CHAIN
from usbprov.ledger.database import Database
from usbprov.ledger.entries import START, Change, Entry, plain
from usbprov.ledger.schema import (
    artifacts,
    claims,
    entries,
    failures,
    heads,
    jobs,
    sealed,
    steps,
)

_AT_A_TIME = 500

_COMPARED: Mapping[Table, frozenset[str]] = {
    jobs: frozenset(jobs.c.keys()) - {"id"},
    steps: frozenset(steps.c.keys()) - {"id"},
    artifacts: frozenset(artifacts.c.keys()) - {"id", "data"},
    failures: frozenset({"facts"}),
    sealed: frozenset(sealed.c.keys()) - {"id", "data"},
    claims: frozenset({"token", "bench", "worker"}),
}
"""The tables that the chain tells of, and the columns whose values it has."""


@dataclass(frozen=True)
class Verified:
    """A ledger that is what was written to it.

    Attributes:
        entries: How many the chain has.
        head: Hash of the last one; written down elsewhere, it shows later that nothing up to here
            was changed or removed.
        at: UTC time of the last one, ISO 8601; empty where there is none.
        expected: Number of the entry that has the expected hash, or None if none was given.
    """

    entries: int
    head: str
    at: str
    expected: int | None = None


@dataclass(frozen=True)
class _Finding:
    """Something that does not hold, from an entry on."""

    entry: int
    about: str
    at: str
    found: str


@dataclass
class _Row:
    """A row as the chain tells it: each change with its entry's number and time."""

    changes: list[tuple[int, str, Mapping[str, Any]]] = field(default_factory=list)

    def columns(self) -> dict[str, Any]:
        """Return the values that it should have."""
        return {name: value for *_, columns in self.changes for name, value in columns.items()}

    def set_by(self, column: str) -> tuple[int, str]:
        """Return number and time of the entry that set a column last."""
        setting = [change for change in self.changes if column in change[2]]
        return (setting or self.changes)[-1][:2]

    def made_by(self) -> tuple[int, str]:
        """Return number and time of the entry that made the row."""
        return self.changes[0][:2]


class _Story:
    """What the chain tells, entry by entry."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int | str], _Row] = {}
        self.last: Entry | None = None
        self.expected: int | None = None

    @property
    def number(self) -> int:
        """Number of the last entry."""
        return self.last.number if self.last else 0

    @property
    def hash(self) -> str:
        """Hash of the last entry."""
        return self.last.hash if self.last else START

    def add(self, entry: Entry) -> None:
        """Take in the next entry, which holds."""
        for change in entry.changes():
            key = (change.table, change.row)
            if change.columns is None:
                self.rows.pop(key, None)
            else:
                row = self.rows.setdefault(key, _Row())
                row.changes.append((entry.number, entry.at, change.columns))
        self.last = entry

    def about(self, table: str, row: int | str) -> str:
        """Say what a row is, in words."""
        if table in ("job", "claim"):
            return f"{table} {row}"
        if table == "failure":
            return f"job {row}, failure"
        known = self.rows.get((table, row))
        columns = known.columns() if known else {}
        what = columns.get("name") or columns.get("kind") or row
        return f"job {columns.get('job', 'unknown')}, {table} {what}"


def verify(database: Database, expect: str | None = None) -> Verified:
    """Verify the whole ledger, as of one moment; others may go on writing.

    Args:
        database: The ledger's.
        expect: A hash that the head had once.

    Raises:
        LedgerAltered: Something does not hold; the first such entry is told.
        LedgerHashUnknown: All of it holds, but no entry has the expected hash.
        LedgerDamaged: Something is not readable.
    """
    name = database.backend.name

    def work(connection: Connection) -> Verified:
        database.backend.check_pages(connection)
        story = _Story()
        finding = _read_chain(connection, story, expect) or _compare(connection, story)
        if finding:
            raise LedgerAltered(name, **vars(finding))
        if expect is not None and story.expected is None:
            raise LedgerHashUnknown(name, expect, story.number)
        at = story.last.at if story.last else ""
        return Verified(story.number, story.hash, at, story.expected)

    return database.snapshot(work)


# --- the chain


def _read_chain(connection: Connection, story: _Story, expect: str | None) -> _Finding | None:
    if expect == START:
        story.expected = 0
    query = select(entries).order_by(entries.c.number).execution_options(yield_per=_AT_A_TIME)
    with connection.execute(query) as rows:
        for entry in (Entry(*row) for row in rows):
            wrong = _wrong(entry, story)
            if wrong:
                return wrong
            if entry.hash == expect:
                story.expected = entry.number
    return _check_head(connection, story)


def _wrong(entry: Entry, story: _Story) -> _Finding | None:
    """Take in an entry, or say what is wrong with it."""
    if entry.number != story.number + 1:
        missing = _span(story.number + 1, entry.number - 1)
        return _after(story, missing) if entry.number > story.number else _odd(entry, story)
    if not entry.holds():
        return _odd(entry, story)
    if entry.previous != story.hash:
        return _after(story, "the next entry was made for another chain")
    try:
        story.add(entry)
    except (ValueError, KeyError, TypeError, AttributeError):
        return _odd(entry, story)
    return None


def _odd(entry: Entry, story: _Story) -> _Finding:
    words = "the entry is not what its hash says"
    return _Finding(entry.number, f"{_told(entry, story)}, at {entry.at}", entry.at, words)


def _told(entry: Entry, story: _Story) -> str:
    """Say what an entry is about, as far as it can be read."""
    try:
        change: Change = entry.changes()[0]
    except (ValueError, IndexError):
        return entry.kind
    return story.about(change.table, change.row)


def _after(story: _Story, found: str) -> _Finding:
    if story.last is None:
        return _Finding(1, "the beginning", "", found)
    about = f"after {_told(story.last, story)}, at {story.last.at}"
    return _Finding(story.number + 1, about, story.last.at, found)


def _check_head(connection: Connection, story: _Story) -> _Finding | None:
    query = select(heads.c.number, heads.c.hash).filter_by(name=CHAIN)
    head = connection.execute(query).one_or_none()
    if head is None:
        return _after(story, "the chain's head is missing")
    if head.number > story.number:
        return _after(story, _span(story.number + 1, head.number))
    if (head.number, head.hash) != (story.number, story.hash):
        return _after(story, "the chain's head is not its last entry")
    return None


def _span(first: int, last: int) -> str:
    return (
        f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"
    )


# --- the tables


def _compare(connection: Connection, story: _Story) -> _Finding | None:
    """Return the finding of the earliest entry, or None if all rows are as the chain tells."""
    told = dict(story.rows)
    findings: list[_Finding] = []
    for table, columns in _COMPARED.items():
        query = select(table).execution_options(yield_per=_AT_A_TIME)
        for row in connection.execute(query).mappings():
            number = _number(table, row)
            findings += _differences(story, (table.name, number), row, columns)
            told.pop((table.name, number), None)
    findings += [_finding(story, key, row.made_by(), "it is missing") for key, row in told.items()]
    return min(findings, key=lambda finding: finding.entry, default=None)


def _number(table: Table, row: RowMapping) -> int | str:
    if table is claims:
        return f"{row['kind']}:{row['key']}"
    return int(row["job" if table is failures else "id"])


def _differences(
    story: _Story, key: tuple[str, int | str], row: RowMapping, columns: frozenset[str]
) -> Iterator[_Finding]:
    told = story.rows.get(key)
    if told is None:
        about = f"{key[0]} {key[1]}"
        yield _Finding(story.number, about, "", "no entry tells of this row")
        return
    wanted = told.columns()
    for name in sorted(columns):
        if plain(row[name]) != wanted.get(name):
            yield _finding(story, key, told.set_by(name), f"its {name} was changed")
    if key[0] == artifacts.name and hashlib.sha256(row["data"]).hexdigest() != wanted.get("sha256"):
        yield _finding(story, key, told.set_by("sha256"), "its data was changed")


def _finding(
    story: _Story, key: tuple[str, int | str], entry: tuple[int, str], found: str
) -> _Finding:
    number, at = entry
    return _Finding(number, f"{story.about(*key)}, at {at}", at, found)
