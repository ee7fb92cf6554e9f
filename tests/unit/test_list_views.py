"""What ``usbprov list`` and ``list --watch`` show of devices and events."""

import io
import json
from dataclasses import dataclass

import pytest
from rich.console import Console

from usbprov.cli import listing, watching
from usbprov.cli.watching import LiveTable
from usbprov.phone import registry
from usbprov.usb.devices import DeviceFacts, InterfaceFacts, SerialPort
from usbprov.usb.hotplug import Arrived, BusChanged, Changed, Left
from usbprov.usb.matching import UsbMatch

PHONE = DeviceFacts(
    "kernel",
    "1-1.4.2",
    0x1209,
    1,
    "usbprov",
    "EP-100",
    "EMU0001",
    (InterfaceFacts(0, 0, 0xFF, 5, 0x50, "ours"), InterfaceFacts(1, 0, 2, 2, 0, "ours")),
    (SerialPort("/dev/ttyACM0", 1),),
)


@dataclass(frozen=True)
class Device:
    facts: DeviceFacts


@dataclass(frozen=True)
class Driver:
    family: str
    matches: tuple[UsbMatch, ...]
    detects_only: bool = False


@pytest.fixture(autouse=True)
def drivers(monkeypatch):
    known = (
        Driver("ours", (UsbMatch(interface=(0xFF, 5, 0x50), interface_name="ours"),)),
        Driver("lines", (UsbMatch(interface=(2, 2, 0), interface_name="line"),)),
        Driver("seen", (UsbMatch(vendor_id=0x95D),), detects_only=True),
    )
    monkeypatch.setattr(registry, "drivers", lambda: known)


def facts(**changes: object) -> DeviceFacts:
    return DeviceFacts(**(vars(PHONE) | changes))


class TestRow:
    def test_of_a_phone(self):
        assert listing.row(PHONE) == (
            "1-1.4.2",
            "EP-100",
            "EMU0001",
            "1209:0001",
            "ours",
            "bulk, serial /dev/ttyACM0",
            "",
        )

    def test_without_serial_port(self):
        assert listing.row(facts(serial_ports=()))[5] == "bulk"

    def test_serial_only(self):
        line = facts(interfaces=(InterfaceFacts(1, 0, 2, 2, 0, "line"),))
        assert listing.row(line)[4:6] == ("lines", "serial /dev/ttyACM0")

    def test_of_a_device_of_no_family(self):
        stranger = DeviceFacts("usbip://10.0.0.1:3240", "1-1", 1, 2, problem="it does not answer")
        assert listing.row(stranger) == (
            "usbip://10.0.0.1:3240/1-1", "-", "-", "0001:0002", "-", "-", "it does not answer",
        )  # fmt: skip

    def test_of_a_family_that_is_only_detected(self):
        assert listing.row(facts(vendor_id=0x95D, interfaces=()))[4:] == (
            "seen",
            "serial /dev/ttyACM0",
            "cannot be provisioned over USB",
        )

    def test_a_problem_is_told_rather_than_that(self):
        seen = facts(vendor_id=0x95D, interfaces=(), problem="no permission to open it")
        assert listing.row(seen)[-1] == "no permission to open it"

    def test_document(self):
        assert listing.document(PHONE) == {
            "bus": "kernel",
            "port_path": "1-1.4.2",
            "vendor_id": "1209",
            "product_id": "0001",
            "manufacturer": "usbprov",
            "product": "EP-100",
            "serial": "EMU0001",
            "driver": "ours",
            "detects_only": False,
            "serial_ports": [{"path": "/dev/ttyACM0", "interface": 1}],
            "problem": None,
        }


EVENTS = [
    (Arrived(Device(PHONE)), "+ 1-1.4.2  EP-100  EMU0001", "arrived"),
    (Changed(Device(facts(problem="odd"))), "~ 1-1.4.2  EP-100  EMU0001  odd", "changed"),
    (Left(PHONE), "- 1-1.4.2", "left"),
]


class TestLines:
    @pytest.mark.parametrize(("event", "line", "kind"), EVENTS)
    def test_of_a_device(self, event, line, kind):
        assert watching._line(event) == line
        document = json.loads(watching._json_line(event))
        assert list(document) == ["event", "at", "device"]
        assert document["event"] == kind
        assert document["device"]["port_path"] == "1-1.4.2"
        assert document["at"].endswith("Z")

    @pytest.mark.parametrize(
        ("problem", "line"),
        [("refused", "! usbip://h: refused"), (None, "! usbip://h: can be searched again")],
    )
    def test_of_a_bus(self, problem, line):
        event = BusChanged("usbip://h", problem)
        assert watching._line(event) == line
        document = json.loads(watching._json_line(event))
        del document["at"]
        assert document == {"event": "bus", "bus": "usbip://h", "problem": problem}


class TestTable:
    @pytest.fixture
    def table(self) -> LiveTable:
        return LiveTable(Console(file=io.StringIO(), width=80))

    def shown(self, table: LiveTable) -> str:
        out = io.StringIO()
        Console(file=out, width=80).print(table.table())
        return out.getvalue()

    def test_comes_changes_and_goes(self, table):
        table.show(Arrived(Device(PHONE)))
        assert "EMU0001" in self.shown(table)
        assert "1 attached" in self.shown(table)
        table.show(Changed(Device(facts(problem="odd"))))
        assert "odd" in self.shown(table)
        assert "1 attached" in self.shown(table)
        table.show(Left(facts(problem="odd")))
        assert "EMU0001" not in self.shown(table)
        assert "0 attached; Ctrl-C ends" in self.shown(table)

    def test_buses_in_trouble_are_named_until_they_are_back(self, table):
        table.show(BusChanged("usbip://h", "refused"))
        assert "usbip://h: refused" in self.shown(table)
        table.show(BusChanged("usbip://h", None))
        assert "usbip://h" not in self.shown(table)

    def test_nothing_is_lost_on_a_terminal_of_80_columns(self, table):
        table.show(Arrived(Device(facts(bus="usbip://192.168.100.200:3240"))))
        table.show(Arrived(Device(facts(port_path="1-2", problem="no permission to open it"))))
        lines = self.shown(table).splitlines()
        assert max(map(len, lines)) <= 80
        words = "".join("".join(lines).split())
        for cell in ("EMU0001", "EP-100", "ours", "1-2"):
            assert cell in words

    def test_places_are_sorted_as_numbers(self, table):
        for place in ("1-10", "1-9", "/dev/ttyS0"):
            table.show(Arrived(Device(facts(port_path=place))))
        shown = self.shown(table)
        assert shown.index("1-9") < shown.index("1-10") < shown.index("/dev/ttyS0")

    def test_what_a_device_says_is_no_markup(self, table):
        table.show(Arrived(Device(facts(product="[red]x[/red]"))))
        assert "[red]x[/red]" in self.shown(table)
