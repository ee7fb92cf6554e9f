"""Statements that go to PostgreSQL together, so that nothing is waited for in between.

SQLAlchemy waits for each statement's answer. Where a row is locked that everybody needs, the
program would have to get its turn on a busy computer before it could send the COMMIT, and all
others would wait for that.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from usbprov.ledger.driver import Row, driver_of, wrapped

if TYPE_CHECKING:
    import psycopg

# ruff: noqa: PLC0415 - an extra


def begin_with(connection: Connection, statement: str, values: Sequence[object] = ()) -> Row:
    """Begin a transaction with a statement that gives one row; return the row.

    Raises:
        DBAPIError: As SQLAlchemy raises it.
    """
    import psycopg

    driver = _driver(connection)
    try:
        with _pipeline(driver):
            cursor = driver.execute(statement, values)
        return cursor.fetchone() or ()
    except psycopg.Error as error:
        raise wrapped(connection, statement, error) from error


def commit_with(connection: Connection, statement: str, values: Sequence[object]) -> None:
    """End a transaction with a statement; if that fails nothing is committed.

    Both go in one message of the simple protocol. (In a pipeline each would be sent by itself,
    and this thread may lose its turn between them.)

    Raises:
        DBAPIError: As SQLAlchemy raises it.
    """
    import psycopg

    try:
        with psycopg.ClientCursor(_driver(connection)) as cursor:
            cursor.execute(f"{statement}; COMMIT", values)
    except psycopg.Error as error:
        raise wrapped(connection, statement, error) from error


def _driver(connection: Connection) -> "psycopg.Connection[Row]":
    driver: psycopg.Connection[Row] = driver_of(connection)
    return driver


def _pipeline(driver: "psycopg.Connection[Row]") -> AbstractContextManager[object]:
    """Have all of it sent before an answer is waited for; a libpq before 14 cannot."""
    import psycopg

    return driver.pipeline() if psycopg.capabilities.has_pipeline() else nullcontext()
