"""The phone's process is killed in the middle of the job; a repeat finishes it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from processes import Station, station, wait_for

from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind


def pull_when(running: Station, log: Path, words: str) -> tuple[int, str]:
    """Begin a job, kill the phone as soon as the debug log has ``words``; exit code and output."""
    with running.provisioning(log=log) as process:
        wait_for(lambda: log.exists() and words in log.read_text(), f"{words!r} in the log")
        running.pull()
        out, _ = process.communicate(timeout=60)
    assert process.returncode is not None
    return process.returncode, out


@pytest.mark.parametrize(
    ("words", "personality", "asked_again"),
    [
        pytest.param("JOB", ("keygen-seconds=2",), True, id="during the key"),
        pytest.param("PUT", ("latency=0.05", "small-buffers"), False, id="during the chunks"),
        pytest.param("COMMIT", ("commit-seconds=1.5",), False, id="just before the commit"),
    ],
)
def test_a_repeat_finishes_with_one_key_and_one_certificate(
    tmp_path: Path, words: str, personality: Sequence[str], asked_again: bool
) -> None:
    options = [part for name in personality for part in ("--personality", name)]
    with station(tmp_path, options=options) as running:
        code, out = pull_when(running, tmp_path / "debug.log", words)
        assert code == 9, out
        assert '"code": "JOB-01"' in out
        running.plug(1)
        (before,) = running.run("ledger", "list", "--json").document
        assert before["state"] == "open"
        repeat = running.provision("--json")
        assert repeat.code == 0, repeat.err
        told = repeat.document
        assert told["job"] == before["job"]
        states = {step["name"]: step["state"] for step in told["steps"]}
        assert states["publish"] == ("done" if asked_again else "skipped")
        (slot, *_) = running.run("info", "--json").document["slots"]
        (published,) = running.published()
        assert slot["active_certificate"] == published["sha256"] == told["certificate"]["sha256"]
        assert slot["pending_key"] is None
        with Ledger(running.ledger) as ledger:
            kept = [artifact.kind for artifact in ledger.artifacts(told["job"])]
        assert kept == [ArtifactKind.REQUEST, ArtifactKind.CERTIFICATE]


def test_the_old_credential_lives_until_the_commit(tmp_path: Path) -> None:
    with station(tmp_path, options=["--personality", "commit-seconds=1.5"]) as running:
        first = running.provision("--json").document
        with running.provisioning("--replace", log=tmp_path / "debug.log") as process:
            log = tmp_path / "debug.log"
            wait_for(lambda: log.exists() and "COMMIT" in log.read_text(), "the commit")
            running.pull()
            process.communicate(timeout=60)
        running.plug(1)
        (slot, *_) = running.run("info", "--json").document["slots"]
        assert slot["active_certificate"] == first["certificate"]["sha256"]
        assert slot["pending_key"] is not None
        second = running.provision("--replace", "--json")
        assert second.code == 0, second.err
        assert second.document["certificate"]["key_sha256"] == slot["pending_key"]["sha256"]
