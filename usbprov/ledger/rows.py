"""All rows of a ledger from one database into another, each as of one moment.

The tables are the same in both, and so are the entries of the chain: it can be verified in the
copy as it can in the original.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, text

from usbprov.ledger.copying import Told
from usbprov.ledger.schema import metadata

_AT_A_TIME = 500

_GIVEN: Mapping[str, str] = {
    "sqlite": "SELECT seq FROM sqlite_sequence WHERE name = :table",
    "postgresql": "SELECT pg_sequence_last_value(CAST(:table || '_id_seq' AS regclass))",
}
"""What asks for the highest number that was ever given to a row of a table."""

_GIVE: Mapping[str, Sequence[str]] = {
    "sqlite": (
        "DELETE FROM sqlite_sequence WHERE name = :table",
        "INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last)",
    ),
    "postgresql": ("SELECT setval(CAST(:table || '_id_seq' AS regclass), :last)",),
}
"""What sets it."""


def copy_rows(source: Connection, copy: Connection, told: Told) -> None:
    """Replace all rows of ``copy``, whose tables must be there, by those of ``source``."""
    for table in reversed(metadata.sorted_tables):
        copy.execute(delete(table))
    total = sum(_count(source, table) for table in metadata.sorted_tables)
    done = 0
    for table in metadata.sorted_tables:
        query = select(table).execution_options(yield_per=_AT_A_TIME)
        with source.execute(query) as rows:
            for part in rows.mappings().partitions(_AT_A_TIME):
                copy.execute(insert(table), [dict(row) for row in part])
                done += len(part)
                told(100 * done // total)
        if table.dialect_options["sqlite"]["autoincrement"]:
            _go_on_numbering(source, copy, table)


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _go_on_numbering(source: Connection, copy: Connection, table: Table) -> None:
    """Have the copy give no number again, also none of a row that was removed."""
    named = {"table": table.name}
    last: Any = source.execute(text(_GIVEN[source.dialect.name]), named).scalar()
    if last is not None:
        for statement in _GIVE[copy.dialect.name]:
            copy.execute(text(statement), named | {"last": last})
