"""The report's numbers are what an independent count, in plain SQL, finds in the ledger's file."""

import json
import sqlite3
import statistics
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from shifts import BEGUN, CORRUPT, EXPIRES, REFUSED, SILENT, Shift, certificate, usual

from usbprov.bench.report.document import document
from usbprov.bench.report.facts import Report
from usbprov.bench.report.statistic import spread_of
from usbprov.bench.report.summing import MOST_RATES, make_report
from usbprov.ledger.history import Stretch, read_history
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def shift(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shift]:
    with Ledger(file) as ledger:
        yield Shift(ledger, monkeypatch)


def report_of(shift: Shift) -> Report:
    history = read_history(shift.ledger.database, Stretch())
    return make_report(history, Stretch(), "all", shift.now)


def ask(file: Path, query: str, *values: str) -> list[Any]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query, values).fetchall()


STANDINGS = """
    SELECT state, count(*) FROM job
    WHERE id IN (SELECT max(id) FROM job GROUP BY phone_serial, phone_mac, slot) GROUP BY state
"""
TIMES = "SELECT ms FROM step WHERE state = 'done' AND name = ?"
FAILED = "SELECT count(*) FROM step WHERE state = 'failed' AND name = ?"


def test_where_the_phones_stand(shift: Shift, file: Path) -> None:
    usual(shift)
    sums = report_of(shift).sums
    count = dict(ask(file, STANDINGS))
    assert sums.phones == sum(count.values())
    assert sums.done == count["done"]
    assert sums.failed == count["failed"] + count["stuck"]
    assert sums.unfinished == count["open"]
    assert sums.yield_ == count["done"] / (count["done"] + count["failed"] + count["stuck"])


def test_phones_per_hour(shift: Shift, file: Path) -> None:
    usual(shift)
    report = report_of(shift)
    ((begun, ended, done),) = ask(
        file,
        "SELECT min(julianday(created)), max(julianday(updated)) FILTER (WHERE state = 'done'),"
        " count(*) FILTER (WHERE state = 'done') FROM job",
    )
    assert report.sums.per_hour == pytest.approx(done / ((ended - begun) * 24), rel=1e-4)
    assert sum(rate.phones for rate in report.rates) == done
    assert 1 <= len(report.rates) <= MOST_RATES + 1
    for one, next_ in zip(report.rates, report.rates[1:], strict=False):
        assert one.since + timedelta(seconds=one.seconds) == next_.since


def test_times_of_steps(shift: Shift, file: Path) -> None:
    usual(shift)
    for step in report_of(shift).steps:
        values = [ms for (ms,) in ask(file, TIMES, step.name)]
        assert list(step.values) == sorted(values)
        ((failed,),) = ask(file, FAILED, step.name)
        assert step.failed == failed
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        spread = spread_of(step.values)
        assert (spread.least, spread.most) == (min(values), max(values))
        assert (spread.lower, spread.median, spread.upper) == pytest.approx((lower, median, upper))


def test_steps_come_in_the_jobs_order(shift: Shift) -> None:
    usual(shift)
    names = [step.name for step in report_of(shift).steps]
    assert names == ["ticket", "key", "publish", "install", "prove"]


def test_failures_are_grouped_by_cause(shift: Shift) -> None:
    usual(shift)
    report = report_of(shift)
    assert [(g.trouble.code, g.phones) for g in report.failures] == [
        (REFUSED.code, 2),
        (CORRUPT.code, 1),
    ]
    assert all(group.trouble.cause and group.trouble.remedy for group in report.failures)
    assert {(a.code, a.step): a.attempts for a in report.attempts} == {
        (REFUSED.code, "ticket"): 2,
        (CORRUPT.code, "install"): 2,
        (SILENT.code, "publish"): 2,
    }


def test_a_phone_that_is_done_after_a_failure_stands_done(shift: Shift) -> None:
    shift.fails(1, "install", CORRUPT, JobState.STUCK)
    shift.goes_well(1)
    report = report_of(shift)
    (phone,) = report.phones
    assert (phone.job, phone.jobs, phone.failed_attempts) == (2, 2, 1)
    assert (report.sums.done, report.sums.failed, report.sums.at_once) == (1, 0, 0)
    assert report.failures == []


def test_thumbprint_and_expiry_are_those_of_the_certificate(shift: Shift) -> None:
    shift.goes_well(7)
    (phone,) = report_of(shift).phones
    of = x509.load_der_x509_certificate(certificate(7))
    assert phone.certificate is not None
    assert phone.certificate.sha256 == of.fingerprint(hashes.SHA256()).hex()
    assert phone.certificate.sha1 == of.fingerprint(hashes.SHA1()).hex()  # noqa: S303
    assert phone.certificate.not_after == EXPIRES


def test_what_a_server_gave_for_a_certificate_need_not_be_one(shift: Shift) -> None:
    job = shift.open(1)
    shift.ledger.keep(job.id, ArtifactKind.CERTIFICATE, b"no certificate")
    (phone,) = report_of(shift).phones
    assert phone.certificate is not None
    assert (phone.certificate.sha1, phone.certificate.not_after) == ("", None)


def test_a_ledger_in_which_nothing_is_done_yet(shift: Shift) -> None:
    shift.open(1)
    report = report_of(shift)
    assert report.rates == report.steps == report.failures == []
    assert document(report)["sums"] == {
        "phones": 1,
        "done": 0,
        "failed": 0,
        "unfinished": 1,
        "at_once": 0,
        "begun": "2026-11-23T07:00:00Z",
        "ended": None,
        "yield": None,
        "at_once_yield": None,
        "phones_per_hour": None,
    }


@pytest.mark.parametrize("hours", [0.1, 3, 20, 200])
def test_bars_cover_any_time(shift: Shift, hours: float) -> None:
    shift.goes_well(1)
    shift.wait(hours=hours)
    shift.goes_well(2)
    rates = report_of(shift).rates
    assert len(rates) <= MOST_RATES + 1
    assert (rates[0].phones, rates[-1].phones) == (1, 1)
    assert rates[0].since <= BEGUN < rates[0].since + timedelta(seconds=rates[0].seconds)


def test_the_document_can_be_written(shift: Shift) -> None:
    usual(shift)
    made = json.loads(json.dumps(document(report_of(shift))))
    assert len(made["phones"]) == 24
    assert made["phones"][0]["certificate"]["not_after"] == "2027-05-22T07:00:00Z"
