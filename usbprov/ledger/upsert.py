"""INSERT … ON CONFLICT, which both databases have, each under its own name in SQLAlchemy."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Union

from sqlalchemy import ColumnElement, Table

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

# ruff: noqa: PLC0415 - few need both, and they take their time

Upsert = Union["sqlite.Insert", "postgresql.Insert"]


def upsert(
    dialect: str,
    table: Table,
    values: Mapping[str, Any],
    only_if: ColumnElement[bool] | None = None,
) -> Upsert:
    """Insert a row, or change the one with its primary key.

    Args:
        dialect: The database's name in SQLAlchemy.
        table: Its primary key is what may be there already.
        values: The row; clauses of SQL may be among them.
        only_if: What must be so of the row that is there; otherwise nothing is done.
    """
    insert = _insert(dialect, table).values(values)
    key = [column.name for column in table.primary_key]
    changed = {name: insert.excluded[name] for name in values if name not in key}
    return insert.on_conflict_do_update(index_elements=key, set_=changed, where=only_if)


def _insert(dialect: str, table: Table) -> Upsert:
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
