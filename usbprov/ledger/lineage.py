"""What two ledgers' files have in common: a chain is the same up to the last entry that is."""

import sqlite3

from usbprov.ledger.chain import CHAIN

_Reader = sqlite3.Connection


def last_of(ledger: _Reader | None) -> int | None:
    """Return the number of a ledger's last entry; None where it has no chain or is not readable.

    A file without any tables is a ledger without any entries.

    Raises:
        sqlite3.Error: It is damaged.
    """
    if ledger is None:
        return None
    tables = {name for (name,) in ledger.execute("SELECT name FROM sqlite_schema")}
    if "head" not in tables:
        return None if tables else 0
    row = ledger.execute("SELECT number FROM head WHERE name = ?", [CHAIN]).fetchone()
    return int(row[0]) if row else None


def common(one: _Reader, other: _Reader) -> int:
    """Return the number of the last entry that is the same in both; 0 where none is.

    An entry's hash covers all before it, so it is looked for by halves. Of what was purged nobody
    can say whether it was the same.

    Raises:
        sqlite3.Error: One of both is damaged.
    """
    low = max(_first(one), _first(other))
    high = min(last_of(one) or 0, last_of(other) or 0)
    if high < low or not _same(one, other, low):
        return 0
    while low < high:
        middle = (low + high + 1) // 2
        if _same(one, other, middle):
            low = middle
        else:
            high = middle - 1
    return low


def _first(ledger: _Reader) -> int:
    return int(ledger.execute("SELECT coalesce(min(number), 1) FROM entry").fetchone()[0])


def _same(one: _Reader, other: _Reader, number: int) -> bool:
    query = "SELECT hash FROM entry WHERE number = ?"
    first, second = (ledger.execute(query, [number]).fetchone() for ledger in (one, other))
    return first is not None and first == second
