"""Whole jobs over a serial line: a phone on a pseudo-terminal, and the program in its processes."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import PATIENCE, PROGRAM, Station, station, wait_for

from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import StepState


@contextmanager
def line(running: Station, *personality: str) -> Iterator[subprocess.Popen[str]]:
    """Run a phone on a terminal, as ``usbprov lab phone --pty``, and let it be the bus."""
    link = running.folder / "phone"
    options = [part for name in personality for part in ("--personality", name)]
    command = [*PROGRAM, "lab", "phone", "--pty", "--dir", str(running.folder / "lab"), "--json"]
    process = subprocess.Popen(
        [*command, "--link-name", str(link), *options],
        stdout=subprocess.PIPE,
        text=True,
        env=running.environment,
    )
    with process:
        try:
            wait_for(lambda: process.poll() is not None or link.exists(), "the terminal")
            assert process.poll() is None, "the phone has ended"
            running.facts["bus"] = f"tty:{link}"
            yield process
        finally:
            process.terminate()


@pytest.mark.parametrize(
    "personality",
    [("chatty",), ("chatty", "no-cobs", "small-buffers", "no-keygen")],
    ids=["COBS", "console"],
)
def test_a_phone_is_provisioned_over_a_serial_line(
    tmp_path: Path, personality: tuple[str, ...]
) -> None:
    with station(tmp_path, phones=0) as running, line(running, *personality):
        ended = running.provision("--json")
        assert ended.code == 0, ended.err
        told = ended.document
        assert told["outcome"] == "provisioned"
        assert told["proof"]["read_back"]
        assert told["proof"]["possession"]
        info = running.run("info", running.bus, "--json").document
        (published,) = running.published()
        certificate = info["slots"][0]["certificate"]
        assert certificate["sha256"] == told["certificate"]["sha256"] == published["sha256"]
        assert info["serial"] == "EMU0001"
        listed = running.run("list")
        assert running.bus in listed.out
        again = running.provision("--json").document
        assert again["outcome"] == "already-provisioned"


def test_bulk_is_not_to_be_had_on_a_line(tmp_path: Path) -> None:
    with station(tmp_path, phones=0) as running, line(running):
        running.variables["USBPROV_LINK"] = "bulk"
        refused = running.run("info")
        assert refused.code == 3
        assert "USB-11" in refused.err
        running.variables["USBPROV_LINK"] = "serial"
        assert running.run("info").code == 0


def test_a_line_that_is_not_there_is_named(tmp_path: Path) -> None:
    with station(tmp_path, phones=0) as running:
        refused = running.run("info", bus=f"tty:{tmp_path}/nothing")
        assert refused.code == 3
        assert "USB-04" in refused.err
        assert "nothing is no serial line" in refused.err


def test_a_phone_that_restarts_after_the_commit_is_waited_for(tmp_path: Path) -> None:
    with station(tmp_path, phones=0) as running, line(running, "restarts", "latency=0.2"):
        running.variables["USBPROV_PROVISION_RETURN_SECONDS"] = "50"
        log = tmp_path / "debug.log"
        with running.provisioning(log=log) as process:
            out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        assert json.loads(out)["outcome"] == "provisioned"
        assert "waiting for it to come back" in log.read_text()


def test_a_phone_that_is_pulled_and_comes_back_is_gone_on_with(tmp_path: Path) -> None:
    with station(tmp_path, phones=0) as running:
        running.variables["USBPROV_PROVISION_RETURN_SECONDS"] = "50"
        log = tmp_path / "debug.log"
        slow = line(running, "keygen-seconds=2")
        with slow as pulled, running.provisioning(log=log) as process:
            wait_for(lambda: log.exists() and "JOB" in log.read_text(), "the key's making")
            pulled.kill()
            pulled.wait(PATIENCE)
            (tmp_path / "phone").unlink()
            wait_for(lambda: "waiting for it to come back" in log.read_text(), "the wait")
            with line(running):
                out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        told = json.loads(out)
        assert told["outcome"] == "provisioned"
        (published,) = running.published()
        assert published["sha256"] == told["certificate"]["sha256"]
        with Ledger(running.ledger) as ledger:
            attempts = [s.state for s in ledger.steps(told["job"]) if s.name == "key"]
        assert attempts == [StepState.FAILED, StepState.DONE]
