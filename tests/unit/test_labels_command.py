"""``usbprov labels``: which phones get one, whose names are on them, what is refused."""

import re
import sys
from pathlib import Path

import pytest
from shifts import REFUSED, Shift

from usbprov.cli.main import run
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as ledger, monkeypatch.context() as clock:
        shift = Shift(ledger, clock)
        shift.goes_well(12, bench="south")
        shift.goes_well(3)
        shift.goes_well(2, user=None)
        shift.fails(4, "ticket", REFUSED, JobState.FAILED)
        shift.open(5)
    monkeypatch.setenv("USBPROV_LEDGER", str(path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def names(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    assert run(["labels", "--format", "zpl", "--size", "100x50", *options]) == 0
    return re.findall(r"\^CI28.*?\^FD([^^]*)", capsys.readouterr().out, re.DOTALL)


def test_phones_that_are_done_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert names(capsys) == ["1002", "user3@contoso.test", "user12@contoso.test"]
    assert names(capsys, "--bench", "south") == ["user12@contoso.test"]


def test_names_come_from_the_roster(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    roster = folder / "users.csv"
    roster.write_text(
        "extension,sip uri,display name\n"
        "1002,,Bob\n"
        "1003,sip:USER3@contoso.test,Carol\n"
        "1012,sip:other@contoso.test,Nobody\n"
    )
    assert names(capsys, "--roster", str(roster)) == ["Bob", "Carol", "user12@contoso.test"]


def test_the_files_name_says_the_form(folder: Path) -> None:
    for form, begin in (("pdf", b"%PDF-"), ("zpl", b"^XA")):
        output = folder / f"labels.{form}"
        assert run(["labels", "--shift", "-o", str(output)]) == 0
        assert output.read_bytes().startswith(begin)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--size", "10x10"], "from 50x20 to 200x280 mm"),
        (["--size", "big"], "WIDTHxHEIGHT"),
        (["--bench", "west"], "REP-03"),
        (["--format", "csv"], "csv"),
        (["--font", "none.ttf"], "none.ttf"),
    ],
)
def test_what_is_refused(
    capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert run(["labels", *options]) == 2
    assert words in capsys.readouterr().err


def test_without_a_phone_that_is_done_there_is_no_label(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = folder / "other.sqlite3"
    with Ledger(other) as ledger, monkeypatch.context() as clock:
        Shift(ledger, clock).open(1)
    assert run(["--ledger", str(other), "labels"]) == 2
    assert "no phone is done" in capsys.readouterr().err


def test_without_its_library_a_pdf_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "reportlab.pdfgen.canvas", None)
    assert run(["labels"]) == 2
    assert "usbprov[labels]" in capsys.readouterr().err
