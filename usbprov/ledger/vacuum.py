"""Giving back the room of what was removed, so that it is gone from the disk as well."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, text

from usbprov.errors import LedgerDenied
from usbprov.ledger.database import Database
from usbprov.ledger.schema import metadata

_SIZE = text(
    "SELECT sum(pg_total_relation_size(CAST(name AS regclass)))"
    " FROM unnest(CAST(:names AS text[])) AS name"
)
_NOT_MINE = text(
    "SELECT min(relname) FROM unnest(CAST(:names AS text[])) AS name"
    " JOIN pg_class ON oid = CAST(name AS regclass) WHERE NOT pg_has_role(relowner, 'USAGE')"
)
_NO_LIMIT = "SET statement_timeout = 0"


@dataclass(frozen=True)
class Vacuumed:
    """What it came to.

    Attributes:
        before: Bytes of the file and its log, or of the tables.
        after: The same afterwards.
        log_emptied: False where another process still reads what is in the file's log; it is
            emptied when that process ends.
    """

    before: int
    after: int
    log_emptied: bool


def vacuum(database: Database) -> Vacuumed:
    """Write the ledger anew without what was removed; benches wait for it meanwhile.

    Raises:
        LedgerBusy: Others write for too long.
        LedgerDenied: The role does not own the tables.
        LedgerFull: There is no room: a file needs as much again as it has.
        LedgerError: As of ``usbprov/errors/ledger.py``.
    """
    database.open()
    name = database.backend.name
    return database.read(lambda connection: _WAYS[connection.dialect.name](connection, name))


def _file(connection: Connection, _name: str) -> Vacuumed:
    before = _size_of_file(connection)
    # What it puts aside meanwhile goes nowhere else than into memory.
    connection.exec_driver_sql("PRAGMA temp_store=MEMORY").close()
    connection.exec_driver_sql("VACUUM").close()
    emptied = empty_log(connection)
    return Vacuumed(before, _size_of_file(connection), emptied)


def empty_log(connection: Connection) -> bool:
    """Bring a file's log into the file and cut it to nothing; False while others read it."""
    busy, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    return not busy


def _size_of_file(connection: Connection) -> int:
    query = "SELECT file FROM pragma_database_list WHERE name = 'main'"
    name = connection.exec_driver_sql(query).scalar_one()
    files = (Path(name), Path(f"{name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _server(connection: Connection, name: str) -> Vacuumed:
    tables = {"names": [table.name for table in metadata.sorted_tables]}
    foreign = connection.execute(_NOT_MINE, tables).scalar()
    if foreign:
        raise LedgerDenied(name, f"only the owner of the table {foreign} may do this")
    before = _size_of_tables(connection, tables)
    connection.exec_driver_sql(_NO_LIMIT).close()
    for table in tables["names"]:
        connection.exec_driver_sql(f'VACUUM (ANALYZE) "{table}"').close()
    after = _size_of_tables(connection, tables)
    connection.detach()  # nobody else is to have one without limit
    return Vacuumed(before, after, log_emptied=True)


def _size_of_tables(connection: Connection, tables: Mapping[str, list[str]]) -> int:
    return int(connection.execute(_SIZE, tables).scalar_one())


_WAYS: Mapping[str, Callable[[Connection, str], Vacuumed]] = {
    "sqlite": _file,
    "postgresql": _server,
}
