"""What a job's ledger gathers: written with the next write, in one commit, and before any look."""

from dataclasses import replace
from pathlib import Path

import pytest
from jobs import NEW

from usbprov.errors import LedgerBusy
from usbprov.ledger.gathering import GatheringLedger
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState, StepState


def test_an_end_waits_for_the_next_beginning(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        mine = GatheringLedger(ledger)
        job = mine.open_job(NEW).id
        mine.end_step(mine.begin_step(job, "ticket"), StepState.DONE, 5, "a ticket")
        mine.set_user(job, "sip:alice@contoso.test")
        mine.keep(job, ArtifactKind.REQUEST, b"request")
        assert [step.state for step in ledger.steps(job)] == [StepState.BEGUN]
        assert ledger.artifact(job, ArtifactKind.REQUEST) is None
        entries = ledger.verify().entries
        mine.begin_step(job, "clock")
        assert ledger.verify().entries == entries + 1
        assert [step.state for step in ledger.steps(job)] == [StepState.DONE, StepState.BEGUN]
        assert ledger.job(str(job)).user == "sip:alice@contoso.test"
        assert ledger.artifact(job, ArtifactKind.REQUEST) == b"request"


def test_an_answer_does_not_wait(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        mine = GatheringLedger(ledger)
        job = mine.open_job(NEW).id
        mine.note_step(job, "plan", StepState.DONE, 1, "")
        mine.keep(job, ArtifactKind.CERTIFICATE, b"certificate")
        assert ledger.artifact(job, ArtifactKind.CERTIFICATE) == b"certificate"
        assert [step.name for step in ledger.steps(job)] == ["plan"]


def test_a_look_sees_what_waited(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        mine = GatheringLedger(ledger)
        job = mine.open_job(NEW).id
        mine.note_step(job, "plan", StepState.DONE, 1, "")
        assert [step.name for step in mine.steps(job)] == ["plan"]


def test_what_is_dropped_is_never_written(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        mine = GatheringLedger(ledger)
        job = mine.open_job(NEW).id
        mine.note_step(job, "plan", StepState.DONE, 1, "")
        mine.drop()
        mine.flush()
        mine.finish(job, JobState.DONE)
        assert ledger.steps(job) == []


def test_what_could_not_be_written_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        mine = GatheringLedger(ledger)
        job = mine.open_job(replace(NEW, slot=1)).id
        mine.note_step(job, "plan", StepState.DONE, 1, "")

        def fail(*_: object) -> None:
            raise LedgerBusy("the ledger", "locked")

        with monkeypatch.context() as patch:
            patch.setattr(mine.database, "write", fail)
            with pytest.raises(LedgerBusy):
                mine.begin_step(job, "ticket")
        assert ledger.steps(job) == []
        mine.begin_step(job, "ticket")
        assert [step.name for step in ledger.steps(job)] == ["plan", "ticket"]
