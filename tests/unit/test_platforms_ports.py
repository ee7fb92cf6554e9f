"""Serial ports as Windows and macOS list them, joined with the devices that libusb lists."""

from types import SimpleNamespace

import pytest

from usbprov.usb.devices import DeviceFacts, InterfaceFacts, SerialPort
from usbprov.usb.portable_bus import ListedPort, list_ports, ports_of

IDS = (0x1209, 0x0001)


def phone(port_path: str = "1-3", serial: str | None = "emu0001") -> DeviceFacts:
    interfaces = (InterfaceFacts(0, 0, 0xFF, 5, 0x50), InterfaceFacts(1, 0, 2, 2, 0))
    return DeviceFacts("kernel", port_path, *IDS, serial=serial, interfaces=interfaces)


def listed(
    path: str, place: str = "1-3", serial: str | None = "EMU0001", interface: int | None = 1
) -> ListedPort:
    return ListedPort(path, IDS, serial, place, interface)


def test_joined_on_the_port_path() -> None:
    ports = [listed("COM5"), listed("COM6", place="1-4", serial="EMU0002")]
    assert ports_of(phone(), ports) == (SerialPort("COM5", 1),)


def test_another_device_at_what_looks_like_the_same_place_is_not_taken_for_it() -> None:
    assert ports_of(phone(), [listed("COM6", serial="EMU0002")]) == ()
    assert ports_of(phone(), [ListedPort("COM1", (0x0403, 0x6001), "emu0001", "1-3")]) == ()


def test_a_second_controller_that_windows_counts_as_the_first() -> None:
    ports = [listed("COM5", serial="EMU0001"), listed("COM6", serial="EMU0002")]
    assert ports_of(phone("1-3", "emu0001"), ports) == (SerialPort("COM5", 1),)
    assert ports_of(phone("2-3", "emu0002"), ports) == (SerialPort("COM6", 1),)


def test_a_system_that_does_not_tell_the_place() -> None:
    assert ports_of(phone(), [listed("COM5", place="")]) == (SerialPort("COM5", 1),)


@pytest.mark.parametrize("place", ["", "1-3"])
def test_two_that_cannot_be_told_apart_have_none(place: str) -> None:
    ports = [listed("COM5", place=place), listed("COM6", place=place)]
    assert ports_of(phone(), ports) == ()


def test_without_a_serial_number_only_the_place_counts() -> None:
    nameless = phone(serial=None)
    assert ports_of(nameless, [listed("COM5", serial=None)]) == (SerialPort("COM5", 1),)
    assert ports_of(nameless, [listed("COM5", place="", serial=None)]) == ()


def test_a_system_that_does_not_tell_the_interface() -> None:
    port = listed("/dev/cu.usbmodem14301", interface=None)
    assert ports_of(phone(), [port]) == (SerialPort("/dev/cu.usbmodem14301", 1),)


def comport(device: str, location: str | None, vid: int | None = IDS[0]) -> SimpleNamespace:
    return SimpleNamespace(
        device=device, vid=vid, pid=IDS[1], serial_number="EMU0001", location=location
    )


@pytest.mark.parametrize(
    ("location", "place", "interface"),
    [
        ("1-3:x.1", "1-3", 1),  # Windows
        ("1-1.4:1.0", "1-1.4", 0),  # Linux
        ("20-3.1", "20-3.1", None),  # macOS
        (None, "", None),
    ],
)
def test_what_pyserial_tells(
    location: str | None, place: str, interface: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [comport("COM5", location), comport("COM1", None, vid=None)]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: found)
    assert list_ports() == [ListedPort("COM5", IDS, "EMU0001", place, interface)]
