"""A ledger that cannot be used says why, and what was confirmed is in it once it can be."""

import hashlib
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from jobs import NEW
from processes import PATIENCE, PROGRAM, own_environment
from sqlalchemy import Engine, event

from usbprov.errors import (
    LedgerBusy,
    LedgerDamaged,
    LedgerError,
    LedgerForeign,
    LedgerFull,
    LedgerHashUnknown,
    LedgerMoved,
    LedgerTooNew,
)
from usbprov.ledger import room, sqlite
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState, StepState
from usbprov.ledger.schema import SCHEMA


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A ledger's file of some pages."""
    path = tmp_path_factory.mktemp("filled") / "ledger.sqlite3"
    with Ledger(path) as ledger:
        fill(ledger, jobs=30)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, filled: bytes) -> Path:
    """A ledger, nobody's at the moment."""
    path = tmp_path / "folder" / "ledger.sqlite3"
    path.parent.mkdir()
    path.write_bytes(filled)
    return path


def fill(ledger: Ledger, jobs: int) -> None:
    for _ in range(jobs):
        job = ledger.open_job(NEW).id
        ledger.note_step(job, "identify", StepState.DONE, 3, "a phone " * 20)
        ledger.keep(job, ArtifactKind.CERTIFICATE, b"certificate" * 40)
        ledger.finish(job, JobState.DONE)


def disconnect(ledger: Ledger, engine: Engine) -> None:
    """Have all connections made anew."""
    ledger.database.backend.settle()
    engine.dispose()


def bytes_of(path: Path) -> dict[str, str]:
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(path.parent.iterdir())
    }


# --- the disk is full


def test_what_finds_no_room_is_not_written_and_the_rest_is_whole(path: Path) -> None:
    with Ledger(path) as ledger:
        before = ledger.verify()
        job = ledger.open_job(NEW).id
        engine = ledger.database._engine
        assert engine is not None
        pages = ledger.database.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())

        def limit(connection: sqlite3.Connection, *_: object) -> None:
            connection.execute(f"PRAGMA max_page_count={pages}").close()

        disconnect(ledger, engine)
        event.listen(engine, "connect", limit)
        with pytest.raises(LedgerFull) as caught:
            ledger.keep(job, ArtifactKind.CERTIFICATE, bytes(100_000))
        assert "Make room" in caught.value.remedy
        assert ledger.verify(before.head).entries == before.entries + 1
        event.remove(engine, "connect", limit)
        disconnect(ledger, engine)
        ledger.keep(job, ArtifactKind.CERTIFICATE, bytes(100_000))
        assert ledger.verify().entries == before.entries + 2


def test_no_step_is_begun_whose_end_would_find_no_room(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger(path) as ledger:
        job = ledger.open_job(NEW).id
        attempt = ledger.begin_step(job, "publish")
        usage = shutil.disk_usage(path.parent)._replace(free=room.ROOM - 1)
        monkeypatch.setattr(room.shutil, "disk_usage", lambda _path: usage)
        for begin in (lambda: ledger.open_job(NEW), lambda: ledger.begin_step(job, "install")):
            with pytest.raises(LedgerFull, match=f"{room.ROOM - 1} bytes are free"):
                begin()
        # What was begun is recorded to its end: that is what the room is kept for.
        ledger.keep(job, ArtifactKind.CERTIFICATE, b"certificate")
        ledger.end_step(attempt, StepState.DONE, 3)
        ledger.finish(job, JobState.STUCK)
        assert [step.name for step in ledger.steps(job)] == ["publish"]


def test_a_real_disk_that_is_full_and_then_read_only(tmp_path: Path) -> None:
    script = Path(__file__).with_name("on_a_small_disk.py")
    alone = ["unshare", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*alone, "mount"], check=False).returncode:
        pytest.skip("a disk of its own needs rights that there are not here")
    mounted = f'mount -t tmpfs -o size=2m none {tmp_path} && exec "$0" "$@"'
    command = [*alone, mounted, PROGRAM[0], str(script), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["full", "read-only", "whole"]


# --- the file is not what it was


def overwrite(path: Path, at: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * size)


def root_page(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        (page,) = connection.execute(query, [name]).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(page - 1) * int(size)


@pytest.mark.parametrize("name", ["job", "step", "entry", "job_by_phone", "job_by_roster"])
def test_a_page_that_is_garbage_is_damage(path: Path, name: str) -> None:
    overwrite(path, root_page(path, name), 200)
    with Ledger(path) as ledger, pytest.raises(LedgerDamaged) as caught:
        ledger.verify()
    assert "usbprov ledger restore" in caught.value.remedy


def test_a_write_that_needs_the_page_is_not_done(path: Path) -> None:
    overwrite(path, root_page(path, "job"), 200)
    with Ledger(path) as ledger, pytest.raises(LedgerDamaged):
        ledger.open_job(NEW)


def test_a_file_that_was_cut_is_damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with Ledger(path) as ledger, pytest.raises(LedgerDamaged):
        ledger.verify()


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b"a letter to the landlord\n" * 200),
        lambda path: overwrite(path, 0, 100),
        lambda path: other_program(path, "bookmark"),
        lambda path: other_program(path, "meta"),
    ],
    ids=["text", "header", "other-program", "other-meta"],
)
def test_what_is_no_ledger_is_left_alone(path: Path, make: Callable[[Path], object]) -> None:
    make(path)
    before = bytes_of(path)
    with Ledger(path) as ledger, pytest.raises(LedgerForeign):
        ledger.open_job(NEW)
    assert bytes_of(path) == before


def other_program(path: Path, table: str) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE {table} (name TEXT, value TEXT)")
        connection.commit()


def test_garbage_in_the_log_costs_the_last_writes_and_a_noted_hash_tells(path: Path) -> None:
    source = path.parent / "killed.sqlite3"
    with Ledger(path) as ledger:
        noted = ledger.verify().head
        ledger.open_job(NEW)
        later = ledger.verify().head
        for name in ("", "-wal"):  # as a kill would leave them
            shutil.copy(f"{path}{name}", f"{source}{name}")
    log = source.with_name(f"{source.name}-wal")
    overwrite(log, log.stat().st_size - 2000, 2000)
    with Ledger(source) as ledger:
        assert ledger.verify(noted).expected
        with pytest.raises(LedgerHashUnknown):
            ledger.verify(later)


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_newer_ledger_is_left_as_it_is_to_the_last_byte(path: Path, mode: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute(f"UPDATE meta SET value = '{SCHEMA + 1}'")  # noqa: S608
        connection.commit()
    before = bytes_of(path)
    with Ledger(path) as ledger, pytest.raises(LedgerTooNew):
        ledger.open_job(NEW)
    assert bytes_of(path) == before


# --- others


def test_a_file_that_another_holds_is_waited_for_and_then_busy(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, Ledger(path) as ledger:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerBusy):
            ledger.open_job(NEW)
        assert len(ledger.jobs()) == 30, "it can be read all the same"
        other.execute("ROLLBACK")
        ledger.open_job(NEW)
        assert ledger.verify().entries == 121


@pytest.mark.parametrize(
    "take_away",
    [
        lambda path: path.unlink(),
        lambda path: path.parent.rename(path.parent.with_name("elsewhere")),
        lambda path: shutil.rmtree(path.parent),
        lambda path: shutil.copy(path, f"{path}.new") and Path(f"{path}.new").replace(path),
    ],
    ids=["file", "folder-renamed", "folder-removed", "replaced"],
)
def test_a_ledger_that_has_gone_takes_no_more_writes(
    path: Path, take_away: Callable[[Path], object]
) -> None:
    with Ledger(path) as ledger:
        job = ledger.open_job(NEW).id
        take_away(path)
        there = path.exists()
        with pytest.raises(LedgerMoved):
            ledger.begin_step(job, "publish")
        with pytest.raises(LedgerMoved):
            ledger.jobs()
        assert path.exists() is there, "an empty one was made in its place"


def test_a_folder_that_comes_back_is_used_again(path: Path) -> None:
    elsewhere = path.parent.with_name("elsewhere")
    with Ledger(path) as ledger:
        job = ledger.open_job(NEW).id
        path.parent.rename(elsewhere)
        with pytest.raises(LedgerError):
            ledger.begin_step(job, "publish")
        elsewhere.rename(path.parent)
        ledger.begin_step(job, "publish")
        assert ledger.verify().entries == 122


# --- as users see it


@pytest.mark.parametrize(
    ("code", "make"),
    [
        ("LED-15", lambda path: overwrite(path, root_page(path, "job"), 200)),
        ("LED-16", lambda path: overwrite(path, 0, 100)),
        ("LED-16", lambda path: other_program(path, "bookmark")),
    ],
    ids=["damaged", "header", "foreign"],
)
def test_the_program_says_it_in_one_line(
    path: Path, code: str, make: Callable[[Path], object]
) -> None:
    make(path)
    (path.parent / "home").mkdir()
    ended = subprocess.run(
        [*PROGRAM, "--ledger", str(path), "ledger", "list"],
        capture_output=True,
        text=True,
        env=own_environment(path.parent),
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 1
    assert code in ended.stderr
    assert "usbprov ledger restore" in ended.stderr
    assert "Traceback" not in ended.stderr
