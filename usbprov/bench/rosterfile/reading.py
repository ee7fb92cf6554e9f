"""A roster out of its file, with everything that is wrong in it, all at once."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from usbprov.bench.roster import Roster, RosterEntry
from usbprov.bench.rosterfile.cells import Cell, Line, Sheet
from usbprov.bench.rosterfile.columns import Column, Columns, Field, find_columns
from usbprov.bench.rosterfile.delimited import read_delimited
from usbprov.bench.rosterfile.findings import Finding, errors_of
from usbprov.bench.rosterfile.values import READERS
from usbprov.bench.rosterfile.workbook import SIGNATURE, read_workbook
from usbprov.errors import RosterInvalid, RosterUnreadable
from usbprov.pki.core_dumps import no_core_files

LARGEST = 16 * 1024 * 1024
"""Bytes of a file that is read."""

UNIQUE = (Field.EXTENSION, Field.SIP_URI, Field.SERIAL, Field.MAC, Field.PORT)
"""What no two users may share."""

_KEEPS_ZEROS = (Field.EXTENSION, Field.PIN)
"""Where a leading zero counts, and is lost in a spreadsheet's number."""

_TOO_LONG = (
    "it has more cells than there are columns: a value with the separating sign in it"
    " must be in quotes"
)
_ZEROS_LOST = (
    "it is a number with fewer digits than the others: a leading zero may be lost;"
    " format the column as text, and key it in"
)
_SHORT_PIN = "it has fewer digits than the others: a spreadsheet may have lost a leading zero"

Values = Mapping[Field, str]


@dataclass(frozen=True)
class Row:
    """A line of the file.

    Attributes:
        line: Its number.
        values: What could be read of it, by field. Not in the repr: a PIN may be among it.
        is_whole: Whether all of it could be read.
    """

    line: int
    values: Values = field(repr=False)
    is_whole: bool = True


@dataclass(frozen=True)
class RosterReading:
    """What came of reading a roster.

    Attributes:
        path: The file.
        roster: Its users; without those whose lines are wrong.
        findings: What is wrong or worth knowing, in the file's order.
    """

    path: Path
    roster: Roster
    findings: tuple[Finding, ...]

    def require(self) -> Roster:
        """Return the roster, if nothing is wrong with it.

        Raises:
            RosterInvalid: Something is; it has all of it.
        """
        wrong = errors_of(self.findings)
        if wrong:
            problems = tuple(map(str, wrong))
            raise RosterInvalid(str(self.path), len(wrong), problems[0], problems)
        return self.roster


def read_sheet(path: Path, data: bytes | None = None) -> Sheet:
    """Read a file as a table: a workbook by its first bytes, anything else as text.

    Args:
        path: The file.
        data: What is in it, where that was read already.

    Raises:
        RosterUnreadable: It is not there, too big, or no table.
        WorkbookSupportMissing: It is a workbook, and openpyxl is not installed.
    """
    content = _read(path) if data is None else data
    if len(content) > LARGEST:
        raise RosterUnreadable(str(path), f"it has more than {LARGEST >> 20} MiB")
    read = read_workbook if content.startswith(SIGNATURE) else read_delimited
    return read(content, str(path))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise RosterUnreadable(str(path), error.strerror or str(error)) from None


def read_roster(path: Path) -> RosterReading:
    """Read a roster, and look at every cell of it.

    Raises:
        RosterUnreadable: It cannot be read as a table at all.
        WorkbookSupportMissing: It is a workbook, and openpyxl is not installed.
    """
    no_core_files()  # it may have PINs
    sheet = read_sheet(path)
    columns = find_columns(sheet.heads)
    findings = [*_about_file(sheet, columns), *_about_heads(sheet, columns)]
    rows = list(read_rows(sheet, columns, findings))
    findings += _about_roster(sheet, columns, rows)
    good = [row for row in rows if row.is_whole and _is_somebody(row)]
    entries = tuple(map(_entry, good))
    pins = {row.line: row.values[Field.PIN] for row in good if Field.PIN in row.values}
    roster = Roster(path.stem.lower(), entries, pins)
    return RosterReading(path, roster, tuple(sorted(findings, key=lambda found: found.line)))


def read_rows(sheet: Sheet, columns: Columns, findings: list[Finding]) -> Iterator[Row]:
    """Yield what each line says; what cannot be read goes to ``findings``."""
    digits = _usual_digits(sheet, columns)
    for line in sheet.lines:
        reader = _LineReader(sheet, line, digits)
        values = {kind: reader.read(kind, column) for kind, column in columns.found.items()}
        reader.look_beyond()
        findings += reader.findings
        read = {kind: value for kind, value in values.items() if value}
        yield Row(line.number, read, not errors_of(reader.findings))


def _usual_digits(sheet: Sheet, columns: Columns) -> Mapping[Field, int]:
    """Return how many digits a column's values have, where most have the same number of them."""
    usual = {}
    for kind in _KEEPS_ZEROS:
        column = columns.found.get(kind)
        texts = [line.cell(column.index).text for line in sheet.lines] if column else []
        lengths = Counter(len(text) for text in texts if text.isdigit())
        if lengths:
            length, count = lengths.most_common(1)[0]
            if count * 2 > lengths.total():
                usual[kind] = length
    return usual


@dataclass
class _LineReader:
    """Reads one line, and notes what is wrong with it."""

    sheet: Sheet
    line: Line
    digits: Mapping[Field, int]
    findings: list[Finding] = field(default_factory=list)

    def read(self, kind: Field, column: Column) -> str:
        """Return what a cell says in our form; "" where it is empty or cannot be read."""
        cell = self.line.cell(column.index)
        problem = cell.problem or self._lost_zeros(kind, cell)
        try:
            if problem:
                raise ValueError(problem)
            return READERS[kind](cell.text) if cell.text else ""
        except ValueError as error:
            self._note(column, str(error))
            return ""

    def look_beyond(self) -> None:
        """Find what stands to the right of the last column that has a name."""
        last = len(self.sheet.heads.cells)
        if any(cell.text for cell in self.line.cells[last:]):
            self.findings.append(Finding(self.line.number, "", _TOO_LONG))

    def _lost_zeros(self, kind: Field, cell: Cell) -> str:
        if cell.is_number and kind is Field.MAC:
            return "the spreadsheet has made a number of it: format the column as text"
        is_short = len(cell.text) < self.digits.get(kind, 0) and cell.text.isdigit()
        if is_short and cell.is_number:
            return _ZEROS_LOST
        return ""

    def _note(self, column: Column, words: str) -> None:
        name = self.sheet.cell_name(self.line.number, column.index)
        self.findings.append(Finding(self.line.number, column.head, words, cell=name))


def _about_file(sheet: Sheet, columns: Columns) -> Iterator[Finding]:
    for words in sheet.notes:
        yield Finding(0, "", words, is_error=False)
    if columns.found and not sheet.lines:
        yield Finding(0, "", "it has the names of the columns, and no user")


def _about_heads(sheet: Sheet, columns: Columns) -> Iterator[Finding]:
    for is_error, told in ((True, columns.errors), (False, columns.notes)):
        for index, words in told:
            # Where no column is known, the first line may be a user's: nothing of it is repeated.
            head = sheet.heads.cells[index].text if columns.found else ""
            name = sheet.cell_name(sheet.heads.number, index)
            yield Finding(sheet.heads.number, head, words, is_error, cell=name)
    if columns.found and not columns.found.keys() & {Field.EXTENSION, Field.SIP_URI}:
        words = "there is neither a column extension nor a column sip address"
        yield Finding(sheet.heads.number, "", words)


def _about_roster(sheet: Sheet, columns: Columns, rows: list[Row]) -> Iterator[Finding]:
    for row in rows:
        if (
            row.is_whole
            and not _is_somebody(row)
            and columns.found.keys() & {Field.EXTENSION, Field.SIP_URI}
        ):
            words = "nobody is named: it has neither extension nor SIP address"
            yield Finding(row.line, "", words)
    yield from _doubles(sheet, columns, rows)
    yield from _short_pins(sheet, columns, rows)
    if Field.PIN in columns.found and any(Field.PIN in row.values for row in rows):
        words = "the file holds PINs: whoever reads it can sign in as these users"
        remedy = (
            "Better take the column out and give the PINs with --secrets (a file of mode 0600)."
        )
        yield Finding(0, columns.found[Field.PIN].head, words, is_error=False, remedy=remedy)


def _doubles(sheet: Sheet, columns: Columns, rows: list[Row]) -> Iterator[Finding]:
    for kind in UNIQUE:
        first: dict[str, int] = {}
        for row in rows:
            value = row.values.get(kind)
            earlier = first.setdefault(value.casefold(), row.line) if value else row.line
            if earlier != row.line:
                column = columns.found[kind]
                name = sheet.cell_name(row.line, column.index)
                words = f"{value} is on line {earlier} already"
                yield Finding(row.line, column.head, words, cell=name)


def _short_pins(sheet: Sheet, columns: Columns, rows: list[Row]) -> Iterator[Finding]:
    usual = _usual_digits(sheet, columns).get(Field.PIN, 0)
    for row in rows:
        if 0 < len(row.values.get(Field.PIN, "")) < usual:
            yield Finding(row.line, columns.found[Field.PIN].head, _SHORT_PIN, is_error=False)


def _is_somebody(row: Row) -> bool:
    return Field.EXTENSION in row.values or Field.SIP_URI in row.values


_ENTRY_FIELDS: Mapping[str, Field] = {
    "sip_uri": Field.SIP_URI,
    "serial": Field.SERIAL,
    "mac": Field.MAC,
    "port": Field.PORT,
    "display_name": Field.NAME,
}


def _entry(row: Row) -> RosterEntry:
    said: Callable[[Field], str | None] = row.values.get
    optional = {name: said(kind) for name, kind in _ENTRY_FIELDS.items()}
    return RosterEntry(row.line, said(Field.EXTENSION) or "", **optional)
