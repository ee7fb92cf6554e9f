"""What the ledger has of a stretch of time, in each of the databases."""

from datetime import timedelta

import pytest
from shifts import BEGUN, Shift, certificate, usual

from usbprov.bench.report.summing import make_report
from usbprov.ledger.history import Stretch, read_history, work_times
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState


@pytest.fixture
def shift(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Shift:
    return Shift(ledger, monkeypatch)


def test_it_is_what_the_ledger_says_job_by_job(shift: Shift) -> None:
    usual(shift)
    ledger = shift.ledger
    history = read_history(ledger.database, Stretch())
    assert list(history.jobs) == ledger.jobs()[::-1]
    for job in ledger.jobs():
        assert history.steps.get(job.id, []) == ledger.steps(job.id)
        assert history.facts.get(job.id, {}) == ledger.facts(job.id)
        kept = history.certificates.get(job.id)
        assert (kept and kept.data) == ledger.artifact(job.id, ArtifactKind.CERTIFICATE)
    verified = ledger.verify()
    assert (history.entries, history.head) == (verified.entries, verified.head)


def test_the_newest_certificate_that_passed_counts(shift: Shift) -> None:
    job = shift.open(1)
    for number in (1, 2):
        shift.ledger.keep(job.id, ArtifactKind.CERTIFICATE, certificate(number))
    assert _certificate(shift, job.id) == certificate(2)
    shift.ledger.reject(job.id, ArtifactKind.CERTIFICATE)
    assert _certificate(shift, job.id) is None


def _certificate(shift: Shift, job: int) -> bytes | None:
    kept = read_history(shift.ledger.database, Stretch()).certificates.get(job)
    return kept.data if kept else None


def test_jobs_at_work_in_the_stretch_are_meant(shift: Shift) -> None:
    marks = []
    for number in (1, 2, 3):
        marks.append(shift.now)
        shift.goes_well(number)
        shift.wait(minutes=10)

    def users(stretch: Stretch) -> list[int]:
        return [job.id for job in read_history(shift.ledger.database, stretch).jobs]

    assert users(Stretch(since=marks[1])) == [2, 3]
    assert users(Stretch(since=marks[1] + timedelta(seconds=1))) == [2, 3]
    assert users(Stretch(until=marks[2])) == [1, 2]
    assert users(Stretch(marks[1], marks[1] + timedelta(seconds=1))) == [2]
    assert users(Stretch(since=shift.now)) == []


def test_a_bench_is_told_from_others(shift: Shift) -> None:
    shift.goes_well(1, bench="north")
    shift.goes_well(2, bench="south")
    shift.goes_well(3, bench=None)
    database = shift.ledger.database
    north = read_history(database, Stretch(bench="north"))
    assert [job.bench for job in north.jobs] == ["north"]
    assert set(north.steps) == set(north.certificates) == {1}
    assert len(work_times(database, Stretch(bench="south"))) == 1
    assert len(work_times(database, Stretch())) == 3


def test_times_of_work_come_with_the_last_change_first(shift: Shift) -> None:
    first = shift.open(1)
    shift.wait(hours=1)
    shift.goes_well(2)
    shift.wait(hours=1)
    shift.ledger.finish(first.id, JobState.DONE)
    times = work_times(shift.ledger.database, Stretch())
    assert times[0] == (BEGUN, shift.now)
    assert times[1][0] == BEGUN + timedelta(hours=1)


def test_both_databases_give_the_same_report(shift: Shift) -> None:
    usual(shift)
    history = read_history(shift.ledger.database, Stretch())
    sums = make_report(history, Stretch(), "all", shift.now).sums
    assert (sums.phones, sums.done, sums.failed, sums.unfinished, sums.at_once) == (
        24,
        20,
        3,
        1,
        17,
    )
