"""The list of phones as a table: the same columns in CSV and in the workbook."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from usbprov.bench.report.facts import PhoneLine, Report

Value = str | int | float | datetime | None

COLUMNS: Mapping[str, str] = {
    "job": "job",
    "standing": "standing.value",
    "user": "user",
    "extension": "extension",
    "model": "model",
    "serial": "serial",
    "mac": "mac",
    "port": "port",
    "slot": "slot",
    "bench": "bench",
    "roster": "roster",
    "begun": "begun",
    "ended": "ended",
    "work_ms": "work_ms",
    "jobs": "jobs",
    "failed_attempts": "failed_attempts",
    "sha256": "certificate.sha256",
    "sha1": "certificate.sha1",
    "not_after": "certificate.not_after",
    "error_code": "trouble.code",
    "error": "trouble.says",
    "cause": "trouble.cause",
    "remedy": "trouble.remedy",
}
"""The columns' names, and where in a ``PhoneLine`` their values are; times are UTC."""


def heads(report: Report) -> list[str]:
    """Return the names of the columns: ``COLUMNS``, and ``ms_…`` for each step of the report."""
    return [*COLUMNS, *(f"ms_{step.name.replace(' ', '_')}" for step in report.steps)]


def row(report: Report, phone: PhoneLine) -> Sequence[Value]:
    """Return the values of one phone."""
    values = [_value(phone, path) for path in COLUMNS.values()]
    return [*values, *(phone.steps.get(step.name) for step in report.steps)]


def _value(phone: PhoneLine, path: str) -> Value:
    found: Any = phone
    for name in path.split("."):
        found = None if found is None else getattr(found, name)
    value: Value = found
    return value
