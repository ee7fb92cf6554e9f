"""What happens to a ledger's file: full disk, locks, damage, other versions; and how it is mended.

Each of these is what really happens, as far as one process can do it to another's file.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from cutpoints import disk
from usbprov.ledger.schema import SCHEMA

OLD = Path(__file__).parents[2] / "data" / "ledger" / "schema-1.sql"
"""A ledger as the first version made it."""

_FILLER = "filler"
_PAGE = 4096

Trouble = Callable[[Path], Iterator[None]]


def full(ledger: Path) -> Iterator[None]:
    """Fill the ledger's disk to the last byte."""
    filler = ledger.with_name(_FILLER)
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, _PAGE, 1):
            _fill(file.write, bytes(size))
    yield
    filler.unlink()


def _fill(write: Callable[[bytes], int], piece: bytes) -> None:
    try:
        while write(piece) == len(piece):
            pass
    except OSError:
        return


def locked(ledger: Path) -> Iterator[None]:
    """Hold the write lock, as another program would."""
    with closing(sqlite3.connect(ledger, isolation_level=None, timeout=5)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def corrupt(ledger: Path) -> Iterator[None]:
    """Overwrite the first page of the table of jobs, as a bad sector would."""
    with closing(sqlite3.connect(ledger)) as own:
        own.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = own.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'job'").fetchone()
    sound = ledger.read_bytes()
    at = (page - 1) * _PAGE
    ledger.write_bytes(sound[:at] + b"\xa5" * _PAGE + sound[at + _PAGE :])
    yield
    for name in ("-wal", "-shm"):
        ledger.with_name(ledger.name + name).unlink(missing_ok=True)
    ledger.write_bytes(sound)


def newer(ledger: Path) -> Iterator[None]:
    """Have it say that a newer version has used it."""
    _set_schema(ledger, SCHEMA + 7)
    yield
    _set_schema(ledger, SCHEMA)


def older(ledger: Path) -> Iterator[None]:
    """Take it back to the first schema: all that later ones have added is removed."""
    with closing(sqlite3.connect(":memory:")) as first:
        first.executescript(OLD.read_text("utf-8"))
        columns = {name: _columns(first, name) for name in _tables(first)}
    with closing(sqlite3.connect(ledger, isolation_level=None)) as own:
        own.execute("BEGIN IMMEDIATE")
        for table in _tables(own):
            if table not in columns:
                own.execute(f'DROP TABLE "{table}"')
                continue
            for column in _columns(own, table) - columns[table]:
                for index in _indexes(own, table, column):
                    own.execute(f'DROP INDEX "{index}"')
                own.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
        own.execute("UPDATE meta SET value = '1' WHERE name = 'schema'")
        own.execute("COMMIT")
    yield


def read_only(ledger: Path) -> Iterator[None]:
    """Have the disk read-only, as a system makes it after an error."""
    disk.set_read_only(ledger.parent, on=True)
    yield
    disk.set_read_only(ledger.parent, on=False)


def _set_schema(ledger: Path, number: int) -> None:
    with closing(sqlite3.connect(ledger, isolation_level=None)) as own:
        own.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (str(number),))


def _tables(database: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return [name for (name,) in database.execute(query)]


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in database.execute(f'PRAGMA table_info("{table}")')}


def _indexes(database: sqlite3.Connection, table: str, column: str) -> list[str]:
    found = [row[1] for row in database.execute(f'PRAGMA index_list("{table}")')]
    return [
        index
        for index in found
        if column in {row[2] for row in database.execute(f'PRAGMA index_info("{index}")')}
    ]


TROUBLES: Mapping[str, Trouble] = {
    "full": full,
    "read-only": read_only,
    "locked": locked,
    "corrupt": corrupt,
    "newer": newer,
    "older": older,
}
"""What a ledger can meet while nobody has it open."""

NEED_DISK = frozenset({"full", "read-only"})
"""What needs a disk of its own."""


@contextmanager
def in_trouble(name: str, ledger: Path) -> Iterator[None]:
    """Have the ledger in trouble within the block, and mended after it."""
    yield from TROUBLES[name](ledger)
