"""How a diagnosis is told: on a terminal, in a pipe, as JSON, and by `usbprov explain`."""

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import click
import pytest
from unit.diagnosis_examples import EXAMPLES

from usbprov.cli import documents
from usbprov.cli.failure import tell
from usbprov.cli.main import run
from usbprov.engine.diagnosis.examining import examine
from usbprov.engine.diagnosis.model import Context
from usbprov.errors import ExitCode, ServerUnreachable, StoreUnreachable, UsbprovError
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState, NewJob, StepState

STORE = StoreUnreachable("pool.contoso.test", "unavailable", 28911, attempts=3)
MOST_LINES = 12


def test_the_first_cause_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    tell(STORE)
    names = [line.split(":")[0].strip() for line in capsys.readouterr().err.splitlines()]
    assert names == [
        "error WEB-09",
        "most likely",
        "what to do",
        "how to tell",
        "or else",
        "or else",
        "more",
    ]


def test_what_probes_have_seen_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ServerUnreachable("127.0.0.1:1", "no connection within 10 s")
    from usbprov.engine.diagnosis.probes.contract import Scene

    examine(error, Context(), Scene())
    tell(error)
    told = capsys.readouterr().err
    assert "found out:    127.0.0.1: port 1 refuses the connection" in told
    assert "most likely:  The server is up, but nothing listens at this port." in told
    document = documents.error(error)
    assert document["diagnosis"][0]["id"] == "service-stopped"
    assert document["found_out"][0]["probe"] == "reach"


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_fits_on_a_small_terminal(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    error, context = EXAMPLES[name]
    examine(error, context)
    tell(error)
    lines = click.unstyle(capsys.readouterr().err).splitlines()
    below = [line for line in lines[1:] if "the server presents:" not in line]
    assert len(below) <= MOST_LINES, "\n".join(lines)
    assert max(map(len, below)) <= 80


def test_nothing_is_wrapped_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    tell(STORE)
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 7
    assert "\x1b" not in err


def test_the_document_keeps_its_names_and_has_the_causes_besides() -> None:
    document = documents.error(STORE)
    assert {
        *("code", "message", "cause", "remedy", "retryable", "exit_code", "facts"),
        *("diagnosis", "found_out"),
    } == set(document)
    assert document["cause"] == StoreUnreachable.cause
    assert [set(cause) for cause in document["diagnosis"]] == [
        {"id", "cause", "tell_apart", "remedy"}
    ] * 3


def test_explain_shows_every_cause(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "WEB-11"]) == 0
    out = capsys.readouterr().out
    assert "1. most likely" in out
    assert "2. or else" in out
    assert "Test-CsPhoneBootstrap" in out
    assert "certprov.log on every server of the pool" in out


def test_explain_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "28020", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["code"], row["numbers"]) == ("WEB-05", [28020])
    assert row["diagnosis"][0]["id"] == "pin-wrong"


def test_explain_takes_several_words_without_quotation_marks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["explain", "data", "store", "unavailable"]) == 0
    assert "WEB-09" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["WEB-09", "--job", "1"], ["no such thing at all"]])
def test_explain_refuses_what_it_cannot_use(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", *arguments]) == ExitCode.USAGE
    assert "CLI-01" in capsys.readouterr().err


def job(ledger: Ledger, error: UsbprovError | None) -> int:
    new = NewJob("S1", "02:00:00:00:00:01", "Lab Phone", "1-1", 0, None, "1001", "https://pool/x",
                 None, "phone", bytes(16))  # fmt: skip
    record = ledger.open_job(new)
    attempt = ledger.begin_step(record.id, "publish")
    ledger.end_step(attempt, StepState.FAILED if error else StepState.DONE, 5)
    ledger.finish(record.id, JobState.OPEN if error else JobState.DONE, error)
    return record.id


def test_a_failed_job_is_explained_from_the_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ledger.sqlite3"
    with Ledger(file) as ledger:
        number = job(ledger, STORE)
        assert ledger.facts(number)["attempts"] == 3
    assert run(["--ledger", str(file), "explain", "--job", str(number), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["code"] == "WEB-09"
    assert document["diagnosis"][0]["id"] == "store-lasting"
    assert run(["--ledger", str(file), "explain", "--job", str(number)]) == 0
    assert "WEB-09: pool.contoso.test cannot publish" in capsys.readouterr().out


def test_a_job_that_ended_well_needs_no_explanation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ledger.sqlite3"
    with Ledger(file) as ledger:
        number = job(ledger, None)
        assert ledger.facts(number) == {}
    assert run(["--ledger", str(file), "explain", "--job", str(number)]) == ExitCode.USAGE
    assert "it is done" in capsys.readouterr().err


def test_a_ledger_of_an_older_version_gets_its_place_for_facts(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite3"
    old = Path(__file__).parents[1] / "data" / "ledger" / "schema-1.sql"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(old.read_text("utf-8"))
    with Ledger(file) as ledger:
        number = job(ledger, STORE)
        assert ledger.facts(number)["error_id"] == 28911
