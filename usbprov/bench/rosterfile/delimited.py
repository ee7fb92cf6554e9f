"""Tables in text files: commas, semicolons or tabs; UTF-8, UTF-16 or Windows-1252."""

import codecs
import csv
import io
from collections.abc import Iterator

from usbprov.bench.rosterfile.cells import MOST_COLUMNS, MOST_LINES, Cell, Line, Sheet
from usbprov.errors import RosterUnreadable

_DELIMITERS = (",", ";", "\t")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATOR_LINE = "sep="
"""Excel's own way to say which character separates: ``sep=;`` in the first line."""

_TYPE_LINE = "#TYPE"
"""What PowerShell's Export-Csv puts first."""


def read_delimited(data: bytes, path: str) -> Sheet:
    """Read a table out of a text file.

    Args:
        data: All of it.
        path: The file's name, for errors.

    Raises:
        RosterUnreadable: It is not text, has no lines, or its quotes do not match.
    """
    text, notes = _decoded(data, path)
    lines = _lines(text, _delimiter(text), path)
    heads = next(lines, None)
    if heads is None:
        raise RosterUnreadable(path, "it is empty")
    return Sheet(heads, tuple(lines), notes=notes)


def _decoded(data: bytes, path: str) -> tuple[str, tuple[str, ...]]:
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    notes: tuple[str, ...] = ()
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = _windows(data, path)
        notes = ("not UTF-8, so read as Windows-1252: look at the names with accents",)
    if "\0" in text:
        raise RosterUnreadable(path, "it is no text file")
    return text, notes


def _windows(data: bytes, path: str) -> str:
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        raise RosterUnreadable(path, "it is text neither in UTF-8 nor in Windows-1252") from None


def _delimiter(text: str) -> str:
    """Return what separates: as the file says itself, else what the heads have most of."""
    for line in text.splitlines():
        if line.lower().startswith(_SEPARATOR_LINE) and len(line) > len(_SEPARATOR_LINE):
            return line[len(_SEPARATOR_LINE)]
        if line.strip() and not line.startswith(_TYPE_LINE):
            bare = "".join(line.split('"')[::2])
            return max(_DELIMITERS, key=bare.count)
    return ","


def _lines(text: str, delimiter: str, path: str) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begin = 1
    try:
        for cells in reader:
            if reader.line_num > MOST_LINES:
                raise RosterUnreadable(path, f"it has more than {MOST_LINES} lines")
            if len(cells) > MOST_COLUMNS:
                raise RosterUnreadable(path, f"line {begin} has {len(cells)} columns")
            if any(cell.strip() for cell in cells) and not _is_about_the_file(cells, begin):
                yield Line(begin, tuple(Cell(cell.strip()) for cell in cells))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise RosterUnreadable(path, f"line {begin}: {error}") from None


def _is_about_the_file(cells: list[str], line: int) -> bool:
    first = cells[0]
    return first.startswith(_TYPE_LINE) or (line == 1 and first.lower().startswith(_SEPARATOR_LINE))
