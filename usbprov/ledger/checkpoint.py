"""Where a chain begins that was purged: a checkpoint instead of the entries up to there.

It stands in the place of the last entry that was removed, with its number, time and hash, so the
entry after it goes on from it as before. Its body is of the form of any entry's: all rows as they
were after that entry, less what was purged. ``previous`` is its seal: the hash of an entry with
this number, time, kind and body that comes after ``START``. The purge appends an entry, which
holds the seal in its turn: so a checkpoint is as hard to alter as the chain that follows it.
"""

from collections.abc import Iterable
from typing import NamedTuple

from usbprov.ledger.entries import START, Change, Entry, body_of, digest

CHECKPOINT = "checkpoint"
"""The kind of such an entry, and the table's name in what the purge's entry says of it."""

PURGED = "purged"
"""The kind of the entry that a purge appends."""


class Purge(NamedTuple):
    """What a purge's entry says.

    Attributes:
        entry: Its number.
        at: When it was, UTC, ISO 8601.
        up_to: Number of the checkpoint: entries before it are gone.
        before: Jobs that were finished before this moment (UTC, ISO 8601) were meant.
        jobs: How many of them lost their details.
        seal: The checkpoint's.
    """

    entry: int
    at: str
    up_to: int
    before: str
    jobs: int
    seal: str


def make_checkpoint(last: Entry, rows: Iterable[Change]) -> Entry:
    """Make the checkpoint that takes the place of an entry."""
    body = body_of(rows)
    seal = digest(last.number, last.at, CHECKPOINT, START, body)
    return Entry(last.number, last.at, CHECKPOINT, seal, body, last.hash)


def holds(checkpoint: Entry) -> bool:
    """Say whether the seal is that of the rest; that it is the right one the purge's entry says."""
    of = checkpoint
    return of.previous == digest(of.number, of.at, of.kind, START, of.body)


def told_by(entry: Entry, change: Change) -> Purge:
    """Read what an entry says of a checkpoint.

    Raises:
        KeyError: It says less than it must.
    """
    told = change.columns or {}
    return Purge(
        entry.number, entry.at, int(change.row), told["before"], told["jobs"], told["seal"]
    )
