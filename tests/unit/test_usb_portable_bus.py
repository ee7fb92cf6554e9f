"""libusb's devices joined with the operating system's list of serial ports."""

from dataclasses import dataclass

import pytest
import serial.tools.list_ports
from serial.tools.list_ports_common import ListPortInfo
from test_usb_pyusb_bus import Backend

from usbprov.errors import NoSuchLink, PhoneGone
from usbprov.usb import portable_bus
from usbprov.usb.devices import DeviceFacts, InterfaceFacts, SerialPort
from usbprov.usb.portable_bus import ListedPort, PortableBus, list_ports, ports_of
from usbprov.usb.pyusb_bus import PyusbBus

IDS = (0x1209, 1)
INTERFACES = (InterfaceFacts(0, 0, 0xFF, 5, 0x50), InterfaceFacts(1, 0, 2, 2, 0))


def facts(place: str = "1-4", serial: str | None = "EMU0001") -> DeviceFacts:
    return DeviceFacts("kernel", place, *IDS, serial=serial, interfaces=INTERFACES)


class TestJoin:
    def test_on_the_port_path(self):
        listed = [
            ListedPort("COM4", IDS, "EMU0001", "1-3", 1),
            ListedPort("COM5", IDS, "EMU0001", "1-4", 1),
        ]
        assert ports_of(facts(), listed) == (SerialPort("COM5", 1),)

    def test_twins_are_told_apart_by_it(self):
        listed = [ListedPort(f"COM{n}", IDS, "EMU0001", f"1-{n}", 1) for n in (4, 5)]
        assert ports_of(facts("1-4"), listed) == (SerialPort("COM4", 1),)
        assert ports_of(facts("1-5"), listed) == (SerialPort("COM5", 1),)

    def test_another_device_at_that_path_is_not_it(self):
        assert ports_of(facts(), [ListedPort("COM5", (1, 2), None, "1-4", 1)]) == ()

    def test_on_ids_and_serial_number_where_no_path_is_told(self):
        listed = [ListedPort("COM4", IDS, "EMU0002"), ListedPort("COM5", IDS, "EMU0001")]
        assert ports_of(facts(), listed) == (SerialPort("COM5", 1),)

    def test_but_not_if_the_path_told_is_another(self):
        assert ports_of(facts(), [ListedPort("COM5", IDS, "EMU0001", "1-9", 1)]) == ()

    def test_but_not_if_two_have_the_same(self):
        listed = [ListedPort("COM4", IDS, "EMU0001"), ListedPort("COM5", IDS, "EMU0001")]
        assert ports_of(facts(), listed) == ()

    def test_but_not_without_a_serial_number(self):
        assert ports_of(facts(serial=None), [ListedPort("COM5", IDS, None)]) == ()

    def test_two_ports_of_one_device(self):
        listed = [
            ListedPort("COM4", IDS, "EMU0001", "1-4", 3),
            ListedPort("COM5", IDS, "EMU0001", "1-4", 1),
        ]
        assert ports_of(facts(), listed) == (SerialPort("COM4", 3), SerialPort("COM5", 1))


@pytest.mark.parametrize(
    ("location", "place", "interface"),
    [
        ("1-4.2:1.1", "1-4.2", 1),
        ("1-4:x.0", "1-4", 0),
        ("20-1.4", "20-1.4", None),
        (None, "", None),
    ],
)
def test_what_pyserial_lists(monkeypatch, location, place, interface):
    usb, other = ListPortInfo("/dev/ttyACM0"), ListPortInfo("/dev/ttyS0")
    usb.vid, usb.pid, usb.serial_number, usb.location = *IDS, "EMU0001", location
    monkeypatch.setattr(serial.tools.list_ports, "comports", lambda: [other, usb])
    assert list_ports() == [ListedPort("/dev/ttyACM0", IDS, "EMU0001", place, interface)]


@dataclass
class Opened:
    path: str
    name: str


class TestBus:
    @pytest.fixture
    def listed(self, monkeypatch) -> list[ListedPort]:
        ports = [ListedPort("COM5", IDS, None, "1-1", 0)]
        monkeypatch.setattr(portable_bus, "list_ports", lambda: ports)
        monkeypatch.setattr(portable_bus.SerialLink, "open", Opened)
        return ports

    def test_devices_have_their_ports(self, listed):
        bus = PortableBus(PyusbBus("kernel", Backend({}, {"port_numbers": (2,), "address": 3})))
        found = bus.devices()
        assert [d.facts.serial_ports for d in found] == [(SerialPort("COM5", 0),), ()]
        assert bus.uri == "kernel"
        assert [d.plain for d in bus.devices(found)] == [d.plain for d in found]

    def test_port_is_opened_by_the_name_that_it_has_by_then(self, listed):
        (device,) = PortableBus(PyusbBus("kernel", Backend({}))).devices()
        listed[:] = [ListedPort("COM9", IDS, None, "1-1", 0)]
        link = device.open_serial(device.facts.serial_ports[0])
        assert link == Opened("COM9", "phone 1-1")

    def test_port_that_is_no_longer_made(self, listed):
        (device,) = PortableBus(PyusbBus("kernel", Backend({}))).devices()
        listed.clear()
        with pytest.raises(NoSuchLink):
            device.open_serial(SerialPort("COM5", 0))

    @pytest.mark.parametrize("now", [[], [{"address": 3}], [{"idProduct": 2}]])
    def test_device_that_is_gone(self, listed, now):
        backend = Backend({})
        (device,) = PortableBus(PyusbBus("kernel", backend)).devices()
        backend.found = tuple(now)
        with pytest.raises(PhoneGone):
            device.open_serial(SerialPort("COM5", 0))
