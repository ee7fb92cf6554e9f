"""A phone is provisioned without anything that only POSIX or Linux has."""

import json
import os
from pathlib import Path

import pytest
from processes import Station, station

from usbprov.errors import ExitCode
from usbprov.usb.locks import PhoneLocks

NO_POSIX = Path(__file__).parents[1] / "doubles" / "no_posix"


def without_posix(at: Station) -> None:
    at.variables["PYTHONPATH"] = str(NO_POSIX)


def test_provision_on_the_user_space_bus(tmp_path: Path) -> None:
    with station(tmp_path) as at:
        without_posix(at)
        listed = at.run("list", "--json")
        assert [device["driver"] for device in listed.document] == ["smp"]
        ended = at.provision("--json")
        assert ended.code == 0, ended.err
        assert ended.document["outcome"] == "provisioned"
        assert ended.document["proof"]["possession"] is True
        assert at.published()[0]["sip_uri"] == at.user()["sip_uri"]
        again = at.provision("--json")
        assert again.document["outcome"] == "already-provisioned"


def test_a_phone_that_another_program_has_is_left_alone(tmp_path: Path) -> None:
    with station(tmp_path) as at:
        without_posix(at)
        phone = at.run("list", "--json").document[0]
        locks = PhoneLocks(Path(at.environment["USBPROV_LOCK_DIR"]))
        with locks.hold(f"port {phone['bus']}/{phone['port_path']}"):
            refused = at.provision()
        assert refused.code == ExitCode.PHONE
        assert f"another usbprov (process {os.getpid()})" in refused.err
        assert not at.published()


@pytest.mark.parametrize("command", [["check", "bus"], ["check", "host"], ["udev", "print"]])
def test_what_looks_at_the_computer_ends_in_words(command: list[str], tmp_path: Path) -> None:
    at = Station(tmp_path, {"bus": "kernel"}, lab=None)  # type: ignore[arg-type]
    without_posix(at)
    ended = at.run(*command)
    assert ended.code in {ExitCode.DONE, ExitCode.CHECK}, ended.err
    assert ended.out


def test_the_lab_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(NO_POSIX))
    with station(tmp_path, phones=2) as at:
        ended = at.run("list", "--json")
        assert len(json.loads(ended.out)) == 2
        assert at.provision("1-1").code == 0
