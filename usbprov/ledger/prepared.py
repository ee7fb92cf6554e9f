"""Statements that are executed for every phone: SQLAlchemy writes them once, the driver takes them.

What SQLAlchemy knows of the columns' types is kept: a value is converted on its way in, and a
column on its way out, exactly as SQLAlchemy does it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

from usbprov.ledger import driver

K = TypeVar("K")

_Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class _Written:
    """A statement as one driver takes it.

    Attributes:
        text: In the driver's way of writing parameters.
        order: The parameters' names, where they go by their place; None: they go by their names.
        before: What converts a parameter, by its name, where it is converted.
        constants: Parameters that are part of the statement.
        names: Of the columns that it gives.
        after: What converts a column, by its place, where it is converted.
    """

    text: str
    order: Sequence[str] | None
    before: Mapping[str, _Convert]
    constants: Mapping[str, object]
    names: tuple[str, ...]
    after: Sequence[tuple[int, _Convert]]

    def values(self, given: Mapping[str, object]) -> driver.Values:
        """Return the parameters as the driver takes them."""
        values = {**self.constants, **given}
        for name, convert in self.before.items():
            values[name] = convert(values[name])
        return values if self.order is None else [values[name] for name in self.order]

    def row(self, found: driver.Row) -> driver.Row:
        """Return a row as SQLAlchemy would give it."""
        if not self.after:
            return found
        row = list(found)
        for place, convert in self.after:
            row[place] = convert(row[place])
        return tuple(row)


class Prepared:
    """A statement that is written once for each kind of database. Thread-safe."""

    def __init__(self, statement: Executable, columns: Sequence[str] | None = None) -> None:
        """Keep it.

        Args:
            statement: Its parameters are ``bindparam``, and constants.
            columns: Those that an INSERT or UPDATE sets; None: as the statement says.
        """
        self._statement = statement
        self._columns = columns
        self._written: dict[str, _Written] = {}

    def rows(self, connection: Connection, given: Mapping[str, object]) -> list[driver.Row]:
        """Execute it and return its rows.

        Raises:
            DBAPIError: As SQLAlchemy raises it.
        """
        written = self._for(connection.dialect)
        found = driver.rows(connection, written.text, written.values(given))
        return [written.row(row) for row in found] if written.after else found

    def mappings(self, connection: Connection, given: Mapping[str, object]) -> list[dict[str, Any]]:
        """Execute it and return its rows by the columns' names; raises as ``rows``."""
        names = self._for(connection.dialect).names
        return [dict(zip(names, row, strict=True)) for row in self.rows(connection, given)]

    def change(self, connection: Connection, given: Mapping[str, object]) -> int:
        """Execute it and return how many rows were changed; raises as ``rows``."""
        written = self._for(connection.dialect)
        cursor = driver.execute(connection, written.text, written.values(given))
        changed = cursor.rowcount
        cursor.close()
        return changed

    def _for(self, dialect: Dialect) -> _Written:
        written = self._written.get(dialect.name)
        if written is None:
            written = self._written[dialect.name] = _write(self._statement, self._columns, dialect)
        return written


def _write(statement: Executable, columns: Sequence[str] | None, dialect: Dialect) -> _Written:
    assert isinstance(statement, ClauseElement)  # noqa: S101 - all statements are
    compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
    binds = {name: bind for bind, name in compiled.bind_names.items()}
    given = [(c.name, c.type) for c in getattr(statement, "exported_columns", ())]
    return _Written(
        text=compiled.string,
        order=compiled.positiontup if compiled.positional else None,
        before=dict(_present((name, _way_in(b.type, dialect)) for name, b in binds.items())),
        constants={name: bind.value for name, bind in binds.items() if not bind.required},
        names=tuple(name for name, _ in given),
        after=list(_present((n, _way_out(t, dialect)) for n, (_, t) in enumerate(given))),
    )


def _present(found: Iterable[tuple[K, _Convert | None]]) -> Iterator[tuple[K, _Convert]]:
    return ((key, convert) for key, convert in found if convert is not None)


def _way_in(of: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return of.dialect_impl(dialect).bind_processor(dialect)


def _way_out(of: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return of.dialect_impl(dialect).result_processor(dialect, None)
