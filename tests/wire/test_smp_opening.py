"""Which cable of a phone is taken, and that nothing is sent to a device that may be anybody's."""

from collections.abc import Callable
from pathlib import Path

import pytest
from smp_links import LineLink, PortLink, spec

from usbprov.errors import (
    AccessDenied,
    LinkBroken,
    LinkTimeout,
    NoSuchLink,
    PhoneBusy,
    PhoneGone,
    UsbError,
)
from usbprov.phone.registry import recognises
from usbprov.usb.devices import DeviceFacts, InterfaceFacts, LinkKind, SerialPort
from usbprov.usb.link import Link
from usbprov_drivers.smp.driver import DRIVER
from usbprov_drivers.smp.emulator import boot
from usbprov_drivers.smp.opening import serial_port
from usbprov_drivers.smp.ports import ConsolePort, RawPort

NAME = "usbprov SMP"
BULK = InterfaceFacts(0, 0, 0xFF, 0x05, 0x50, NAME)
CONSOLE = InterfaceFacts(1, 0, 0x02, 0x02, 0x00, NAME)
GADGET_ACM = InterfaceFacts(1, 0, 0x02, 0x02, 0x01, "CDC Abstract Control Model (ACM)")
DATA = InterfaceFacts(2, 0, 0x0A, 0, 0)
MODEM = InterfaceFacts(4, 0, 0x02, 0x02, 0x01, "modem")
AUDIO = InterfaceFacts(6, 0, 0x01, 0x01, 0x00, "audio")
PORT = SerialPort("/dev/ttyACM0", 1)
MODEM_PORT = SerialPort("/dev/ttyACM1", 4)
LINE = SerialPort("/dev/ttyS0")


def facts(
    *interfaces: InterfaceFacts, ports: tuple[SerialPort, ...] = (), problem: str | None = None
) -> DeviceFacts:
    return DeviceFacts(
        "test", "1-1", 0xABCD, 7, interfaces=interfaces, serial_ports=ports, problem=problem
    )


class Device:
    """Notes what is opened; ``bulk`` and ``serial`` say what comes of it."""

    def __init__(self, device: DeviceFacts, folder: Path) -> None:
        self.facts = device
        self.taken: list[InterfaceFacts | SerialPort] = []
        self.firmware = boot(spec(folder, ""))
        self.bulk: Callable[[], Link] = lambda: PortLink(RawPort(self.firmware))
        self.serial: Callable[[], Link] = lambda: LineLink(ConsolePort(self.firmware))

    def open_bulk(self, interface: InterfaceFacts) -> Link:
        self.taken.append(interface)
        return self.bulk()

    def open_serial(self, port: SerialPort) -> Link:
        self.taken.append(port)
        return self.serial()


def failing(error: UsbError) -> Callable[[], Link]:
    def fail() -> Link:
        raise error

    return fail


BOTH = facts(BULK, CONSOLE, DATA, ports=(PORT,))


@pytest.mark.parametrize(
    ("device", "link", "taken"),
    [
        (BOTH, None, BULK),
        (BOTH, LinkKind.BULK, BULK),
        (BOTH, LinkKind.SERIAL, PORT),
        (facts(AUDIO, BULK), None, BULK),
        (facts(CONSOLE, DATA, ports=(PORT,)), None, PORT),
        (facts(CONSOLE, DATA, ports=(PORT,)), LinkKind.SERIAL, PORT),
        (facts(MODEM, CONSOLE, ports=(MODEM_PORT, PORT)), None, PORT),
        (facts(BULK, GADGET_ACM, ports=(PORT,)), LinkKind.SERIAL, PORT),
        (facts(ports=(LINE,)), None, LINE),
        (facts(ports=(LINE,)), LinkKind.SERIAL, LINE),
    ],
)
def test_the_best_cable_is_taken_or_the_one_that_is_asked_for(
    tmp_path: Path,
    device: DeviceFacts,
    link: LinkKind | None,
    taken: InterfaceFacts | SerialPort,
) -> None:
    there = Device(device, tmp_path)
    phone = DRIVER.open(there, link)
    assert phone.identity().serial == "EMU0001"
    phone.close()
    assert there.taken == [taken]
    assert recognises(DRIVER, device)


@pytest.mark.parametrize(
    ("device", "link"),
    [
        (facts(AUDIO), None),
        (facts(AUDIO), LinkKind.BULK),
        (facts(AUDIO), LinkKind.SERIAL),
        (facts(BULK), LinkKind.SERIAL),
        (facts(BULK, CONSOLE), LinkKind.SERIAL),
        (facts(CONSOLE), None),
        (facts(CONSOLE, ports=(PORT,)), LinkKind.BULK),
        (facts(ports=(LINE,)), LinkKind.BULK),
        (facts(MODEM, ports=(MODEM_PORT,)), LinkKind.SERIAL),
        (facts(MODEM, ports=(MODEM_PORT,)), None),
        (facts(BULK, GADGET_ACM, MODEM, ports=(PORT, MODEM_PORT)), LinkKind.SERIAL),
    ],
)
def test_a_cable_that_is_not_there_is_not_taken(
    tmp_path: Path, device: DeviceFacts, link: LinkKind | None
) -> None:
    there = Device(device, tmp_path)
    with pytest.raises(NoSuchLink):
        DRIVER.open(there, link)
    assert there.taken == []


@pytest.mark.parametrize(
    "error", [AccessDenied("p"), NoSuchLink("p", "bulk"), LinkBroken("p", "no endpoints")]
)
def test_the_serial_port_stands_in_for_bulk(
    tmp_path: Path, error: UsbError, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    there = Device(BOTH, tmp_path)
    there.bulk = failing(error)
    DRIVER.open(there).close()
    assert there.taken == [BULK, PORT]
    assert "serial port is taken instead" in caplog.text
    with pytest.raises(type(error)):
        DRIVER.open(there, LinkKind.BULK)


@pytest.mark.parametrize("error", [PhoneBusy("p"), PhoneGone("p"), LinkTimeout("p", "x", 1)])
def test_a_phone_in_use_is_not_reached_through_its_other_door(
    tmp_path: Path, error: UsbError
) -> None:
    there = Device(BOTH, tmp_path)
    there.bulk = failing(error)
    with pytest.raises(type(error)):
        DRIVER.open(there)
    assert there.taken == [BULK]


def test_without_a_serial_port_bulk_s_error_counts(tmp_path: Path) -> None:
    there = Device(facts(BULK, CONSOLE), tmp_path)
    there.bulk = failing(AccessDenied("p"))
    with pytest.raises(AccessDenied):
        DRIVER.open(there)


@pytest.mark.parametrize("link", [None, *LinkKind])
def test_nothing_is_sent_where_no_string_could_be_read(
    tmp_path: Path, link: LinkKind | None
) -> None:
    nameless = [InterfaceFacts(i.number, 0, i.cls, i.subclass, i.protocol) for i in (BULK, CONSOLE)]
    there = Device(facts(*nameless, ports=(PORT,), problem="no permission to open it"), tmp_path)
    with pytest.raises(LinkBroken, match="no permission"):
        DRIVER.open(there, link)
    assert there.taken == []


def test_the_serial_port_does_where_only_the_vendor_interface_has_no_string(tmp_path: Path) -> None:
    nameless = InterfaceFacts(0, 0, 0xFF, 0x05, 0x50)
    there = Device(facts(nameless, CONSOLE, ports=(PORT,), problem="it stalls"), tmp_path)
    DRIVER.open(there).close()
    assert there.taken == [PORT]


def test_the_serial_port_of_a_device_that_only_might_be_a_phone_is_not_taken() -> None:
    nameless = InterfaceFacts(0, 0, 0xFF, 0x05, 0x50)
    assert serial_port(facts(nameless, GADGET_ACM, ports=(PORT,), problem="x")) is None


@pytest.mark.parametrize("cls", [PortLink, LineLink])
def test_a_phone_that_does_not_start_is_given_back(tmp_path: Path, cls: type[PortLink]) -> None:
    class Mute(cls):  # type: ignore[misc, valid-type]
        closed = 0

        def read(self, timeout: float) -> bytes:
            raise LinkTimeout(self.name, "read", timeout)

        def close(self) -> None:
            self.closed += 1

    is_line = cls is LineLink
    there = Device(BOTH, tmp_path)
    link = Mute((ConsolePort if is_line else RawPort)(there.firmware))
    there.bulk = there.serial = lambda: link
    with pytest.raises(LinkTimeout):
        DRIVER.open(there, LinkKind.SERIAL if is_line else LinkKind.BULK)
    assert link.closed == 1
