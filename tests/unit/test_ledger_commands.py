"""``usbprov ledger``: what its commands of care print, ask, and end with."""

import json
from pathlib import Path
from typing import Any

import pytest
from doubles.certificates import issue
from jobs import NEW

from usbprov.cli.main import run
from usbprov.errors import ExitCode, RequestRefused
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState, StepState
from usbprov.pki.certificates import to_der

Read = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of three jobs: done, failed, open."""
    path = tmp_path / "ledger.sqlite3"
    states = (JobState.DONE, JobState.FAILED, JobState.OPEN)
    certificate = to_der(issue("alice@contoso.test").certificate)
    with Ledger(path) as ledger:
        for state in states:
            job = ledger.open_job(NEW).id
            ledger.note_step(job, "identify", StepState.DONE, 3, "a phone")
            if state is JobState.DONE:
                ledger.keep(job, ArtifactKind.CERTIFICATE, certificate)
            error = RequestRefused("pool", "too small") if state is JobState.FAILED else None
            if state is not JobState.OPEN:
                ledger.finish(job, state, error)
    return path


def did(path: Path, *arguments: str) -> int:
    return run(["--ledger", str(path), "ledger", *arguments])


def told(capsys: Read) -> Any:
    return json.loads(capsys.readouterr().out)


def test_backup_and_restore(path: Path, tmp_path: Path, capsys: Read) -> None:
    copy = tmp_path / "copy"
    assert did(path, "backup", str(copy), "--json") == ExitCode.DONE
    made = told(capsys)
    assert made == {
        "outcome": "written",
        "file": str(copy),
        "entries": 9,
        "head": made["head"],
        "at": made["at"],
        "bytes": copy.stat().st_size,
    }
    assert did(copy, "verify", "--expect", made["head"]) == ExitCode.DONE
    capsys.readouterr()
    assert did(path, "backup", str(copy)) == ExitCode.REFUSED
    assert "error LED-18" in capsys.readouterr().err

    with Ledger(path) as ledger:
        ledger.finish(3, JobState.STUCK)
    assert did(path, "restore", str(copy), "--json") == ExitCode.USAGE  # nobody can answer
    refused = told(capsys)
    assert refused["error"]["code"] == "LED-19"
    assert "1 of its 10 entries are not in the backup" in refused["error"]["message"]
    assert did(path, "restore", str(copy), "--json", "--yes") == ExitCode.DONE
    restored = told(capsys)
    assert (restored["present"], restored["set_aside"]) == (10, 1)
    assert restored["backup"]["head"] == made["head"]
    assert did(Path(restored["kept"]), "verify") == ExitCode.DONE
    assert did(path, "restore", str(path)) == ExitCode.USAGE
    assert did(path, "restore", str(tmp_path / "none")) == ExitCode.USAGE


def test_what_restore_says(path: Path, tmp_path: Path, capsys: Read) -> None:
    copy = tmp_path / "copy"
    did(path, "backup", str(copy))
    capsys.readouterr()
    assert did(path, "restore", str(copy)) == ExitCode.DONE
    out = capsys.readouterr().out
    assert out.startswith("The backup is the ledger now.\nentries    9\n")
    assert "set aside  0\nkept       " in out


def test_purge(path: Path, capsys: Read) -> None:
    older = ("purge", "--older-than", "0m")
    assert did(path, *older, "--dry-run", "--json") == ExitCode.DONE
    planned = told(capsys)
    assert planned["outcome"] == "planned"
    assert (planned["jobs"], planned["steps"], planned["entries"]) == ([1, 2], 2, 7)
    assert did(path, *older) == ExitCode.USAGE  # nobody can answer
    assert "it would remove the details of 2 jobs" in capsys.readouterr().err
    assert did(path, *older, "--yes", "--json") == ExitCode.DONE
    done = told(capsys)
    assert done["outcome"] == "purged"
    assert done["size"]["log_emptied"]
    assert did(path, "verify", "--json", "--expect", done["head"]) == ExitCode.DONE
    verified = told(capsys)
    assert (verified["entries"], verified["expected"]) == (10, 10)
    assert verified["purged"]["up_to"] == planned["up_to"] == 7
    assert did(path, "verify") == ExitCode.DONE
    assert "2 jobs that were finished before" in capsys.readouterr().out
    assert did(path, *older, "--yes", "--json") == ExitCode.DONE
    assert told(capsys) == {"outcome": "nothing", "recordings": 0, "kept_copies": []}
    assert did(path, "purge", "--older-than", "soon") == ExitCode.USAGE


def test_the_other_commands_take_purged_jobs(path: Path, tmp_path: Path, capsys: Read) -> None:
    did(path, "purge", "--older-than", "0m", "--yes")
    capsys.readouterr()
    assert did(path, "show", "1") == ExitCode.DONE
    out = capsys.readouterr().out
    assert "certificate   SHA-256" in out
    assert "removed by a purge" in out
    assert did(path, "show", "2") == ExitCode.DONE
    assert "error         WEB-04\n" in capsys.readouterr().out
    assert did(path, "list") == ExitCode.DONE
    assert run(["--ledger", str(path), "explain", "--job", "2"]) == ExitCode.DONE
    for form in ("json", "html", "csv"):
        file = tmp_path / f"report.{form}"
        assert run(["--ledger", str(path), "report", "-o", str(file)]) == ExitCode.DONE
        assert file.stat().st_size


def test_vacuum(path: Path, capsys: Read) -> None:
    assert did(path, "vacuum", "--json") == ExitCode.DONE
    found = told(capsys)
    assert found["outcome"] == "done"
    assert found["after"] == path.stat().st_size
    assert did(path, "vacuum") == ExitCode.DONE
    assert capsys.readouterr().out == f"{found['after']} bytes before, {found['after']} after.\n"
