"""The report as JSON: described in docs/report.md. Times are UTC, ISO 8601."""

import json
from datetime import UTC, datetime
from typing import Any

from usbprov.bench.report.facts import PhoneLine, Report, StepTimes, Sums
from usbprov.bench.report.statistic import spread_of

Document = dict[str, Any]


def as_json(report: Report) -> bytes:
    """Write the report as JSON, UTF-8, with a line feed at its end."""
    return (json.dumps(document(report), indent=2, ensure_ascii=False) + "\n").encode()


def document(report: Report) -> Document:
    """Describe the report."""
    return {
        "made": moment(report.made),
        "about": report.about,
        "since": moment(report.since),
        "until": moment(report.until),
        "bench": report.bench,
        "ledger": {"entries": report.entries, "head": report.head},
        "sums": _sums(report.sums),
        "rates": [
            {"since": moment(rate.since), "seconds": rate.seconds, "phones": rate.phones}
            for rate in report.rates
        ],
        "steps": [_step(step) for step in report.steps],
        "failures": [vars(group.trouble) | {"phones": group.phones} for group in report.failures],
        "failed_attempts": [dict(vars(attempts)) for attempts in report.attempts],
        "phones": [_phone(phone) for phone in report.phones],
    }


def moment(when: datetime | None) -> str | None:
    """Write a time: ``2026-11-23T17:05:00Z``."""
    return None if when is None else when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sums(sums: Sums) -> Document:
    numbers = {**vars(sums), "begun": moment(sums.begun), "ended": moment(sums.ended)}
    return numbers | {
        "yield": sums.yield_,
        "at_once_yield": sums.at_once_yield,
        "phones_per_hour": sums.per_hour,
    }


def _step(step: StepTimes) -> Document:
    counts = {"name": step.name, "times": len(step.values), "failed": step.failed}
    return counts | {f"{name}_ms": value for name, value in vars(spread_of(step.values)).items()}


def _phone(phone: PhoneLine) -> Document:
    certificate, trouble = phone.certificate, phone.trouble
    shown: Document = {**vars(phone), "standing": phone.standing.value}
    return shown | {
        "begun": moment(phone.begun),
        "ended": moment(phone.ended),
        "steps": [{"name": name, "ms": ms} for name, ms in phone.steps.items()],
        "certificate": certificate
        and {**vars(certificate), "not_after": moment(certificate.not_after)},
        "trouble": trouble and dict(vars(trouble)),
    }
