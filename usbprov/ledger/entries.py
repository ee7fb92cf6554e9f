"""The chain's entries: their canonical form and their hash. The format never changes.

An entry has a number (from 1 on, without gaps), the UTC time by the database's clock, a kind, a
body and the hash of the entry before it (64 zeros before the first). Its own hash is the SHA-256
of the five lines ``number``, ``at``, ``kind``, ``previous``, ``body`` in UTF-8, parted by single
line feeds. The body is JSON with sorted keys, no white space and ASCII only: a list of changes,
each ``[table, row, {column: value}]``, where the row is the primary key and a value of null as
the third part means that the row was removed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)

START = "0" * 64
"""What stands for the hash before the first entry."""


@dataclass(frozen=True)
class Change:
    """What one write did to one row: the columns it set, or None where it removed the row."""

    table: str
    row: int | str
    columns: Mapping[str, Any] | None


@dataclass(frozen=True)
class Entry:
    """One entry of the chain, as it is stored.

    Attributes:
        number: From 1 on.
        at: UTC, ISO 8601 with microseconds and ``Z``.
        kind: What was written: ``job opened``, ``step ended``, …
        previous: Hash of the entry before.
        body: Canonical JSON.
        hash: Lower-case hex.
    """

    number: int
    at: str
    kind: str
    previous: str
    body: str
    hash: str

    def changes(self) -> list[Change]:
        """Return what the entry says was written.

        Raises:
            ValueError: The body is not of the form above.
        """
        try:
            return [Change(table, row, columns) for table, row, columns in json.loads(self.body)]
        except TypeError:
            raise ValueError(self.body) from None

    def holds(self) -> bool:
        """Say whether the hash is that of the rest."""
        return self.hash == digest(self.number, self.at, self.kind, self.previous, self.body)


def make_entry(number: int, at: str, kind: str, previous: str, body: str) -> Entry:
    """Make the entry that follows ``previous``."""
    return Entry(number, at, kind, previous, body, digest(number, at, kind, previous, body))


def body_of(changes: Iterable[Change]) -> str:
    """Write what was done in the one way in which it is hashed."""
    return _canonical.encode([[c.table, c.row, columns_of(c)] for c in changes])


def digest(number: int, at: str, kind: str, previous: str, body: str) -> str:
    """Return the hash of an entry."""
    lines = f"{number}\n{at}\n{kind}\n{previous}\n{body}"
    return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()


def columns_of(change: Change) -> dict[str, Any] | None:
    """Return the change's columns as JSON has them."""
    if change.columns is None:
        return None
    return {name: plain(value) for name, value in change.columns.items()}


def plain(value: object) -> object:
    """Return a column's value as JSON has it: times as ISO 8601, bytes as lower-case hex."""
    if isinstance(value, datetime):
        return written(value)
    return value.hex() if isinstance(value, bytes) else value


def written(at: datetime) -> str:
    """Write a time: ``2026-11-23T17:05:00.000000Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
