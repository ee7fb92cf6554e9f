"""A serial line as a bus: ``tty:PATH`` is one device, and its address may be typed back."""

from pathlib import Path

import pytest
from doubles.usb_device import echo

from usbprov.emulation.pty import PtyPort
from usbprov.errors import BusUnavailable, NoSuchLink, UsageError
from usbprov.phone.candidates import Reach, candidates
from usbprov.phone.registry import driver_for
from usbprov.phone.selection import select
from usbprov.usb.buses import open_bus
from usbprov.usb.devices import InterfaceFacts, SerialPort
from usbprov.usb.locks import PhoneLocks


def test_a_line_is_one_device() -> None:
    with PtyPort(echo()) as port:
        bus = open_bus(f"tty:{port.path}")
        (device,) = bus.devices()
        facts = device.facts
        assert (facts.bus, facts.port_path) == (f"tty:{port.path}", port.path)
        assert (facts.vendor_id, facts.product_id, facts.serial) == (0, 0, None)
        assert facts.serial_ports == (SerialPort(port.path, None),)
        assert facts.product == "serial line"
        assert facts.name == f"phone {port.path}"
        driver = driver_for(facts)
        assert driver is not None
        assert driver.family == "smp"
        link = device.open_serial(facts.serial_ports[0])
        link.write(b"x", 5)
        assert link.read(5) == b"x"
        link.close()


def test_a_line_has_no_endpoints() -> None:
    with PtyPort(echo()) as port:
        (device,) = open_bus(f"tty:{port.path}").devices()
        with pytest.raises(NoSuchLink, match="bulk"):
            device.open_bulk(InterfaceFacts(0, 0, 255, 5, 80))


def test_its_address_may_be_typed_back(tmp_path: Path) -> None:
    with PtyPort(echo()) as port:
        bus = open_bus(f"tty:{port.path}")
        found = candidates([bus], Reach(locks=PhoneLocks(tmp_path)))
        for selector in (None, found[0].address, port.path):
            assert select(found, selector, [bus]) is found[0]
        assert found[0].address == f"tty:{port.path}"


def test_a_line_that_comes_and_goes_is_seen_when_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "phone"
    bus = open_bus(f"tty:{path}")
    assert bus.device_at(str(path)) is None
    with PtyPort(echo()) as port:
        path.symlink_to(port.path)
        found = bus.device_at(str(path))
        assert found is not None
        assert found.facts == bus.devices()[0].facts
        assert bus.device_at("/dev/ttyS99") is None
    assert bus.device_at(str(path)) is None


@pytest.mark.parametrize("kind", ["missing", "file", "folder"])
def test_what_is_no_line_cannot_be_searched(tmp_path: Path, kind: str) -> None:
    path = {"missing": tmp_path / "ttyS0", "file": tmp_path / "file", "folder": tmp_path}[kind]
    (tmp_path / "file").touch()
    bus = open_bus(f"tty:{path}")
    with pytest.raises(BusUnavailable, match="no serial line") as caught:
        bus.devices()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("uri", ["tty", "tty:"])
def test_a_line_must_be_named(uri: str) -> None:
    with pytest.raises(UsageError, match="tty:PATH"):
        open_bus(uri)
