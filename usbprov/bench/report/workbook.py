"""The report as a workbook (XLSX, ECMA-376), written by openpyxl: numbers, times and texts."""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from usbprov.bench.report.columns import Value, heads, row
from usbprov.bench.report.facts import Report
from usbprov.bench.report.statistic import spread_of
from usbprov.errors import ReportSupportMissing

# ruff: noqa: PLC0415 - openpyxl is an extra, and takes long to import

_TIME_FORMAT = "yyyy-mm-dd hh:mm:ss"
_PART_FORMAT = "0.0%"
_WIDEST = 60
_UNFIT = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")
"""What XML 1.0 (2.2) has no place for."""

_LONGEST = 32_767
"""Characters in a cell."""

Row = Sequence[Value]


class _Part(float):
    """A part of a whole, shown in per cent."""


def as_workbook(report: Report) -> bytes:
    """Write it: the sheets Summary, Phones, Steps and Failures; times are UTC.

    Raises:
        ReportSupportMissing: openpyxl is not installed.
    """
    try:
        from openpyxl import Workbook
    except ImportError:
        raise ReportSupportMissing("a workbook", "openpyxl", "xlsx") from None
    book = Workbook()
    book.remove(book.active)
    _fill(book, "Summary", ("", ""), _summary(report))
    _fill(book, "Phones", heads(report), (row(report, phone) for phone in report.phones))
    _fill(book, "Steps", _STEP_HEADS, _steps(report))
    _fill(book, "Failures", _FAILURE_HEADS, _failures(report))
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def _summary(report: Report) -> Iterator[Row]:
    sums = report.sums
    yield "about", report.about
    yield "made (UTC)", report.made
    yield "phones", sums.phones
    yield "done", sums.done
    yield "failed", sums.failed
    yield "unfinished", sums.unfinished
    yield "yield", sums.yield_ if sums.yield_ is None else _Part(sums.yield_)
    yield "done at once", sums.at_once
    yield "first begun (UTC)", sums.begun
    yield "last done (UTC)", sums.ended
    yield "phones per hour", sums.per_hour
    yield "entries of the ledger", report.entries
    yield "hash of the last", report.head


_STEP_HEADS = ("step", "times", "failed", *(f"{name}_ms" for name in (
    "least", "lower", "median", "upper", "p95", "most"
)))  # fmt: skip


def _steps(report: Report) -> Iterator[Row]:
    for step in report.steps:
        yield step.name, len(step.values), step.failed, *vars(spread_of(step.values)).values()


_FAILURE_HEADS = ("phones", "error_code", "error", "cause", "remedy")


def _failures(report: Report) -> Iterator[Row]:
    for group in report.failures:
        of = group.trouble
        yield group.phones, of.code, of.says, of.cause, of.remedy


def _fill(book: Any, name: str, names: Sequence[str], rows: Iterable[Row]) -> None:
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet = book.create_sheet(name)
    all_rows = [names, *rows] if any(names) else list(rows)
    widths = [0] * len(names)
    for at, values in enumerate(all_rows, 1):
        for column, value in enumerate(values, 1):
            shown = _put(sheet.cell(at, column), value)
            widths[column - 1] = max(widths[column - 1], len(shown))
    for column, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(column)].width = min(width, _WIDEST) + 2
    if any(names):
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = sheet.dimensions
        for cell in sheet[1]:
            cell.font = Font(bold=True)


def _put(cell: Any, value: Value) -> str:
    """Set a cell by its kind of value; a text stays one, whatever it begins with."""
    if isinstance(value, datetime):
        # A workbook knows no zones.
        cell.value = value.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        cell.number_format = _TIME_FORMAT
        return _TIME_FORMAT
    if isinstance(value, str):
        cell.value = _UNFIT.sub("\N{REPLACEMENT CHARACTER}", value)[:_LONGEST]
        cell.data_type = "s"  # otherwise a leading = would make a formula of it
    else:
        cell.value = value
        if isinstance(value, _Part):
            cell.number_format = _PART_FORMAT
    return str(value)
