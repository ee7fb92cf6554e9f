"""INSERT … ON CONFLICT, which both databases have, each under its own name in SQLAlchemy."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Table
from sqlalchemy.dialects import postgresql, sqlite

Upsert = sqlite.Insert | postgresql.Insert


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
    insert: Upsert = (sqlite if dialect == "sqlite" else postgresql).insert(table).values(values)
    key = [column.name for column in table.primary_key]
    changed = {name: insert.excluded[name] for name in values if name not in key}
    return insert.on_conflict_do_update(index_elements=key, set_=changed, where=only_if)
