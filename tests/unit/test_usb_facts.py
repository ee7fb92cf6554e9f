"""Reading facts from devices that do what a test tells them."""

# ruff: noqa: N815  (pyusb's names)

import errno
from types import SimpleNamespace

import pytest
import usb.core

from usbprov.usb.facts import read_facts
from usbprov.usb.portpath import PortPath

PLACE = PortPath(1, (4, 2))
DENIED = usb.core.USBError("Access denied", -3, errno.EACCES)
STALL = usb.core.USBError("Pipe error", -9, errno.EPIPE)


def string(text: str) -> bytes:
    raw = text.encode("utf-16-le")
    return bytes([2 + len(raw), 3]) + raw


def setting(number: int, name: int = 0) -> SimpleNamespace:
    return SimpleNamespace(
        bInterfaceNumber=number,
        bAlternateSetting=0,
        bInterfaceClass=0xFF,
        bInterfaceSubClass=1,
        bInterfaceProtocol=2,
        iInterface=name,
    )


class Device:
    """A device as pyusb has it; ``strings`` says what each index gives."""

    idVendor, idProduct, bDeviceClass = 0x1209, 1, 0
    iManufacturer, iProduct, iSerialNumber = 1, 2, 3
    bus, address, port_numbers = 1, 7, (4, 2)
    bNumConfigurations = 1

    def __init__(self, **strings: bytes | Exception) -> None:
        self.strings: dict[int, bytes | Exception] = {
            0: b"\x04\x03\x09\x04",
            1: string("maker"),
            2: string("model"),
            3: string("0001"),
        }
        self.strings |= {int(key[1:]): value for key, value in strings.items()}
        self.asked: list[tuple[int, int]] = []
        self.interfaces: list | Exception = [setting(0)]
        self.active: list | Exception = DENIED

    def __getitem__(self, index: int):
        if isinstance(self.interfaces, Exception):
            raise self.interfaces
        return iter(self.interfaces)

    def get_active_configuration(self):
        if isinstance(self.active, Exception):
            raise self.active
        return iter(self.active)

    def ctrl_transfer(self, kind, request, value, index, length, timeout):
        assert (kind, request, value >> 8) == (0x80, 6, 3)
        self.asked.append((value & 0xFF, index))
        answer = self.strings[value & 0xFF]
        if isinstance(answer, Exception):
            raise answer
        return answer


def facts_of(device: Device):
    return read_facts(device, "kernel", PLACE)


def test_all_well():
    facts = facts_of(Device())
    assert (facts.bus, facts.port_path) == ("kernel", "1-4.2")
    assert (facts.manufacturer, facts.product, facts.serial) == ("maker", "model", "0001")
    assert facts.problem is None


def test_no_permission_is_said_once_and_the_rest_is_known():
    device = Device(s0=DENIED)
    facts = facts_of(device)
    assert facts.problem == "no permission to open it"
    assert (facts.manufacturer, facts.serial) == (None, None)
    assert [i.number for i in facts.interfaces] == [0]
    assert device.asked == [(0, 0)]


def test_first_language_is_asked_for():
    device = Device(s0=b"\x06\x03\x07\x04\x09\x04")
    facts_of(device)
    assert device.asked == [(0, 0), (1, 0x0407), (2, 0x0407), (3, 0x0407)]


@pytest.mark.parametrize("languages", [b"", b"\x02\x03", b"\x04\x01\x07\x04", b"\x03\x03\x07"])
def test_language_list_that_makes_no_sense(languages):
    device = Device(s0=languages)
    assert facts_of(device).serial == "0001"
    assert device.asked[1] == (1, 0x0409)


def test_language_list_is_refused():
    facts = facts_of(Device(s0=STALL))
    assert facts.problem == "its manufacturer cannot be read: it refuses the request"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (string("M\N{LATIN SMALL LETTER U WITH DIAERESIS}ller"), "Müller"),
        (string("  padded "), "padded"),
        (string("nul\0\0"), "nul"),
        (string("a\nb"), "a\ufffdb"),
        (string(""), None),
        (string("\0\0"), None),
        (string("odd") + b"!", "odd"),
        (b"\x09\x03o\0d\0d\0!", "odd"),
        (string("\U0001f4de"), "\U0001f4de"),
    ],
)
def test_text(raw, text):
    facts = facts_of(Device(s3=raw))
    assert (facts.serial, facts.problem) == (text, None)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x04", b"\x00\x03", b"\x06\x02a\0b\0", b"\x06\x03\x00\xd8a\0", b"\x04\x03\x00\xdc"],
)
def test_junk(raw):
    facts = facts_of(Device(s3=raw))
    assert facts.serial is None
    assert facts.problem is not None
    assert facts.problem.startswith("its serial number cannot be read: ")
    assert facts.product == "model"


def test_first_problem_is_the_one_told():
    facts = facts_of(Device(s2=STALL, s3=b""))
    assert facts.problem == "its product name cannot be read: it refuses the request"


def test_string_of_two_interfaces_is_asked_for_once():
    device = Device(s4=string("console"))
    device.interfaces = [setting(0, 4), setting(1, 4)]
    assert [i.name for i in facts_of(device).interfaces] == ["console", "console"]
    assert [index for index, _ in device.asked].count(4) == 1


def test_active_configuration_is_asked_for_where_there_are_two():
    device = Device()
    device.bNumConfigurations = 2
    device.active = [setting(0), setting(1)]
    assert [i.number for i in facts_of(device).interfaces] == [0, 1]
    device.active = STALL
    facts = facts_of(device)
    assert (facts.interfaces, facts.problem) == (
        (),
        "its interfaces cannot be read: it refuses the request",
    )


def test_interfaces_without_end_are_cut_off():
    device = Device()
    device.interfaces = [setting(number % 256) for number in range(5000)]
    assert len(facts_of(device).interfaces) == 64


@pytest.mark.parametrize("failure", [STALL, IndexError("no configuration"), ValueError("odd")])
def test_interfaces_that_cannot_be_read(failure):
    device = Device()
    device.interfaces = failure
    facts = facts_of(device)
    assert facts.interfaces == ()
    assert facts.problem is not None
    assert facts.serial == "0001"


def test_device_that_cannot_be_opened_is_asked_nothing():
    device = Device()
    facts = read_facts(device, "kernel", PLACE, "in use by another program")
    assert device.asked == []
    assert facts.problem == "in use by another program"
    assert len(facts.interfaces) == 1


def test_a_device_that_answers_late_each_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("usbprov.usb.facts.time.monotonic", lambda: now[0])

    class Late(Device):
        def ctrl_transfer(self, *request: int) -> bytes:
            now[0] += 0.95
            return super().ctrl_transfer(*request)

    device = Late()
    device.interfaces = [setting(number, 4 + number) for number in range(60)]
    device.strings |= {4 + number: string(str(number)) for number in range(60)}
    facts = read_facts(device, "test", PLACE)
    assert facts.problem == "it answers too slowly"
    assert len(facts.interfaces) == 60
    assert now[0] < 5
