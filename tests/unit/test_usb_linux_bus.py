"""Linux's own USB without Linux: facts from made-up trees in place of /sys, and files for nodes."""

import os
import struct
from pathlib import Path

import pytest
from sysfs_trees import MadeUp, lay_file
from usb.backend import IBackend

from usbprov.usb.devices import InterfaceFacts, SerialPort
from usbprov.usb.linux_bus import Host, LinuxBus, facts_of
from usbprov.usb.sysfs import read_tree


def descriptors(*settings: tuple[int, int, int], strings: tuple[int, int, int] = (1, 2, 3)) -> str:
    """Return a device descriptor and a configuration of so many (number, alternate, class)."""
    device = struct.pack(
        "<BBHBBBBHHHBBBB", 18, 1, 0x200, 0, 0, 0, 64, 0x1209, 1, 0x100, *strings, 1
    )
    parts = [
        struct.pack("<9B", 9, 4, number, alternate, 0, cls, 5, 0x50, 0)
        for number, alternate, cls in settings
    ]
    length = 9 + sum(map(len, parts))
    head = struct.pack("<BBHBBBBB", 9, 2, length, len({s[0] for s in settings}), 1, 0, 0x80, 50)
    return (device + head + b"".join(parts)).decode("latin-1")


class Computer:
    """A made-up tree with one phone in it, and its nodes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = MadeUp()
        self.made.controller("devices/pci0000:00/0000:00:14.0", (1, 480, 16))
        self.made.phone("1-1")
        self.made.change("1-1", manufacturer="usbprov", serial="EMU0001", idVendor="1209")
        self.dev = folder / "dev"
        node = self.dev / "bus/usb/001/002"
        node.parent.mkdir(parents=True)
        node.touch()

    @property
    def bus(self) -> LinuxBus:
        return LinuxBus("kernel", Host(IBackend(), self.made.lay(self.folder), self.dev))

    @property
    def facts(self):
        (device,) = self.bus.devices()
        return device.facts


@pytest.fixture
def computer(tmp_path) -> Computer:
    return Computer(tmp_path)


class TestFacts:
    def test_of_a_phone(self, computer):
        facts = computer.facts
        assert (facts.bus, facts.port_path, facts.address) == ("kernel", "1-1", 2)
        assert (facts.manufacturer, facts.product, facts.serial) == ("usbprov", "EP-100", "EMU0001")
        assert facts.interfaces == (
            InterfaceFacts(0, 0, 0xFF, 5, 0x50, "usbprov SMP"),
            InterfaceFacts(1, 0, 2, 2, 0, "usbprov SMP"),
            InterfaceFacts(2, 0, 10, 0, 0, "usbprov SMP"),
        )
        assert facts.serial_ports == (SerialPort(str(computer.dev / "ttyACM0"), 1),)
        assert facts.problem is None

    def test_of_the_recorded_phones(self, tmp_path):
        tree = read_tree(lay_file("qemu", tmp_path))
        facts = [facts_of(d, "kernel") for d in tree if d.name in {"1-1", "1-2", "1-3"}]
        assert [f.serial for f in facts] == ["EMU0001", "EMU0002", "EMU0003"]
        ports = [port for each in facts for port in each.serial_ports]
        assert ports == [SerialPort(f"/dev/ttyACM{n}", 1) for n in range(3)]
        assert [i.number for i in facts[0].interfaces] == [0, 1, 2]
        assert {f.problem for f in facts} == {"its device node is not there"}

    def test_hubs_are_left_out(self, computer):
        computer.made.hub("1-2")
        computer.made.phone("1-2.1")
        assert [d.facts.port_path for d in computer.bus.devices()] == ["1-1", "1-2.1"]

    def test_one_port_only(self, computer):
        computer.made.phone("1-2")
        computer.made.hub("1-3")
        bus = computer.bus
        there = bus.device_at("1-2")
        assert there is not None
        assert there.facts.port_path == "1-2"
        assert [bus.device_at(place) for place in ("1-3", "1-4", "usb1", "", "..")] == [None] * 5


IN_FORCE = [(0, 0, 0xFF, "usbprov SMP"), (1, 0, 2, "usbprov SMP"), (2, 0, 10, "usbprov SMP")]


class TestAlternateSettings:
    def interfaces(self, computer, raw: str) -> list[tuple[int, int, int, str | None]]:
        computer.made.change("1-1", descriptors=raw)
        return [(i.number, i.alternate, i.cls, i.name) for i in computer.facts.interfaces]

    def test_those_not_in_force_are_of_the_descriptors(self, computer):
        raw = descriptors((0, 0, 0xFF), (0, 1, 0xFF), (1, 0, 2), (2, 0, 10))
        found = self.interfaces(computer, raw)
        assert found == [IN_FORCE[0], (0, 1, 0xFF, None), *IN_FORCE[1:]]

    def test_interface_that_the_kernel_knows_nothing_of(self, computer):
        assert self.interfaces(computer, descriptors((0, 0, 0xFF), (9, 0, 0xFF))) == IN_FORCE

    @pytest.mark.parametrize("cut", [0, 1, 17, 18, 20, 27, 30])
    def test_descriptors_that_are_cut_short(self, computer, cut):
        assert self.interfaces(computer, descriptors((0, 0, 0xFF), (1, 0, 2))[:cut]) == IN_FORCE

    def test_descriptors_with_a_length_of_none(self, computer):
        raw = descriptors((0, 0, 0xFF))
        assert self.interfaces(computer, raw[:27] + "\0" + raw[28:]) == IN_FORCE

    def test_second_configuration(self, computer):
        first, second = descriptors((0, 1, 3)), descriptors((0, 1, 0xFF))
        computer.made.change("1-1", bConfigurationValue="2")
        two = second[18:23] + "\x02" + second[24:]
        found = self.interfaces(computer, first + two)
        assert (0, 1, 0xFF, None) in found
        assert (0, 1, 3, None) not in found

    def test_without_end(self, computer):
        many = [(0, alternate % 256, 0xFF) for alternate in range(400)]
        assert len(self.interfaces(computer, descriptors(*many))) == 64


class TestProblem:
    def test_no_node_yet(self, computer):
        (computer.dev / "bus/usb/001/002").unlink()
        facts = computer.facts
        assert facts.problem == "its device node is not there"
        assert facts.serial == "EMU0001"

    def test_no_permission(self, computer, monkeypatch):
        asked = []

        def access(path: Path, mode: int) -> bool:
            asked.append((path, mode))
            return False

        monkeypatch.setattr(os, "access", access)
        facts = computer.facts
        assert facts.problem == "no permission to open it"
        assert (facts.serial, facts.interfaces[0].name) == ("EMU0001", "usbprov SMP")
        assert facts.serial_ports
        assert asked == [(computer.dev / "bus/usb/001/002", os.R_OK | os.W_OK)]

    def test_not_configured(self, computer):
        computer.made.change("1-1", bConfigurationValue="")
        assert computer.facts.problem == "it is not configured"

    def test_not_authorized(self, computer):
        computer.made.change("1-1", authorized="0", bConfigurationValue="")
        assert computer.facts.problem == "this computer does not let it be used (usbguard?)"

    @pytest.mark.parametrize(
        ("attribute", "what"),
        [
            ("manufacturer", "manufacturer"),
            ("product", "product name"),
            ("serial", "serial number"),
        ],
    )
    def test_string_that_the_kernel_could_not_read(self, computer, attribute, what):
        computer.made.change("1-1", descriptors=descriptors((0, 0, 0xFF)), **{attribute: ""})
        assert computer.facts.problem == f"its {what} is empty or cannot be read"

    def test_string_that_the_device_has_not(self, computer):
        raw = descriptors((0, 0, 0xFF), strings=(1, 2, 0))
        computer.made.change("1-1", descriptors=raw, serial="")
        facts = computer.facts
        assert (facts.serial, facts.problem) == (None, None)
