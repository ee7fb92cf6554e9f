"""Verifying the ledger: the chain by itself, and the tables against what the chain says.

What it can see, and what only a hash that was written down elsewhere shows, is in docs/ledger.md.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, Table, select

from usbprov.errors import LedgerAltered, LedgerHashPurged, LedgerHashUnknown
from usbprov.ledger.checkpoint import Purge
from usbprov.ledger.database import Database
from usbprov.ledger.entries import plain
from usbprov.ledger.schema import artifacts, claims, failures, jobs, sealed, steps
from usbprov.ledger.story import Finding, Story, read_chain

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
        purged: What the last purge said, if there was one: the chain begins at its ``up_to``.
    """

    entries: int
    head: str
    at: str
    expected: int | None = None
    purged: Purge | None = None


def verify(database: Database, expect: str | None = None) -> Verified:
    """Verify the whole ledger, as of one moment; others may go on writing.

    Args:
        database: The ledger's.
        expect: A hash that the head had once.

    Raises:
        LedgerAltered: Something does not hold; the first such entry is told.
        LedgerHashUnknown: All of it holds, but no entry has the expected hash.
        LedgerHashPurged: The same, but it may be one of those that were purged.
        LedgerDamaged: Not all of it can be read.
    """
    story = database.snapshot(lambda connection: tell(database, connection, expect))
    at = story.last.at if story.last else ""
    return Verified(story.number, story.hash, at, story.expected, story.purge)


def tell(database: Database, connection: Connection, expect: str | None = None) -> Story:
    """Return what a ledger's chain tells, which holds; raises as ``verify``."""
    name = database.backend.name
    database.backend.check_pages(connection)
    story = Story()
    finding = read_chain(connection, story, expect) or _compare(connection, story)
    if finding:
        raise LedgerAltered(name, **vars(finding))
    if expect is not None and story.expected is None:
        raise _unknown(name, expect, story)
    return story


def _unknown(name: str, expect: str, story: Story) -> LedgerHashUnknown | LedgerHashPurged:
    purge = story.purge
    if purge is None:
        return LedgerHashUnknown(name, expect, story.number)
    return LedgerHashPurged(name, expect, purge.up_to, story.number, purge.at)


def _compare(connection: Connection, story: Story) -> Finding | None:
    """Return the finding of the earliest entry, or None if all rows are as the chain tells."""
    told = dict(story.rows)
    findings: list[Finding] = []
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
    story: Story, key: tuple[str, int | str], row: RowMapping, columns: frozenset[str]
) -> Iterator[Finding]:
    told = story.rows.get(key)
    if told is None:
        about = f"{key[0]} {key[1]}"
        yield Finding(story.number, about, "", "no entry tells of this row")
        return
    wanted = told.columns()
    for name in sorted(columns):
        if plain(row[name]) != wanted.get(name):
            yield _finding(story, key, told.set_by(name), f"its {name} was changed")
    if key[0] == artifacts.name and hashlib.sha256(row["data"]).hexdigest() != wanted.get("sha256"):
        yield _finding(story, key, told.set_by("sha256"), "its data was changed")


def _finding(
    story: Story, key: tuple[str, int | str], entry: tuple[int, str], found: str
) -> Finding:
    number, at = entry
    return Finding(number, f"{story.about(*key)}, at {at}", at, found)
