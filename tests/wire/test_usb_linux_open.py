"""Opening a device of this computer: the one that was listed, or none.

The tree in place of /sys is made up; behind it are emulated phones and pseudo-terminals.
"""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sysfs_trees import MadeUp
from usb_support import Phone, phone

from usbprov.emulation.device import UsbDevice
from usbprov.emulation.pty import PtyPort
from usbprov.errors import AccessDenied, NoSuchLink, PhoneBusy, PhoneGone
from usbprov.usb import linux_bus, urb_backend
from usbprov.usb.bulk import BulkLink
from usbprov.usb.devices import SerialPort
from usbprov.usb.linux_bus import Host, LinuxBus, LinuxDevice
from usbprov.usb.model_backend import ModelBackend
from usbprov.usb.serial_link import SerialLink

BUS_PATH = "devices/pci0000:00/0000:00:14.0"


class Computer:
    """A computer with one port: what is plugged in there is in the tree and on the bus."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._plugs = 0
        self._devices: dict[str, UsbDevice] = {}
        self._backend = ModelBackend(self._devices)
        self.sysfs = folder / "sys"
        self.dev = folder / "dev"
        (self.dev / "bus/usb/001").mkdir(parents=True)
        self.bus = LinuxBus("kernel", Host(self._backend, self.sysfs, self.dev))

    def plug(self, put_in: Phone) -> LinuxDevice:
        self.unplug()
        self._devices["1-1"] = put_in.device
        (identification,) = self._backend.enumerate_devices()
        address = self._backend.look(identification).address
        made = MadeUp()
        made.controller(BUS_PATH, (1, 480, 4))
        made.phone("1-1")
        told = {"power/control": "auto", "bcdDevice": "0100", "devnum": f"{address}"}
        identity = put_in.device.identity
        told |= {"idVendor": f"{identity.vendor_id:04x}", "idProduct": f"{identity.product_id:04x}"}
        made.change("1-1", serial=identity.serial or "", **told)
        made.lay(self._folder)
        (self.dev / f"bus/usb/001/{address:03}").touch()
        return self.look()

    def unplug(self) -> None:
        """Unplug what is there; its folder is kept elsewhere, so that no other has its inode."""
        self._devices.pop("1-1", None)
        self._plugs += 1
        if self.sysfs.exists():
            self.sysfs.rename(self._folder / f"was-{self._plugs}")

    def reuse_address(self, put_in: Phone) -> None:
        """Plug in another phone that is given the address of the one before."""
        (address,) = [int(a.name) for a in (self.dev / "bus/usb/001").iterdir()]
        self._backend._last = address - 1
        again = self.plug(put_in)
        assert again.facts.address == address

    def look(self) -> LinuxDevice:
        found = self.bus.device_at("1-1")
        assert found is not None
        return found

    @property
    def power(self) -> str:
        return (self.sysfs / BUS_PATH / "usb1/1-1/power/control").read_text().strip()


@pytest.fixture
def computer(tmp_path) -> Computer:
    return Computer(tmp_path)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(urb_backend, "OPENING_PATIENCE", 0.2)


class TestBulk:
    def test_phone_answers_and_is_kept_awake_meanwhile(self, computer):
        device = computer.plug(phone(1))
        link = device.open_bulk(device.facts.interfaces[0])
        assert computer.power == "on"
        link.write(b"hello", 1.0)
        assert link.read(1.0) == b"hello"
        assert link.name == "phone 1-1 (serial EMU0001)"
        link.close()
        link.close()
        assert computer.power == "auto"

    def test_busy_phone(self, computer):
        device = computer.plug(phone(1))
        link = device.open_bulk(device.facts.interfaces[0])
        with pytest.raises(PhoneBusy):
            device.open_bulk(device.facts.interfaces[0])
        link.close()
        assert computer.power == "auto"
        device.open_bulk(device.facts.interfaces[0]).close()

    def test_phone_that_was_unplugged(self, computer):
        device = computer.plug(phone(1))
        computer.unplug()
        with pytest.raises(PhoneGone):
            device.open_bulk(device.facts.interfaces[0])

    @pytest.mark.parametrize("serial", ["EMU0002", "EMU0001", None])
    def test_phone_that_was_swapped(self, computer, serial):
        device = computer.plug(phone(1))
        other = phone(2, serial=serial)
        computer.plug(other)
        with pytest.raises(PhoneGone):
            device.open_bulk(device.facts.interfaces[0])
        assert not other.echo.connected
        now = computer.look()
        now.open_bulk(now.facts.interfaces[0]).close()

    @pytest.mark.parametrize("serial", ["EMU0002", "EMU0001"])
    def test_phone_that_was_swapped_and_has_the_same_address(self, computer, serial):
        device = computer.plug(phone(1))
        other = phone(2, serial=serial)
        computer.reuse_address(other)
        with pytest.raises(PhoneGone):
            device.open_bulk(device.facts.interfaces[0])
        assert not other.echo.connected

    def test_phone_that_is_swapped_just_while_it_is_opened(self, computer, monkeypatch):
        device = computer.plug(phone(1))
        other, true = phone(2), BulkLink.open
        opened: list[BulkLink] = []

        def swapped(*arguments) -> BulkLink:
            computer.reuse_address(other)
            opened.append(true(*arguments))
            return opened[0]

        monkeypatch.setattr(linux_bus.BulkLink, "open", swapped)
        with pytest.raises(PhoneGone):
            device.open_bulk(device.facts.interfaces[0])
        monkeypatch.undo()
        now = computer.look()
        now.open_bulk(now.facts.interfaces[0]).close()  # so the other one is not still held

    def test_descriptors_can_be_asked_for(self, computer):
        device = computer.plug(phone(1))
        with device.asking() as get:
            assert get(1, 0, 0, 18)[8:12] == bytes.fromhex("09120100")
        computer.unplug()
        with pytest.raises(PhoneGone), device.asking():
            pass


class Echo:
    """What is at the other end of a terminal."""

    def __init__(self, word: bytes) -> None:
        self._word = word
        self._send = lambda data: None

    def connect(self, send) -> None:
        self._send = send

    def receive(self, data: bytes) -> None:
        self._send(self._word)

    def reset(self) -> None: ...


@pytest.fixture
def terminals() -> Iterator[list[PtyPort]]:
    ports = [PtyPort(Echo(word)) for word in (b"first", b"other")]
    yield ports
    for port in ports:
        port.close()


class TestSerial:
    def listed(self, computer: Computer, terminal: PtyPort) -> LinuxDevice:
        device = computer.plug(phone(1))
        (computer.dev / "ttyACM0").symlink_to(terminal.path)
        return device

    def test_of_a_device_whose_node_is_not_accessible(self, computer, terminals, monkeypatch):
        device = self.listed(computer, terminals[0])
        monkeypatch.setattr(os, "access", lambda *_: False)
        assert computer.look().facts.problem == "no permission to open it"
        link = device.open_serial(device.facts.serial_ports[0])
        link.write(b"who", 1.0)
        assert link.read(1.0) == b"first"
        assert computer.power == "on"
        link.close()
        assert computer.power == "auto"

    def test_terminal_is_opened_by_the_name_that_it_has_by_then(self, computer, terminals):
        device = self.listed(computer, terminals[0])
        (computer.dev / "ttyACM1").symlink_to(terminals[1].path)
        interface = computer.sysfs / BUS_PATH / "usb1/1-1/1-1:1.1/tty"
        (interface / "ttyACM0").rename(interface / "ttyACM1")
        link = device.open_serial(device.facts.serial_ports[0])
        link.write(b"who", 1.0)
        assert link.read(1.0) == b"other"
        link.close()

    def test_terminal_that_is_no_longer_made(self, computer, terminals):
        device = self.listed(computer, terminals[0])
        shutil.rmtree(computer.sysfs / BUS_PATH / "usb1/1-1/1-1:1.1/tty")
        with pytest.raises(NoSuchLink):
            device.open_serial(device.facts.serial_ports[0])

    def test_terminal_of_another_interface(self, computer, terminals):
        device = self.listed(computer, terminals[0])
        with pytest.raises(NoSuchLink):
            device.open_serial(SerialPort(str(computer.dev / "ttyACM0"), 0))

    def test_terminal_whose_name_another_phone_has_by_then(self, computer, terminals):
        device = self.listed(computer, terminals[0])
        computer.plug(phone(2))
        with pytest.raises(PhoneGone):
            device.open_serial(device.facts.serial_ports[0])

    def test_terminal_that_changes_hands_just_while_it_is_opened(
        self, computer, terminals, monkeypatch
    ):
        device = self.listed(computer, terminals[0])
        true, opened = SerialLink.open, []

        def swapped(path: str, name: str) -> SerialLink:
            computer.plug(phone(2))
            opened.append(true(path, name))
            return opened[0]

        monkeypatch.setattr(linux_bus.SerialLink, "open", swapped)
        with pytest.raises(PhoneGone):
            device.open_serial(device.facts.serial_ports[0])
        assert not opened[0]._port.is_open

    def test_terminal_that_another_thread_has_is_busy(self, computer, terminals):
        device = self.listed(computer, terminals[0])
        link = device.open_serial(device.facts.serial_ports[0])
        found: list[BaseException] = []

        def second() -> None:
            try:
                device.open_serial(device.facts.serial_ports[0])
            except PhoneBusy as busy:
                found.append(busy)

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        link.close()
        assert [type(each) for each in found] == [PhoneBusy]

    def test_terminal_without_permission(self, computer, terminals, monkeypatch):
        device = self.listed(computer, terminals[0])

        def refuse(*_: object) -> SerialLink:
            raise AccessDenied(device.facts.name)

        monkeypatch.setattr(linux_bus.SerialLink, "open", refuse)
        with pytest.raises(AccessDenied):
            device.open_serial(device.facts.serial_ports[0])
        assert computer.power == "auto"
