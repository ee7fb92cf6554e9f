"""The database's clock in SQL, so that benches whose own clocks are wrong agree on leases."""

from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Float, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.visitors import InternalTraversal

from usbprov.ledger.schema import Utc


class DatabaseTime(ColumnElement[datetime]):
    """The time by the database's clock, some seconds from now."""

    type = Utc()
    inherit_cache = True
    _traverse_internals = [("seconds", InternalTraversal.dp_clauseelement)]  # noqa: RUF012

    def __init__(self, seconds: "float | BindParameter[float]" = 0.0) -> None:
        if not isinstance(seconds, BindParameter):
            seconds = bindparam(None, float(seconds), Float(), unique=True)
        self.seconds = seconds


@compiles(DatabaseTime, "sqlite")
def _sqlite(element: DatabaseTime, compiler: Any, **options: Any) -> str:
    # To the millisecond, written as SQLAlchemy writes a time, since such are compared as text.
    seconds = compiler.process(element.seconds, **options)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {seconds} || ' seconds')"


@compiles(DatabaseTime, "postgresql")
def _postgresql(element: DatabaseTime, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.seconds, **options)
    return f"((clock_timestamp() + make_interval(secs => {seconds})) AT TIME ZONE 'UTC')"
