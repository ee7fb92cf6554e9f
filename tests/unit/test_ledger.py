"""The ledger: durable, one kind of error, no newer schema, one unfinished job a slot."""

import os
import sqlite3
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from usbprov.errors import LedgerTooNew, LedgerUnusable, NoSuchJob, RequestRefused
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState, NewJob, StepState

NEW = NewJob(
    phone_serial="EMU0001",
    phone_mac="02:00:5e:00:00:01",
    phone_model="usbprov EP-100",
    port_path="1-1",
    slot=0,
    user=None,
    extension="1001",
    web_services_url="https://pool.contoso.test/",
    registrar=None,
    key_source="phone",
    nonce=b"n" * 16,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "ledger.sqlite3"


def test_a_job_comes_back_as_it_was_written(path: Path) -> None:
    with Ledger(path) as ledger:
        record = ledger.open_job(NEW)
        assert vars(NEW).items() <= vars(record).items()
        assert record.state is JobState.OPEN
        assert datetime.now(UTC) - record.created < timedelta(minutes=1)
    with Ledger(path) as again:
        assert again.job(str(record.id)) == record
        assert again.jobs() == [record]


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.open_job(NEW)
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_commits_are_durable(path: Path) -> None:
    with Ledger(path) as ledger, ledger._database.begin() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert pragmas == ["wal", 2, 1]


def test_a_newer_job_for_the_slot_supersedes_unfinished_ones(path: Path) -> None:
    with Ledger(path) as ledger:
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
def test_whose_job_it_is_once_the_user_is_known(path: Path, asked: NewJob, found: bool) -> None:
    with Ledger(path) as ledger:
        record = ledger.open_job(NEW)
        ledger.set_user(record.id, "sip:alice@contoso.test")
        latest = ledger.latest(asked, JobState.OPEN)
    assert (latest is not None) is found


def test_whose_job_it_is_while_the_user_is_not_known(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.open_job(NEW)
        assert ledger.latest(replace(NEW, user="sip:bob@contoso.test"), JobState.OPEN)
        other = replace(NEW, user="sip:bob@contoso.test", extension="1002")
        assert ledger.latest(other, JobState.OPEN) is None


def test_steps_are_written_before_and_after(path: Path) -> None:
    with Ledger(path) as ledger:
        job = ledger.open_job(NEW).id
        attempt = ledger.begin_step(job, "key")
        (begun,) = ledger.steps(job)
        assert (begun.state, begun.ms) == (StepState.BEGUN, None)
        ledger.end_step(attempt, StepState.FAILED, 12, code="USB-07")
        ledger.note_step(job, "key", StepState.SKIPPED, 1, "made before")
        first, second = ledger.steps(job)
    assert (first.state, first.ms, first.error_code) == (StepState.FAILED, 12, "USB-07")
    assert (second.state, second.learnt) == (StepState.SKIPPED, "made before")


def test_artifacts_are_kept_once_and_the_newest_is_given(path: Path) -> None:
    with Ledger(path) as ledger:
        job = ledger.open_job(NEW).id
        assert ledger.artifact(job, ArtifactKind.CERTIFICATE) is None
        for data in (b"one", b"two", b"two"):
            ledger.keep(job, ArtifactKind.CERTIFICATE, data)
        assert ledger.artifact(job, ArtifactKind.CERTIFICATE) == b"two"
        assert [kept.data for kept in ledger.artifacts(job)] == [b"one", b"two"]
        assert ledger.artifact(job, ArtifactKind.REQUEST) is None


def test_the_error_that_stopped_a_job_is_recorded(path: Path) -> None:
    with Ledger(path) as ledger:
        job = ledger.open_job(NEW).id
        ledger.finish(job, JobState.STUCK, RequestRefused("pool", "too small"))
        record = ledger.job(str(job))
    assert (record.state, record.error_code) == (JobState.STUCK, "WEB-04")
    assert "too small" in (record.error or "")


@pytest.mark.parametrize("number", ["7", "x", "", "-1"])
def test_no_such_job(path: Path, number: str) -> None:
    with Ledger(path) as ledger, pytest.raises(NoSuchJob):
        ledger.job(number)


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.open_job(NEW)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
    connection.close()
    with Ledger(path) as ledger, pytest.raises(LedgerTooNew):
        ledger.jobs()


def test_a_damaged_file_is_an_error_of_the_tree(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, but long enough to be looked at " * 40)
    with Ledger(path) as ledger, pytest.raises(LedgerUnusable, match=r"ledger\.sqlite3"):
        ledger.jobs()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Ledger(tmp_path / "file" / "ledger") as ledger, pytest.raises(LedgerUnusable):
        ledger.jobs()


def test_a_commit_survives_kill_9(path: Path) -> None:
    child = os.fork()
    if child == 0:  # the child writes, and dies without a chance to close anything
        Ledger(path).open_job(NEW)
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    with Ledger(path) as ledger:
        assert [job.extension for job in ledger.jobs()] == ["1001"]


def test_four_processes_may_open_a_new_ledger_together(path: Path) -> None:
    children = []
    for number in range(4):
        child = os.fork()
        if child == 0:
            try:
                Ledger(path).open_job(replace(NEW, slot=number))
            except BaseException:
                os._exit(1)
            os._exit(0)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    with Ledger(path) as ledger:
        assert sorted(job.slot for job in ledger.jobs()) == [0, 1, 2, 3]


def test_a_ledger_whose_creation_was_cut_short_is_created_again(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    with Ledger(path) as ledger:
        assert ledger.jobs() == []


@pytest.mark.parametrize("number", ["9" * 18, "9" * 30, "\N{ARABIC-INDIC DIGIT ONE}" * 40])
def test_a_number_too_long_for_a_job(path: Path, number: str) -> None:
    with Ledger(path) as ledger, pytest.raises(NoSuchJob):
        ledger.job(number)
