"""``usbprov report``: what it takes, where it writes."""

import json
import stat
import sys
from pathlib import Path

import pytest
from shifts import Shift, usual

from usbprov.cli.main import run
from usbprov.ledger.ledger import Ledger


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as ledger, monkeypatch.context() as clock:
        shift = Shift(ledger, clock)
        shift.goes_well(90)
        shift.wait(hours=12)
        usual(shift)
    monkeypatch.setenv("USBPROV_LEDGER", str(path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return path


def made(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, dict[str, int]]:
    assert run(["report", "--format", "json", *options]) == 0
    document: dict[str, dict[str, int]] = json.loads(capsys.readouterr().out)
    return document


def test_which_jobs_are_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert made(capsys)["sums"]["phones"] == 25
    assert made(capsys, "--shift")["sums"]["phones"] == 24
    assert made(capsys, "--until", "2026-11-23T12:00Z")["sums"]["phones"] == 1
    assert made(capsys, "--shift", "--until", "2026-11-23T12:00Z")["sums"]["phones"] == 1
    assert made(capsys, "--since", "2026-11-23T12:00Z")["sums"]["phones"] == 24
    assert made(capsys, "--bench", "south")["sums"]["phones"] == 8


@pytest.mark.parametrize("form", ["html", "csv", "json", "xlsx"])
def test_the_files_name_says_the_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    output = tmp_path / f"shift.{form.upper()}"
    assert run(["report", "-o", str(output)]) == 0
    begins = {"html": b"<!DOCTYPE html>", "csv": b"job,", "json": b"{", "xlsx": b"PK"}
    assert output.read_bytes().startswith(begins[form])
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    told = capsys.readouterr()
    assert (told.out, str(output) in told.err) == ("", True)


def test_html_is_what_one_gets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report"]) == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--shift", "--since", "8h"], "CLI-01"),
        (["--bench", "west"], "REP-03"),
        (["--since", "2099-01-01"], "REP-03"),
        (["--since", "soon"], "is no moment"),
        (["--format", "pdf"], "pdf"),
    ],
)
def test_what_cannot_be_reported(
    capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert run(["report", *options]) == 2
    assert words in capsys.readouterr().err


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "-o", str(tmp_path / "none" / "shift.html")]) == 4
    assert "REP-02" in capsys.readouterr().err


def test_a_workbook_is_not_shown_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(["report", "--format", "xlsx"]) == 2
    assert "name a file with -o" in capsys.readouterr().err


def test_without_its_library_a_workbook_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert run(["report", "--format", "xlsx"]) == 2
    assert "usbprov[xlsx]" in capsys.readouterr().err
