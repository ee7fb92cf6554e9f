"""A table as it stands in a file: lines of cells, before anything is made of them."""

from collections.abc import Callable
from dataclasses import dataclass, field

MOST_LINES = 20_000
"""Lines of a file; a roster of more users is none for one bench."""

MOST_COLUMNS = 200
"""Columns of a file; exports of a directory have about a hundred."""


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: What it says, without spaces around. Not in the repr: it may be a PIN.
        is_number: Whether it is a number of a spreadsheet, which keeps no leading zeros.
        problem: Why what it says is not what was meant, in words; "" if nothing is known.
    """

    text: str = field(default="", repr=False)
    is_number: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Line:
    """A line of the file; ``number`` counts from 1, empty lines too."""

    number: int
    cells: tuple[Cell, ...]

    def cell(self, index: int) -> Cell:
        """Return a cell; a line that is too short has empty ones."""
        return self.cells[index] if index < len(self.cells) else Cell()


@dataclass(frozen=True)
class Sheet:
    """A table.

    Attributes:
        heads: The line with the names of the columns.
        lines: The others, without empty ones.
        cell_name: Names a cell of a workbook (line, column from 0): ``C7``; "" in text files.
        notes: What is worth knowing about how it was read.
    """

    heads: Line
    lines: tuple[Line, ...]
    cell_name: Callable[[int, int], str] = lambda _line, _column: ""
    notes: tuple[str, ...] = ()
