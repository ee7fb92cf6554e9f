"""A phone that is pulled and plugged in again while the command runs: the same run goes on."""

import json
from pathlib import Path

import pytest
from processes import PROGRAM, STARTED, Station, station, wait_for

from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import StepState


@pytest.mark.parametrize(
    ("words", "step"),
    [
        pytest.param("JOB", "key", id="in the key's making"),
        pytest.param("PUT", "install", id="in the transfer"),
    ],
)
def test_the_same_run_goes_on(tmp_path: Path, words: str, step: str) -> None:
    slow = ["--personality", "keygen-seconds=1", "--personality", "latency=0.05"]
    with station(tmp_path, options=slow) as running:
        out = pull_and_plug(running, tmp_path / "debug.log", words)
        told = json.loads(out)
        assert told["outcome"] == "provisioned"
        (published,) = running.published()
        assert published["sha256"] == told["certificate"]["sha256"]
        with Ledger(running.ledger) as ledger:
            attempts = [s.state for s in ledger.steps(told["job"]) if s.name == step]
        assert attempts == [StepState.FAILED, StepState.DONE]


def pull_and_plug(running: Station, log: Path, words: str) -> str:
    """Begin a job, pull the phone when the log has ``words``, plug it in where it was."""
    running.variables["USBPROV_PROVISION_RETURN_SECONDS"] = "50"
    port = int(running.bus.rpartition(":")[2])
    with running.provisioning(log=log) as process:
        wait_for(lambda: log.exists() and words in log.read_text(), f"{words!r} in the log")
        running.pull()
        wait_for(lambda: "waiting for it to come back" in log.read_text(), "the wait")
        running.plug(1, port=port)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def test_a_second_command_for_the_same_phone_is_told_who_has_it(tmp_path: Path) -> None:
    with station(tmp_path, options=["--personality", "keygen-seconds=4"]) as running:
        running.program = STARTED  # by its number it is named
        log = tmp_path / "debug.log"
        with running.provisioning(log=log) as process:
            wait_for(lambda: log.exists() and "JOB" in log.read_text(), "the key's making")
            running.program = PROGRAM  # quick, as the key is soon made
            refused = running.run("info", "1-1")
            out, _ = process.communicate(timeout=60)
        assert refused.code == 3
        assert "USB-05" in refused.err
        assert f"another usbprov (process {process.pid})" in refused.err
        assert json.loads(out)["outcome"] == "provisioned"
