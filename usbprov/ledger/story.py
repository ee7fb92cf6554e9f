"""What the chain tells of every row, read entry by entry and checked in that."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from usbprov.ledger import checkpoint
from usbprov.ledger.chain import CHAIN
from usbprov.ledger.checkpoint import CHECKPOINT, Purge
from usbprov.ledger.entries import START, Change, Entry
from usbprov.ledger.schema import entries, heads

_AT_A_TIME = 500

_OF_JOB = frozenset({"job", "failure"})
"""The tables whose rows have the numbers of their jobs."""


@dataclass(frozen=True)
class Finding:
    """Something that does not hold, from an entry on."""

    entry: int
    about: str
    at: str
    found: str


@dataclass
class Row:
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


class Story:
    """What the chain tells, entry by entry."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int | str], Row] = {}
        self.touched: dict[int, int] = {}
        """The last entry that tells of a job, by the job's number."""
        self.first: Entry | None = None
        self.last: Entry | None = None
        self.purge: Purge | None = None
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
        """Take in the next entry, which holds.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: It is not of the form that it must be.
        """
        for change in entry.changes():
            if change.table == CHECKPOINT:
                self.purge = checkpoint.told_by(entry, change)
            else:
                self._change(entry, change)
        self.first = self.first or entry
        self.last = entry

    def _change(self, entry: Entry, change: Change) -> None:
        key = (change.table, change.row)
        self.touched[self.job_of(change)] = entry.number
        if change.columns is None:
            self.rows.pop(key, None)
        else:
            row = self.rows.setdefault(key, Row())
            row.changes.append((entry.number, entry.at, change.columns))

    def job_of(self, change: Change) -> int:
        """Return the number of the job that a change is about; 0 where it is about none."""
        if change.table in _OF_JOB:
            return int(change.row)
        if change.columns and "job" in change.columns:
            return int(change.columns["job"])
        known = self.rows.get((change.table, change.row))
        return int(known.columns().get("job", 0)) if known else 0

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


def read_chain(connection: Connection, story: Story, expect: str | None) -> Finding | None:
    """Read all entries; returns the first thing that does not hold, or None.

    Args:
        connection: To the ledger.
        story: Takes them in.
        expect: A hash to look for.
    """
    if expect == START:
        story.expected = 0
    for entry in read_entries(connection):
        wrong = _wrong(entry, story)
        if wrong:
            return wrong
        if entry.hash == expect:
            story.expected = entry.number
    return _check_head(connection, story) or _check_purge(story)


def read_entries(connection: Connection, after: int = 0) -> Iterator[Entry]:
    """Yield the entries after one of that number, in their order."""
    query = select(entries).where(entries.c.number > after).order_by(entries.c.number)
    with connection.execute(query.execution_options(yield_per=_AT_A_TIME)) as rows:
        for row in rows:
            yield Entry(*row)


def _wrong(entry: Entry, story: Story) -> Finding | None:
    """Take in an entry, or say what is wrong with it."""
    begins = story.last is None and entry.kind == CHECKPOINT
    if not begins and entry.number != story.number + 1:
        missing = _span(story.number + 1, entry.number - 1)
        return _after(story, missing) if entry.number > story.number else _odd(entry, story)
    if not (checkpoint.holds(entry) if begins else entry.holds()):
        return _odd(entry, story)
    if not begins and entry.previous != story.hash:
        return _after(story, "the next entry was made for another chain")
    try:
        story.add(entry)
    except (ValueError, KeyError, TypeError, AttributeError):
        return _odd(entry, story)
    return None


def _check_purge(story: Story) -> Finding | None:
    """Check that the chain begins where the last purge said, with what it said."""
    first, purge = story.first, story.purge
    if first is None or (purge is None and first.kind != CHECKPOINT):
        return None
    if (
        purge
        and first.kind == CHECKPOINT
        and (purge.up_to, purge.seal) == (first.number, first.previous)
    ):
        return None
    words = "the chain does not begin with the checkpoint that the last purge made"
    return Finding(first.number, f"the beginning, at {first.at}", first.at, words)


def _odd(entry: Entry, story: Story) -> Finding:
    words = "the entry is not what its hash says"
    return Finding(entry.number, f"{_told(entry, story)}, at {entry.at}", entry.at, words)


def _told(entry: Entry, story: Story) -> str:
    """Say what an entry is about, as far as it can be read."""
    try:
        change: Change = entry.changes()[0]
    except (ValueError, IndexError):
        return entry.kind
    return story.about(change.table, change.row)


def _after(story: Story, found: str) -> Finding:
    if story.last is None:
        return Finding(1, "the beginning", "", found)
    about = f"after {_told(story.last, story)}, at {story.last.at}"
    return Finding(story.number + 1, about, story.last.at, found)


def _check_head(connection: Connection, story: Story) -> Finding | None:
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
