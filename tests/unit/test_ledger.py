"""The ledger in a file: durable, for its owner only, one kind of error, no newer schema."""

import os
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from jobs import NEW
from sqlalchemy import Connection

from usbprov.errors import LedgerForeign, LedgerTooNew, LedgerUnusable
from usbprov.ledger.ledger import Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "ledger.sqlite3"


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.open_job(NEW)
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_commits_are_durable(path: Path) -> None:
    def pragmas(connection: Connection) -> list[object]:
        return [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    with Ledger(path) as ledger:
        assert ledger.database.read(pragmas) == ["wal", 2, 1]


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
    with Ledger(path) as ledger, pytest.raises(LedgerForeign, match=r"ledger\.sqlite3"):
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
