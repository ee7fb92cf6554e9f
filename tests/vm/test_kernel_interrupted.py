"""A phone that goes away in the middle of a job, and comes back: the job goes on."""

import os
import subprocess
from pathlib import Path

import processes
import pytest
from kernel_usb import Desk, ttys
from processes import wait_for
from technician import Workplace

PUT = "PUT"


def until(log: Path, words: str) -> None:
    wait_for(lambda: log.exists() and words in log.read_text(), f"{words!r} in the log")


def result_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=processes.PATIENCE)
    assert "Traceback" not in err, err
    return process.returncode, out + err


@pytest.mark.parametrize("link", ["bulk", "serial"])
def test_a_repeat_goes_on_after_the_cable_was_pulled_in_a_transfer(
    workplace: Workplace, desk: Desk, tmp_path: Path, link: str
) -> None:
    workplace.variables["USBPROV_LINK"] = link
    workplace.plug(1, "latency=0.05", "small-buffers")
    (place,) = desk.plug("1-1")
    log = tmp_path / "debug.log"
    with workplace.provisioning(log=log) as process:
        until(log, PUT)
        desk.unplug(place)
        code, told = result_of(process)
    assert code == 9, told
    assert '"code": "JOB-01"' in told
    (before,) = workplace.run("ledger", "list", "--json").document
    assert before["state"] == "open"
    assert desk.plug("1-1") == [place]
    repeat = workplace.provision("--json")
    assert repeat.code == 0, repeat.err
    assert repeat.document["job"] == before["job"]
    assert [step["name"] for step in repeat.document["steps"] if step["state"] == "skipped"]


def test_a_job_waits_for_the_phone_and_goes_on(
    workplace: Workplace, desk: Desk, tmp_path: Path
) -> None:
    workplace.variables["USBPROV_PROVISION_RETURN_SECONDS"] = str(processes.PATIENCE)
    workplace.plug(1, "latency=0.05", "small-buffers")
    (place,) = desk.plug("1-1")
    log = tmp_path / "debug.log"
    with workplace.provisioning(log=log) as process:
        until(log, PUT)
        desk.unplug(place)
        until(log, "waiting for it to come back")
        assert desk.plug("1-1") == [place]
        code, told = result_of(process)
    assert code == 0, told


def test_a_phone_that_restarts_is_found_under_another_tty(
    workplace: Workplace, desk: Desk, tmp_path: Path
) -> None:
    workplace.variables["USBPROV_PROVISION_RETURN_SECONDS"] = str(processes.PATIENCE)
    workplace.variables["USBPROV_LINK"] = "serial"
    # So slow that it is still asked for the proof when it restarts.
    workplace.plug(1, "restarts", "latency=0.2")
    (place,) = desk.plug("1-1")
    (old,) = ttys(place)
    kept = os.open(old, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)  # so the name stays taken
    try:
        with workplace.provisioning(log=tmp_path / "debug.log") as process:
            code, told = result_of(process)
        assert code == 0, told
        assert f"{place} (serial EMU0001) is back" in (tmp_path / "debug.log").read_text()
        (new,) = ttys(place)
        assert new != old
        assert workplace.run("info", place, "--json").document["slots"][0]["active_certificate"]
    finally:
        os.close(kept)
