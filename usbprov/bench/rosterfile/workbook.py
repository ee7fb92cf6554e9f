"""Tables in workbooks (XLSX, ECMA-376): the first sheet, read by openpyxl, nothing evaluated.

A workbook comes from outside and is hostile until it is read: the archive is looked through first
(sizes as they really unpack, document type definitions), then only values are taken.
"""

import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from usbprov.bench.rosterfile.cells import MOST_COLUMNS, MOST_LINES, Cell, Line, Sheet
from usbprov.errors import RosterUnreadable, WorkbookSupportMissing

# ruff: noqa: PLC0415 - openpyxl is an extra, and takes long to import

SIGNATURE = b"PK\x03\x04"
"""What every ZIP archive with something in it begins with, so every workbook (APPNOTE 4.3.7)."""

_MOST_MEMBERS = 1_000
_MOST_UNPACKED = 32 * 1024 * 1024
"""Bytes of all members together; a sheet of ``MOST_LINES`` users has about five million."""

_MOST_TAGS = 1_000_000
"""Tags of all members together: a cell of a few bytes takes a hundred times that in memory. Twenty
thousand users in six columns have about nine hundred thousand."""

_CHUNK = 1 << 16
_OVERLAP = 32
_DTD = re.compile(rb"<\0?!\0?(?:D\0?O\0?C\0?T\0?Y\0?P\0?E|E\0?N\0?T\0?I\0?T\0?Y)", re.IGNORECASE)
"""In UTF-8 and in both orders of UTF-16."""

_ODD_KINDS = {
    "f": "it is a formula, which is not calculated here: paste its value",
    "e": "it is an error of the spreadsheet",
    "d": "the spreadsheet has made a date of it: format the column as text",
    "b": "it is a truth value, not text",
}
"""Kinds of cell (openpyxl's ``data_type``) that are not what was keyed in."""

_FEWEST_ZEROS = re.compile(r"0+")
"""A number format that shows leading zeros: ``0000``."""

_EXACT_DIGITS = 15
"""Digits that a spreadsheet keeps of a number (IEEE 754 binary64)."""

_INEXACT = (
    f"it is a number, of which a spreadsheet keeps only {_EXACT_DIGITS} digits: format the column"
    " as text, and key it in again"
)


def read_workbook(data: bytes, path: str) -> Sheet:
    """Read the first sheet.

    Args:
        data: All of the file.
        path: The file's name, for errors.

    Raises:
        RosterUnreadable: It is no workbook, too big when unpacked, or has no lines.
        WorkbookSupportMissing: openpyxl is not installed.
    """
    _look_through(data, path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what openpyxl leaves out does not matter here
        lines, notes = _read(data, path)
    if not lines:
        raise RosterUnreadable(path, "its first sheet is empty")
    return Sheet(lines[0], tuple(lines[1:]), cell_name=cell_name, notes=notes)


def cell_name(line: int, column: int) -> str:
    """Name a cell as spreadsheets do: line 7, column 2 (from 0) is ``C7``."""
    letters, rest = "", column + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return f"{letters}{line}"


def _look_through(data: bytes, path: str) -> None:
    """Unpack every member to nowhere, as the sizes that an archive tells may be lies."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > _MOST_MEMBERS:
                raise RosterUnreadable(path, f"it has {len(members)} parts, too many for a roster")
            measure = _Measure(path)
            for member in members:
                with archive.open(member) as part:
                    measure.take(part)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise RosterUnreadable(path, f"it is no workbook: {error}") from None
    except (ValueError, zlib.error):
        raise RosterUnreadable(path, "it is no workbook: its parts are damaged") from None


@dataclass
class _Measure:
    """How much the members of an archive are, unpacked; raises ``RosterUnreadable``."""

    path: str
    size: int = 0
    tags: int = 0

    def take(self, part: IO[bytes]) -> None:
        """Unpack one member to nowhere."""
        tail = b""
        while chunk := part.read(_CHUNK):
            self.size += len(chunk)
            self.tags += chunk.count(b"<")
            if self.size > _MOST_UNPACKED:
                mib = _MOST_UNPACKED >> 20
                raise RosterUnreadable(self.path, f"unpacked it has more than {mib} MiB")
            if self.tags > _MOST_TAGS:
                raise RosterUnreadable(self.path, "it has too many cells for a roster")
            if _DTD.search(tail + chunk):
                raise RosterUnreadable(self.path, "it has a document type definition")
            tail = chunk[-_OVERLAP:]


def _read(data: bytes, path: str) -> tuple[list[Line], tuple[str, ...]]:
    try:
        import openpyxl
    except ImportError:
        raise WorkbookSupportMissing(path) from None
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
        try:
            sheet, *others = book.worksheets
            lines = list(_lines(sheet, path))
        finally:
            book.close()
    except RosterUnreadable:
        raise
    except Exception as error:  # whatever a damaged workbook makes openpyxl stumble over
        raise RosterUnreadable(path, f"it is no workbook: {type(error).__name__}") from None
    return lines, _others(sheet.title, len(others))


def _others(title: str, others: int) -> tuple[str, ...]:
    return (f"read the first sheet, {title!r}, and not the other {others}",) if others else ()


def _lines(sheet: Any, path: str) -> Iterator[Line]:
    sheet.reset_dimensions()  # what the file says of its size may be a lie
    for number, row in enumerate(sheet.iter_rows(), start=1):
        if number > MOST_LINES:
            raise RosterUnreadable(path, f"it has more than {MOST_LINES} lines")
        if len(row) > MOST_COLUMNS:
            raise RosterUnreadable(path, f"line {number} has {len(row)} columns")
        cells = tuple(map(_cell, row))
        if any(cell.text or cell.problem for cell in cells):
            yield Line(number, cells)


def _cell(cell: Any) -> Cell:
    if cell.value is None:
        return Cell()
    if cell.data_type in _ODD_KINDS:
        return Cell(problem=_ODD_KINDS[cell.data_type])
    if cell.data_type == "n":
        return _number(cell.value, str(cell.number_format))
    return Cell(str(cell.value).strip())


def _number(value: float, form: str) -> Cell:
    """Write a number as the sheet shows it, where that is digits only."""
    if value != int(value):
        return Cell(problem="it is a number with a fraction")
    digits = str(int(value))
    if len(digits) > _EXACT_DIGITS:
        return Cell(problem=_INEXACT)
    if _FEWEST_ZEROS.fullmatch(form) and len(form) > 1:
        return Cell(digits.zfill(len(form)))
    return Cell(digits, is_number=True)
