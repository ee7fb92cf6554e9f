"""What each phone holds, and when that ends, from either database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from doubles.certificates import issue
from jobs import NEW

from usbprov.engine.checks.expiry import expiries
from usbprov.ledger.holdings import read_holdings
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState, NewJob, StepState
from usbprov.pki.certificates import to_der

LATER = replace(NEW, phone_serial="EMU0002", phone_mac="02:00:5e:00:00:02")


def der(name: str, days: float = 180) -> bytes:
    return to_der(issue(name, days=(days - 180, days)).certificate)


def job(
    ledger: Ledger, new: NewJob, certificate: bytes | None, state: JobState = JobState.DONE
) -> int:
    opened = ledger.open_job(new)
    if certificate:
        ledger.keep(opened.id, ArtifactKind.CERTIFICATE, certificate)
    if state is not JobState.OPEN:
        ledger.finish(opened.id, state)
    return opened.id


def held(ledger: Ledger) -> dict[int, bytes]:
    return {holding.job.id: holding.data for holding in read_holdings(ledger.database)}


def test_the_last_certificate_of_each_phone_counts(ledger: Ledger) -> None:
    job(ledger, NEW, der("first"))
    renewed, other = der("renewed"), der("other")
    number = job(ledger, NEW, renewed)
    other_number = job(ledger, LATER, other)
    job(ledger, LATER, None, JobState.FAILED)
    job(ledger, LATER, None)  # it did nothing about the certificate
    assert held(ledger) == {number: renewed, other_number: other}


def test_a_job_that_asked_twice_holds_the_second_answer(ledger: Ledger) -> None:
    number = job(ledger, NEW, der("refused"), JobState.OPEN)
    ledger.reject(number, ArtifactKind.CERTIFICATE)
    second = der("second")
    ledger.keep(number, ArtifactKind.CERTIFICATE, second)
    ledger.finish(number, JobState.DONE)
    assert held(ledger) == {number: second}


def test_an_unfinished_job_counts_once_it_was_committed(ledger: Ledger) -> None:
    old, new = der("old"), der("new")
    first = job(ledger, NEW, old)
    second = job(ledger, NEW, new, JobState.OPEN)
    step = ledger.begin_step(second, "install")
    assert held(ledger) == {first: old}
    ledger.end_step(step, StepState.DONE, 1)
    assert held(ledger) == {second: new}


def test_the_first_to_end_comes_first(ledger: Ledger) -> None:
    ends = {job(ledger, replace(LATER, slot=slot), der(f"{slot}", days), JobState.DONE): days
            for slot, days in enumerate((90, 10, 170))}  # fmt: skip
    found = expiries(ledger)
    assert [ends[one.job.id] for one in found] == [10, 90, 170]
    assert [one.is_due(datetime.now(UTC)) for one in found] == [True, False, False]
    assert found[0].not_after - datetime.now(UTC) < timedelta(days=11)


def test_a_retired_phone_holds_nothing_and_serves_nobody(ledger: Ledger) -> None:
    new = replace(NEW, roster="shift")
    job(ledger, new, der("first"))
    other = job(ledger, replace(LATER, roster="shift"), der("other"))
    stuck = job(ledger, replace(new, slot=1), None, JobState.STUCK)
    ended = ledger.open_job(replace(NEW, key_source="none", web_services_url=""))
    before = ledger.job(str(stuck)).updated
    ledger.retire(ended)
    assert list(held(ledger)) == [other]
    states = {job.id: job.state for job in ledger.jobs_of_phone(NEW.phone_serial, NEW.phone_mac)}
    assert set(states.values()) == {JobState.RETIRED}
    assert len(states) == 3
    assert ledger.job(str(stuck)).updated == before  # it was at work then, and not now
    assert ledger.latest_of_phone(NEW.phone_serial, NEW.phone_mac) is None
    serving = [
        one.job for one in ledger.served_since("shift", 0).jobs if one.state is JobState.DONE
    ]
    assert serving == [other]
    assert ledger.verify().entries > 0
    again = job(ledger, NEW, der("again"))
    assert sorted(held(ledger)) == [other, again]
