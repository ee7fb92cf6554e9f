"""The way past SQLAlchemy to the database's driver, with SQLAlchemy's errors.

For what is executed with every write: SQLAlchemy takes seven times as long as the driver does to
execute a statement that is written already, and every phone makes some hundred of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

Row = tuple[Any, ...]
Values = Sequence[object] | Mapping[str, object]


class Cursor(Protocol):
    """What a driver gives for a statement: of ``sqlite3.Cursor`` and ``psycopg.Cursor``."""

    @property
    def rowcount(self) -> int:
        """How many rows the statement changed."""
        ...

    def fetchall(self) -> list[Row]:
        """Return the rows that the statement gives."""
        ...

    def close(self) -> object:
        """Give it back."""
        ...


class DriverConnection(Protocol):
    """A connection of a driver: ``sqlite3.Connection`` or ``psycopg.Connection``."""

    def execute(self, statement: Any, values: Any = ..., /) -> Cursor:
        """Execute a statement."""
        ...


def driver_of(connection: Connection) -> Any:
    """Return the driver's own connection: a ``DriverConnection``, and whatever it is besides."""
    return connection.connection.driver_connection


def execute(connection: Connection, statement: str, values: Values = ()) -> Cursor:
    """Execute a statement as the driver takes it, in the transaction that is under way.

    Raises:
        DBAPIError: As SQLAlchemy raises it.
    """
    driver: DriverConnection = driver_of(connection)
    try:
        return driver.execute(statement, values) if values else driver.execute(statement)
    except Exception as error:
        raise wrapped(connection, statement, error) from error


def rows(connection: Connection, statement: str, values: Values = ()) -> list[Row]:
    """Execute a statement, and return all its rows.

    Raises:
        DBAPIError: As SQLAlchemy raises it.
    """
    cursor = execute(connection, statement, values)
    try:
        return cursor.fetchall()
    except Exception as error:
        raise wrapped(connection, statement, error) from error
    finally:
        cursor.close()


def wrapped(connection: Connection, statement: str, error: Exception) -> BaseException:
    """Return SQLAlchemy's error for one of the driver's; any other error is returned as it is."""
    dialect = connection.dialect
    is_lost = _is_lost(connection, error)
    if is_lost:
        connection.invalidate(error)
    return DBAPIError.instance(
        statement,
        None,
        error,
        dialect.loaded_dbapi.Error,
        connection_invalidated=is_lost,
        dialect=dialect,
    )


def _is_lost(connection: Connection, error: Exception) -> bool:
    dialect = connection.dialect
    if not isinstance(error, dialect.loaded_dbapi.Error):
        return False
    return dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
