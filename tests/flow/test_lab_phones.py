"""The emulated phones' process: a family made up here, found by its entry point."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lab_client import running_lab, seed

from usbprov.errors import LabUnusable
from usbprov.lab.phonebank import PhoneBank, PhonesOptions
from usbprov.lab.up import Lab, LabOptions

pytestmark = pytest.mark.timeout(60)
DEADLINE = 15.0

TOY = """
from usbprov.emulation.descriptors import DeviceIdentity
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.vendor import VendorBulkInterface
from usbprov.errors import LabUnusable

class Deaf:
    def connect(self, send): pass
    def receive(self, data): pass
    def reset(self): pass

class Toy:
    family = "toy"
    personalities = {"colour": "any"}
    def make(self, spec):
        unknown = set(spec.personality) - set(self.personalities)
        if unknown:
            raise LabUnusable(f"unknown personality {unknown.pop()}")
        assert len(spec.roots) == 1 and spec.roots[0][:1] == b"0"
        boots = int(spec.state.read_text().split()[0]) if spec.state.exists() else 0
        spec.state.write_text(f"{boots + 1} {spec.personality.get('colour', '')}")
        identity = DeviceIdentity(0x1209, 1, "toy", "toy", f"TOY{spec.index:04}")
        return UsbDevice(identity, [VendorBulkInterface(Deaf(), name="t", subclass=1, protocol=1)])

EMULATOR = Toy()
"""


@pytest.fixture(autouse=True)
def toy_family(tmp_path_factory, monkeypatch):
    """Install a family for child processes: a module, and metadata with its entry point."""
    site = tmp_path_factory.mktemp("site")
    (site / "toy_family.py").write_text(TOY)
    metadata = site / "toy_family-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-family\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[usbprov.emulators]\ntoy = toy_family:EMULATOR\n")
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), before])))


def devices(port: int) -> list[str]:
    """Ask an exporter for its list (OP_REQ_DEVLIST) and return the port paths."""
    with socket.create_connection(("127.0.0.1", port), 5) as link, link.makefile("rb") as reader:
        link.sendall(struct.pack(">HHI", 0x0111, 0x8005, 0))
        version, code, status, count = struct.unpack(">HHII", reader.read(12))
        assert (version, code, status) == (0x0111, 0x0005, 0)
        found = []
        for _ in range(count):
            record = reader.read(312)
            reader.read(4 * record[311])
            found.append(record[256:288].rstrip(b"\0").decode())
    return found


def port_of(bus: str) -> int:
    return int(bus.rpartition(":")[2])


def states(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted((folder / "phones").iterdir())]


def options(folder: Path, count: int = 2, **more: object) -> PhonesOptions:
    return PhonesOptions(seed(folder), count, **({"family": "toy"} | more))


def wait_until(condition) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_lab_with_phones(tmp_path):
    lab_options = {"phones": 3, "phones_family": "toy", "personality": {"colour": "red"}}
    with running_lab(tmp_path, **lab_options) as lab:
        port = port_of(lab.facts.bus)
        assert lab.facts.bus == f"usbip://127.0.0.1:{port}"
        assert devices(port) == ["1-1", "1-2", "1-3"]
        said = json.loads((tmp_path / "phones.json").read_text())
        assert (said["port"], said["bus"]) == (port, lab.facts.bus)
        assert said["phones"] == ["1-1", "1-2", "1-3"]
        assert said["pid"] != os.getpid()
        assert json.loads((tmp_path / "lab.json").read_text())["bus"] == lab.facts.bus
        assert states(tmp_path) == ["1 red"] * 3
    assert refuses(port)
    assert not (tmp_path / "phones.json").exists()


def test_phones_that_are_pulled_come_back_at_the_same_bus(tmp_path):
    with running_lab(tmp_path, phones=2, phones_family="toy") as lab:
        port = port_of(lab.facts.bus)
        lab.pull_phones()
        assert refuses(port)
        lab.plug_phones()
        assert devices(port) == ["1-1", "1-2"]
        assert [state.split()[0] for state in states(tmp_path)] == ["2", "2"]


def test_phones_killed_by_somebody_else_do_not_end_the_lab(tmp_path):
    with running_lab(tmp_path, phones=1, phones_family="toy") as lab:
        os.kill(json.loads((tmp_path / "phones.json").read_text())["pid"], signal.SIGKILL)
        wait_until(lambda: refuses(port_of(lab.facts.bus)))
        lab.plug_phones()
        assert devices(port_of(lab.facts.bus)) == ["1-1"]


def test_many_phones_sit_at_hubs(tmp_path):
    bank = PhoneBank(options(tmp_path, 16))
    try:
        facts = bank.start()
        assert facts.phones[0] == "1-1.1"
        assert facts.phones[7] == "1-2.1"
        assert sorted(devices(facts.port)) == sorted(facts.phones)
    finally:
        bank.stop()


def test_the_phones_end_with_their_parent(tmp_path):
    code = (
        "import sys, pathlib, time\n"
        "from usbprov.lab.phonebank import PhoneBank, PhonesOptions\n"
        "bank = PhoneBank(PhonesOptions(pathlib.Path(sys.argv[1]), 1, family='toy'))\n"
        "print(bank.start().port, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, seed(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        port = int(parent.stdout.readline())
        assert devices(port) == ["1-1"]
        parent.kill()
    wait_until(lambda: refuses(port))
    wait_until(lambda: not (tmp_path / "phones.json").exists())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_phones_in_order(tmp_path, number):
    command = [sys.executable, "-m", "usbprov.lab.phones", "--dir", str(seed(tmp_path))]
    command += ["--count", "1", "--family", "toy"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        port = json.loads(child.stdout.readline())["port"]
        child.send_signal(number)
        assert child.wait(DEADLINE) == 0
    assert refuses(port)
    assert not (tmp_path / "phones.json").exists()


def test_two_processes_with_the_phones_of_one_lab_are_refused(tmp_path):
    first, second = PhoneBank(options(tmp_path)), PhoneBank(options(tmp_path))
    try:
        first.start()
        with pytest.raises(LabUnusable, match="another process with the phones is running"):
            second.start()
        assert first.running
        assert not second.running
    finally:
        first.stop()
        second.stop()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"family": "none"}, "no phone family 'none'"),
        ({"personality": {"shape": "round"}}, "unknown personality shape"),
        ({"count": 1000}, "the phones 1 to 999"),
    ],
)
def test_what_is_wrong_with_the_phones_is_told_by_the_lab(tmp_path, changes, words):
    bank = PhoneBank(options(tmp_path, **changes))
    with pytest.raises(LabUnusable, match=words):
        bank.start()
    assert not bank.running


def test_phones_that_cannot_start_undo_the_lab(tmp_path):
    lab = Lab(LabOptions(seed(tmp_path), phones=1, phones_family="none"))
    with pytest.raises(LabUnusable, match="installed: "):
        lab.start()
    assert not (tmp_path / "lab.json").exists()
    with running_lab(tmp_path):
        pass


def test_a_port_that_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bank = PhoneBank(options(tmp_path, port=taken.getsockname()[1]))
        with pytest.raises(LabUnusable, match="cannot listen"):
            bank.start()


def test_a_folder_without_a_lab(tmp_path):
    bank = PhoneBank(PhonesOptions(tmp_path / "nothing", 1, family="toy"))
    with pytest.raises(LabUnusable, match="holds no lab"):
        bank.start()
