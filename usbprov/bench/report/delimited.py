"""The list of phones as CSV (RFC 4180), one a line, safe to open in a spreadsheet."""

import csv
import io
from datetime import datetime

from usbprov.bench.report.columns import Value, heads, row
from usbprov.bench.report.document import moment
from usbprov.bench.report.facts import Report

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for a formula's begin, or skips before one (OWASP, CSV injection)."""


def as_csv(report: Report) -> bytes:
    """Write the phones: UTF-8, commas, CR LF, the names of the columns in the first line."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(heads(report))
    writer.writerows([cell(value) for value in row(report, phone)] for phone in report.phones)
    return text.getvalue().encode()


def cell(value: Value) -> str:
    """Write a value; a text that could be taken for a formula gets an apostrophe before it."""
    if isinstance(value, datetime):
        return moment(value) or ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None else str(value)
