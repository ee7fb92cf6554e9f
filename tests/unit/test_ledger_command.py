"""``usbprov ledger verify``, and what becomes of a ``--ledger`` that cannot be used."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from jobs import NEW

from usbprov.cli.main import run
from usbprov.ledger.ledger import Ledger


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as ledger:
        ledger.open_job(NEW)
        ledger.begin_step(1, "publish")
    monkeypatch.setenv("USBPROV_LEDGER", str(path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return path


def alter(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


@pytest.mark.usefixtures("file")
def test_a_good_ledger(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "verify", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["outcome"], document["entries"]) == ("good", 2)
    assert document["expected"] is None
    assert run(["ledger", "verify", "--expect", document["head"].upper()]) == 0
    shown = capsys.readouterr().out
    assert document["head"] in shown
    assert "hash of entry 2" in shown


def test_an_altered_ledger(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alter(file, "UPDATE step SET state = 'done'")
    assert run(["ledger", "verify"]) == 8
    told = capsys.readouterr().err
    assert "altered from entry 2 on: job 1, step publish, at 20" in told
    assert run(["ledger", "verify", "--json"]) == 8
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["facts"]["entry"]) == ("LED-04", 2)


@pytest.mark.usefixtures("file")
def test_a_hash_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "verify", "--expect", "ab" * 32]) == 8
    assert "error LED-05" in capsys.readouterr().err


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("value", ["ab", "xy" * 32, "ab" * 33])
def test_what_is_no_hash(value: str) -> None:
    assert run(["ledger", "verify", "--expect", value]) == 2


@pytest.mark.parametrize("way", ["option", "environment", "settings"])
def test_a_password_in_the_url_is_refused_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    url = "postgresql://bench:hunter2@127.0.0.1/usbprov"
    settings = tmp_path / "config.toml"
    settings.write_text(f'ledger_file = "{url}"' if way == "settings" else "")
    if way == "environment":
        monkeypatch.setenv("USBPROV_LEDGER", url)
    option = ["--ledger", url] if way == "option" else []
    assert run(["--config", str(settings), *option, "ledger", "list"]) == 2
    told = "".join(capsys.readouterr())
    assert "LED-06" in told
    assert "hunter2" not in told


def test_a_file_needs_neither_alembic_nor_the_other_database(tmp_path: Path) -> None:
    """Each takes its time to import, and only an older ledger, or one on a server, needs it."""
    unneeded = ("alembic", "psycopg", "sqlalchemy.dialects.postgresql")
    script = "import sys; from usbprov.cli.main import run; run(['ledger', 'list']);"
    done = subprocess.run(
        [sys.executable, "-c", f"{script} print(set({unneeded}) & sys.modules.keys())"],
        capture_output=True,
        text=True,
        check=True,
        env={"USBPROV_LEDGER": str(tmp_path / "new"), "HOME": str(tmp_path)},
    )
    assert done.stdout.splitlines()[-1] == "set()"
