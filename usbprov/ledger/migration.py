"""Making the tables, or bringing those of an older version forward."""

from sqlalchemy import Connection, Engine, insert, inspect, select, update

from usbprov.errors import LedgerForeign, LedgerTooNew
from usbprov.ledger.backend import Backend
from usbprov.ledger.chain import begin_chain
from usbprov.ledger.schema import SCHEMA, heads, meta, metadata

SCRIPTS = "usbprov.ledger:migrations"
"""Where alembic finds its scripts; their revisions are the schemas' numbers."""


def prepare(engine: Engine, backend: Backend) -> None:
    """Have the database at the schema of this version.

    Of several processes that start together one does it, and the others wait; all of it is one
    transaction.

    Raises:
        LedgerTooNew: It is at a newer one; nothing was touched.
    """
    with engine.connect() as connection:
        connection.execution_options(**backend.reading)
        if _found(connection, backend) == SCHEMA:
            return
    with engine.begin() as connection:
        backend.lock_schema(connection)
        found = _found(connection, backend)  # anew: another process may have been first
        if found is None:
            _create(connection)
        elif found < SCHEMA:
            backend.back_up(SCHEMA)
            _migrate(connection, found)


def _found(connection: Connection, backend: Backend) -> int | None:
    """Return the schema that the database is at, or None where it has no tables."""
    look = inspect(connection)
    # Before it is looked for our own table: another process may be making all of them just now.
    tables = look.get_table_names()
    if not look.has_table(meta.name):
        _refuse_foreign(backend, connection, tables)
        return None
    query = select(meta.c.value).filter_by(name="schema")
    value = connection.execute(query).scalar_one_or_none()
    if value is None:
        raise LedgerForeign(backend.name, f"its table {meta.name} is of another program")
    found = int(value)
    if found > SCHEMA:
        raise LedgerTooNew(backend.name, found, SCHEMA)
    return found


def _refuse_foreign(backend: Backend, connection: Connection, tables: list[str]) -> None:
    """Make no tables in the file of another program; a server's database may be shared."""
    if tables and connection.dialect.name == "sqlite":
        raise LedgerForeign(backend.name, "it is a database of another program")


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(insert(meta).values(name="schema", value=str(SCHEMA)))
    begin_chain(connection)
    connection.execute(insert(heads).values(name="board", number=0, previous="", hash=""))


def _migrate(connection: Connection, found: int) -> None:
    """Run alembic's scripts; which schema there is, our own table says, not alembic's."""
    from alembic import command  # noqa: PLC0415 - needed once in a ledger's life
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    config.attributes["connection"] = connection
    command.stamp(config, str(found), purge=True)
    command.upgrade(config, str(SCHEMA))
    connection.execute(update(meta).filter_by(name="schema").values(value=str(SCHEMA)))
