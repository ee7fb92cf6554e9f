"""Descriptors as they are asked for, whatever the device makes of it."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from doubles.usb_device import Recorder
from hypothesis import given
from hypothesis import strategies as st
from sysfs_trees import MadeUp

from usbprov.emulation.cdc import CdcAcmInterface
from usbprov.emulation.descriptors import DeviceIdentity
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.vendor import VendorBulkInterface
from usbprov.errors import AccessDenied
from usbprov.usb.description import (
    GetDescriptor,
    Source,
    chain_of,
    describe_device,
    from_sysfs,
    read_descriptors,
    records,
)
from usbprov.usb.devices import DeviceFacts, InterfaceFacts, SerialPort
from usbprov.usb.link import Link
from usbprov.usb.pyusb import new_error, new_timeout
from usbprov.usb.sysfs import SysfsDevice, SysfsInterface, read_device

PHONE = UsbDevice(
    DeviceIdentity(0x1209, 1, "maker", "phone", "S1"),
    [
        VendorBulkInterface(Recorder(), name="bulk", subclass=5, protocol=0x50),
        CdcAcmInterface(Recorder(), name="console"),
    ],
)

Asked = tuple[int, int, int]


def asking(
    device: UsbDevice = PHONE, asked: list[Asked] | None = None, **instead: Exception | bytes
) -> GetDescriptor:
    """Ask an emulated device; ``instead`` answers for a type (``k15``) or a string (``i2``)."""

    def get(kind: int, index: int, language: int, length: int) -> bytes:
        if asked is not None:
            asked.append((kind, index, language))
        answer = instead.get(f"k{kind}", instead.get(f"i{index}" if kind == 3 else ""))
        if isinstance(answer, Exception):
            raise answer
        found = device.descriptors.get(kind, index) if answer is None else answer
        if found is None:
            raise new_error(errno.EPIPE, "Pipe error")
        return found[:length]

    return get


def test_all_descriptors_of_a_phone() -> None:
    found = read_descriptors(asking())
    truth = PHONE.descriptors
    assert found.source is Source.DEVICE
    assert found.device == truth.get(1, 0)
    assert found.configurations == (truth.get(2, 0),)
    assert found.qualifier == truth.get(6, 0)
    assert found.bos == truth.get(15, 0)
    assert found.languages == (0x0409,)
    assert list(found.strings.values()) == ["maker", "phone", "S1", "bulk", "console"]
    assert found.unread == ("MS OS string: it refuses the request",)


def test_strings_are_asked_for_in_the_language_of_the_device() -> None:
    asked: list[Asked] = []
    read_descriptors(asking(asked=asked))
    assert {language for kind, index, language in asked if kind == 3 and 0 < index < 0xEE} == {
        0x0409
    }


def test_what_is_refused_is_noted_and_the_rest_is_read() -> None:
    stall = new_error(errno.EPIPE, "Pipe error")
    found = read_descriptors(asking(k15=stall, i3=stall, k2=b"\x09\x05"))
    assert found.bos == b""
    assert found.configurations == ()
    assert found.strings == {1: "maker", 2: "phone"}
    assert "BOS: it refuses the request" in found.unread
    assert "string 3: it refuses the request" in found.unread
    assert "configuration 0: what came is none" in found.unread


@pytest.mark.parametrize(
    "failure", [new_timeout(errno.ETIMEDOUT, "timed out"), new_error(errno.ENODEV, "gone")]
)
def test_after_a_silence_nothing_more_is_asked(failure: Exception) -> None:
    asked: list[Asked] = []
    found = read_descriptors(asking(asked=asked, k6=failure))
    assert asked[-1] == (6, 0, 0)
    assert found.configurations == (PHONE.descriptors.get(2, 0),)
    assert found.strings == {}


def test_an_old_device_is_not_asked_for_what_it_cannot_have() -> None:
    old = bytearray(PHONE.descriptors.get(1, 0) or b"")
    old[2:4] = b"\x10\x01"
    asked: list[Asked] = []
    read_descriptors(asking(asked=asked, k1=bytes(old)))
    assert {kind for kind, _, _ in asked} == {1, 2, 3}


def test_text_of_a_device_is_made_fit_to_be_shown() -> None:
    evil = "\x1b[2J\u202etxt".encode("utf-16-le")
    found = read_descriptors(asking(i2=bytes((2 + len(evil), 3)) + evil))
    assert "\x1b" not in found.strings[2]
    assert "\u202e" not in found.strings[2]


@given(st.data())
def test_hostile_bytes_raise_nothing_and_are_bounded(data: st.DataObject) -> None:
    asked: list[Asked] = []

    def get(kind: int, index: int, language: int, length: int) -> bytes:
        asked.append((kind, index, language))
        body = data.draw(st.binary(max_size=min(length, 64)))
        return bytes((len(body) + 2, kind)) + body

    found = read_descriptors(get)
    assert len(asked) < 200
    assert all(len(list(records(raw))) <= len(raw) for raw in found.configurations)
    assert all(text.isprintable() for text in found.strings.values())


# --- from sysfs, and which of the two


def known(**more: object) -> SysfsDevice:
    raw = (PHONE.descriptors.get(1, 0) or b"") + (PHONE.descriptors.get(2, 0) or b"")
    interfaces = (SysfsInterface(0, 0, 255, 5, 0x50, "bulk"),)
    facts = {"manufacturer": "maker", "product": "phone", "serial": None, "descriptors": raw}
    return SysfsDevice("1-1", 1, 2, interfaces=interfaces, **(facts | more))  # type: ignore[arg-type]


def test_sysfs_has_the_descriptors_of_a_device_that_may_not_be_opened() -> None:
    found = from_sysfs(known(), "no permission")
    assert found.source is Source.SYSFS
    assert found.device == PHONE.descriptors.get(1, 0)
    assert found.configurations == (PHONE.descriptors.get(2, 0),)
    assert found.strings == {1: "maker", 2: "phone", 4: "bulk"}
    assert found.unread == ("no permission",)


@given(st.binary(max_size=80))
def test_what_sysfs_has_of_a_hostile_device(raw: bytes) -> None:
    assert from_sysfs(known(descriptors=raw), "").source is Source.SYSFS


class Listed:
    """A device that is listed and cannot be asked."""

    facts = DeviceFacts("kernel", "1-1", 0x1209, 1)

    def open_bulk(self, interface: InterfaceFacts) -> Link:
        raise NotImplementedError

    def open_serial(self, port: SerialPort) -> Link:
        raise NotImplementedError


class Opened(Listed):
    """A device that is asked as ``get`` says."""

    def __init__(self, get: Callable[[], GetDescriptor]) -> None:
        self._get = get

    @contextmanager
    def asking(self) -> Iterator[GetDescriptor]:
        yield self._get()


def _denied() -> GetDescriptor:
    raise AccessDenied("phone 1-1")


def test_the_device_is_asked_where_it_can_be() -> None:
    assert describe_device(Opened(asking), known()).source is Source.DEVICE


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (Listed(), "cannot be asked"),
        (Opened(_denied), "no permission"),
        (Opened(lambda: asking(k1=new_error(errno.EACCES, ""))), "no permission"),
    ],
)
def test_else_sysfs_tells_and_why_is_said(device: Listed, words: str) -> None:
    found = describe_device(device, known())
    assert found.source is Source.SYSFS
    assert words in found.unread[0]
    nothing = describe_device(device, None)
    assert (nothing.source, nothing.device) == (Source.NONE, b"")


def test_the_hubs_above_a_device(tmp_path: Path) -> None:
    tree = MadeUp()
    tree.controller("devices/pci0000:00/0000:00:14.0", (1, 480, 8))
    tree.hub("1-2")
    tree.phone("1-2.3")
    root = tree.lay(tmp_path)
    assert [device.name for device in chain_of("1-2.3", root)] == ["usb1", "1-2", "1-2.3"]
    assert chain_of("1-2.3", root)[-1] == read_device("1-2.3", root)
    assert chain_of("1-9", root) == ()
