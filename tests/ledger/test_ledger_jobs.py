"""What the ledger keeps of jobs comes back as it was written, from either database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from jobs import NEW

from usbprov.errors import NoSuchJob, RequestRefused
from usbprov.ledger.address import LedgerPlace
from usbprov.ledger.chain import Write
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState, NewJob, StepState
from usbprov.ledger.schema import jobs

AT = datetime.now(UTC)


def test_a_job_comes_back_as_it_was_written(place: LedgerPlace) -> None:
    with Ledger(place) as ledger:
        record = ledger.open_job(NEW)
        assert vars(NEW).items() <= vars(record).items()
        assert record.state is JobState.OPEN
        assert datetime.now(UTC) - record.created < timedelta(minutes=1)
    with Ledger(place) as again:
        assert again.job(str(record.id)) == record
        assert again.jobs() == [record]


def test_a_write_that_fails_leaves_nothing_and_the_next_one_succeeds(place: LedgerPlace) -> None:
    def fail(write: Write) -> None:
        write.insert(jobs, {**vars(NEW), "state": JobState.OPEN, "created": AT, "updated": AT})
        raise ZeroDivisionError

    with Ledger(place) as ledger:
        first = ledger.open_job(NEW)
        with pytest.raises(ZeroDivisionError):
            ledger.database.write("job opened", fail)
        assert ledger.jobs() == [first]
        ledger.finish(first.id, JobState.DONE)
        assert ledger.verify().entries == 2


def test_a_newer_job_for_the_slot_supersedes_unfinished_ones(place: LedgerPlace) -> None:
    with Ledger(place) as ledger:
        done = ledger.open_job(NEW)
        ledger.finish(done.id, JobState.DONE)
        ledger.open_job(NEW)
        ledger.open_job(replace(NEW, extension="1002"))
        ledger.open_job(replace(NEW, slot=1))
        ledger.open_job(replace(NEW, phone_mac="02:00:5e:00:00:02"))
        states = [job.state for job in reversed(ledger.jobs())]
    assert states == [JobState.DONE, JobState.SUPERSEDED, *[JobState.OPEN] * 3]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (NEW, True),
        (replace(NEW, user="sip:alice@contoso.test"), True),
        (replace(NEW, user="sip:bob@contoso.test"), False),
        (replace(NEW, extension="1002"), False),
        (replace(NEW, user="sip:alice@contoso.test", extension="9999"), True),
        (replace(NEW, phone_serial="EMU0002"), False),
    ],
)
def test_whose_job_it_is_once_the_user_is_known(
    place: LedgerPlace, asked: NewJob, found: bool
) -> None:
    with Ledger(place) as ledger:
        record = ledger.open_job(NEW)
        ledger.set_user(record.id, "sip:alice@contoso.test")
        latest = ledger.latest(asked, JobState.OPEN)
    assert (latest is not None) is found


def test_whose_job_it_is_while_the_user_is_not_known(place: LedgerPlace) -> None:
    with Ledger(place) as ledger:
        ledger.open_job(NEW)
        assert ledger.latest(replace(NEW, user="sip:bob@contoso.test"), JobState.OPEN)
        other = replace(NEW, user="sip:bob@contoso.test", extension="1002")
        assert ledger.latest(other, JobState.OPEN) is None


def test_whose_job_it_is_where_neither_user_nor_extension_is_known(place: LedgerPlace) -> None:
    nobody = replace(NEW, user=None, extension=None)
    with Ledger(place) as ledger:
        ledger.open_job(NEW)
        assert ledger.latest(nobody, JobState.OPEN) is None
        job = ledger.open_job(nobody)
        assert ledger.latest(nobody, JobState.OPEN) == job
        assert ledger.latest(replace(nobody, user="sip:a@contoso.test"), JobState.OPEN) == job


def test_steps_are_written_before_and_after(place: LedgerPlace) -> None:
    with Ledger(place) as ledger:
        job = ledger.open_job(NEW).id
        attempt = ledger.begin_step(job, "key")
        (begun,) = ledger.steps(job)
        assert (begun.state, begun.ms) == (StepState.BEGUN, None)
        ledger.end_step(attempt, StepState.FAILED, 12, code="USB-07")
        ledger.note_step(job, "key", StepState.SKIPPED, 1, "made before")
        first, second = ledger.steps(job)
    assert (first.state, first.ms, first.error_code) == (StepState.FAILED, 12, "USB-07")
    assert (second.state, second.learnt) == (StepState.SKIPPED, "made before")


def test_artifacts_are_kept_once_and_the_newest_is_given(place: LedgerPlace) -> None:
    with Ledger(place) as ledger:
        job = ledger.open_job(NEW).id
        assert ledger.artifact(job, ArtifactKind.CERTIFICATE) is None
        for data in (b"one", b"two", b"two"):
            ledger.keep(job, ArtifactKind.CERTIFICATE, data)
        assert ledger.artifact(job, ArtifactKind.CERTIFICATE) == b"two"
        assert [kept.data for kept in ledger.artifacts(job)] == [b"one", b"two"]
        assert ledger.artifact(job, ArtifactKind.REQUEST) is None


def test_the_error_that_stopped_a_job_is_recorded(place: LedgerPlace) -> None:
    with Ledger(place) as ledger:
        job = ledger.open_job(NEW).id
        ledger.finish(job, JobState.STUCK, RequestRefused("pool", "too small"))
        record = ledger.job(str(job))
    assert (record.state, record.error_code) == (JobState.STUCK, "WEB-04")
    assert "too small" in (record.error or "")


@pytest.mark.parametrize("number", ["7", "x", "", "-1"])
def test_no_such_job(place: LedgerPlace, number: str) -> None:
    with Ledger(place) as ledger, pytest.raises(NoSuchJob):
        ledger.job(number)


@pytest.mark.parametrize("number", ["9" * 18, "9" * 30, "\N{ARABIC-INDIC DIGIT ONE}" * 40])
def test_a_number_too_long_for_a_job(place: LedgerPlace, number: str) -> None:
    with Ledger(place) as ledger, pytest.raises(NoSuchJob):
        ledger.job(number)


def test_the_facts_of_an_error_go_with_it(place: LedgerPlace) -> None:
    with Ledger(place) as ledger:
        job = ledger.open_job(NEW).id
        assert ledger.facts(job) == {}
        for reason in ("too small", "too old"):
            ledger.finish(job, JobState.STUCK, RequestRefused("pool", reason))
            assert ledger.facts(job)["words"] == reason
        ledger.finish(job, JobState.DONE)
        assert ledger.facts(job) == {}
        ledger.finish(99, JobState.STUCK, RequestRefused("pool", "no such job"))
        assert ledger.facts(99) == {}
        ledger.verify()


def test_the_latest_of_a_phone_is_one_that_came_to_something(place: LedgerPlace) -> None:
    serial, mac = NEW.phone_serial, NEW.phone_mac
    with Ledger(place) as ledger:
        assert ledger.latest_of_phone(serial, mac) is None
        done = ledger.open_job(NEW)
        ledger.finish(done.id, JobState.DONE)
        failed = ledger.open_job(replace(NEW, extension="1002"))
        ledger.finish(failed.id, JobState.FAILED)
        latest = ledger.latest_of_phone(serial, mac)
        assert latest is not None
        assert latest.id == done.id
        assert ledger.latest_of_phone(serial, "02:00:5e:00:00:09") is None
        assert ledger.latest_of_phone(serial, mac, "shift") is None
        mine = ledger.open_job(replace(NEW, roster="shift"))
        assert ledger.latest_of_phone(serial, mac, "shift") == mine
        assert ledger.latest_of_phone(serial, mac, "another") is None
