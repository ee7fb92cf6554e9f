"""``usbprov lab phone --gadget``: the emulated phone on a cable, and provisioned over it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.usb_device import Recorder, phone_like
from gadget_desk import (
    CONTROLLER,
    GADGETS,
    NAME,
    address_of,
    crash,
    device_port,
    phone,
    place_of,
    plugged,
    pull,
    push,
)
from kernel_usb import shell
from processes import wait_for
from technician import Workplace

from usbprov.emulation.gadget import Gadget
from usbprov.errors import GadgetUnusable

SERIAL = "EMU0001"


@pytest.fixture(scope="module", autouse=True)
def _port() -> Iterator[None]:
    with device_port():
        yield


def came_back(address: int) -> bool:
    """Say whether the phone is at another address than before, so was away."""
    try:
        return address_of(SERIAL) != address
    except OSError:  # it has just left
        return False


def test_it_is_listed_and_provisioned_over_either_link(workplace: Workplace) -> None:
    # So slow, it leaves while the program still reads back what it has.
    with phone(workplace, "restarts", "latency=0.2"):
        (listed,) = workplace.run("list", "--json").document
        assert (listed["port_path"], listed["serial"]) == (place_of(SERIAL), SERIAL)
        assert listed["driver"] == "smp"
        given = set()
        for link in ("bulk", "serial"):
            workplace.variables["USBPROV_LINK"] = link
            before = address_of(SERIAL)
            ended = workplace.provision("--replace", "--return-seconds", "120", "--json")
            assert ended.code == 0, ended.err
            assert ended.document["outcome"] == "provisioned"
            given.add(ended.document["certificate"]["sha256"])
            # Once it has its certificate it restarts: it leaves the bus and comes back.
            wait_for(lambda old=before: came_back(old), "the phone to have restarted")
        assert len(given) == 2
        assert given & {row["sha256"] for row in workplace.published()}


def test_pulled_within_a_transfer_and_resumed(workplace: Workplace, tmp_path: Path) -> None:
    log = tmp_path / "debug.log"
    with phone(workplace, "latency=0.1", "small-buffers"):
        with workplace.provisioning("--return-seconds", "0", log=log) as process:
            wait_for(lambda: log.exists() and ": PUT, " in log.read_text(), "a transfer")
            pull()
            out, err = process.communicate(timeout=120)
        assert process.returncode == 9, out + err
        pulled = json.loads(out)
        assert pulled["error"]["code"] == "JOB-01"
        push()
        ended = workplace.provision("--json")
        assert ended.code == 0, ended.err
        assert ended.document["job"] == pulled["job"]
        states = {step["name"]: step["state"] for step in ended.document["steps"]}
        assert states["publish"] == "skipped"


def test_what_a_killed_one_left_is_cleared_away(workplace: Workplace) -> None:
    crash(workplace)
    assert (GADGETS / NAME).is_dir()
    with plugged(phone_like(Recorder(), serial="GADGET1")) as found:
        assert found.facts.serial == "GADGET1"
    assert not list(GADGETS.iterdir())
    assert "functionfs" not in shell("mount")
    assert not Path("/run/usbprov-gadgets").exists()


@pytest.mark.parametrize(
    ("name", "controller", "words"),
    [
        (NAME, CONTROLLER, f"another process has the gadget {NAME}"),
        ("usbprov-2", CONTROLLER, f"{CONTROLLER} has the gadget {NAME} already"),
        ("usbprov-2", "nowhere.0", f"Name one of: {CONTROLLER}"),
    ],
)
def test_refusals_leave_what_is_there(name: str, controller: str, words: str) -> None:
    device = phone_like(Recorder(), serial="GADGET1", console=Recorder())
    with plugged(device):
        with pytest.raises(GadgetUnusable, match=words), Gadget(device, name, controller):
            pass
        assert [path.name for path in GADGETS.iterdir()] == [NAME]
        assert place_of("GADGET1")
