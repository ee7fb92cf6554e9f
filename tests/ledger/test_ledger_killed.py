"""Killed (-9) anywhere in a backup, restore, vacuum, purge or migration, the ledger is whole."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import alembic.command  # noqa: F401 - so that not every child has to load it
import pytest
from cut_short import cut_short
from jobs import NEW
from test_ledger_migration import OLD

from usbprov.errors import LedgerHashUnknown, RequestRefused
from usbprov.ledger.backup import back_up
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.purge import purge
from usbprov.ledger.records import ArtifactKind, JobState, StepState
from usbprov.ledger.restore import restore_file
from usbprov.ledger.schema import SCHEMA
from usbprov.ledger.vacuum import vacuum
from usbprov.ledger.verify import Verified

MARKER = "marker-learnt"


def prepare(folder: Path) -> None:
    """Make a ledger, and its backup, which it is four entries ahead of."""
    with Ledger(folder / "ledger") as ledger:
        for _ in range(2):
            job = ledger.open_job(NEW).id
            ledger.note_step(job, "identify", StepState.DONE, 3, MARKER)
            ledger.keep(job, ArtifactKind.CERTIFICATE, b"certificate %d" % job)
            ledger.finish(job, JobState.FAILED, RequestRefused("pool", "too small"))
        back_up(ledger.database, folder / "backup")
        for _ in range(4):
            ledger.open_job(NEW)


def verified(path: Path, expect: str | None = None) -> Verified:
    with Ledger(path) as ledger:
        return ledger.verify(expect)


def has(path: Path, digest: str) -> bool:
    try:
        return verified(path, digest).expected is not None
    except LedgerHashUnknown:
        return False


def test_backup(tmp_path: Path) -> None:
    def work(folder: Path) -> None:
        with Ledger(folder / "ledger") as ledger:
            back_up(ledger.database, folder / "copy")

    killed = []
    for point, folder in cut_short(tmp_path, prepare, work):
        killed.append(point)
        head = verified(folder / "ledger").head
        copy = folder / "copy"
        if copy.exists():
            assert verified(copy).head == head, point
            copy.unlink()
        work(folder)
        assert verified(copy).head == head
    assert any("os.link" in point for point in killed)


def test_restore(tmp_path: Path) -> None:
    def work(folder: Path) -> None:
        restore_file(folder / "ledger", folder / "backup", lambda _: True)

    outcomes = set()
    for point, folder in cut_short(tmp_path, prepare, work):
        old = verified(tmp_path / "begun" / "ledger").head
        new = verified(tmp_path / "begun" / "backup").head
        assert (folder / "ledger").exists(), point
        found = verified(folder / "ledger").head
        assert found in (old, new), point
        outcomes.add(found == new)
        kept = list(folder.glob("ledger.before-restore-*"))
        assert any(has(place, old) for place in [folder / "ledger", *kept]), point
        work(folder)
        assert verified(folder / "ledger").head == new
        assert any(has(place, old) for place in folder.glob("ledger.before-restore-*")), point
        assert not list(folder.glob(".ledger*")), point
    assert outcomes == {False, True}


def test_vacuum(tmp_path: Path) -> None:
    def work(folder: Path) -> None:
        with Ledger(folder / "ledger") as ledger:
            vacuum(ledger.database)

    killed = []
    for point, folder in cut_short(tmp_path, prepare, work, most=8):
        killed.append(point)
        found = verified(folder / "ledger")
        assert found.entries == 12, point
        work(folder)
        assert verified(folder / "ledger") == found
    assert "within a statement" in killed


def test_purge(tmp_path: Path) -> None:
    def work(folder: Path) -> None:
        with Ledger(folder / "ledger") as ledger:
            purge(ledger.database, datetime.now(UTC), lambda _: True)
            vacuum(ledger.database)

    outcomes = set()
    for point, folder in cut_short(tmp_path, prepare, work, most=14):
        path = folder / "ledger"
        found = verified(path)
        outcomes.add(found.purged is not None)
        with Ledger(path) as ledger:
            steps = [len(ledger.steps(job.id)) for job in ledger.jobs()]
            assert sum(steps) == (0 if found.purged else 2), point
            assert len(ledger.jobs()) == 6
            assert ledger.artifact(2, ArtifactKind.CERTIFICATE) == b"certificate 2"
        work(folder)
        assert verified(path).purged
        assert not [file for file in folder.glob("ledger*") if MARKER.encode() in file.read_bytes()]
    assert outcomes == {False, True}


def test_migration(tmp_path: Path) -> None:
    def old(folder: Path) -> None:
        with closing(sqlite3.connect(folder / "ledger")) as connection:
            connection.executescript(OLD)

    def work(folder: Path) -> None:
        with Ledger(folder / "ledger") as ledger:
            ledger.jobs()

    outcomes = set()
    for point, folder in cut_short(tmp_path, old, work, most=8):
        with closing(sqlite3.connect(folder / "ledger")) as connection:
            (schema,) = connection.execute("SELECT value FROM meta").fetchone()
        outcomes.add(schema)
        assert schema in ("1", str(SCHEMA)), point
        kept = folder / f"ledger.before-schema-{SCHEMA}"
        if kept.exists():
            with closing(sqlite3.connect(kept)) as connection:
                assert "".join(f"{line}\n" for line in connection.iterdump()) == dump(folder)
        with Ledger(folder / "ledger") as ledger:
            assert len(ledger.jobs()) == 3, point
            assert ledger.verify().entries == 3
    assert outcomes >= {"1"}


def dump(_folder: Path) -> str:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(OLD)
        return "".join(f"{line}\n" for line in connection.iterdump())


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that a killed process left would be seen at once."""
    monkeypatch.setattr("usbprov.ledger.sqlite.BUSY_SECONDS", 0.5)
    monkeypatch.setattr("usbprov.ledger.solitude.PATIENCE", 0.5)
