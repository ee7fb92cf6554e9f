"""What FunctionFS is told of a function, read back as the kernel reads it."""

import struct
from dataclasses import dataclass

import pytest
from doubles.usb_device import Recorder

from usbprov.emulation.gadget_descriptors import EVENT_SIZE, Event, describe, read_event
from usbprov.emulation.vendor import VendorBulkInterface
from usbprov.usbip import Direction, SetupPacket


@dataclass
class Told:
    """The descriptors after functionfs.h: groups of descriptors, each preceded by its count."""

    flags: int
    groups: list[list[bytes]]
    rest: bytes


def interface(guid: str | None = "{0}") -> VendorBulkInterface:
    return VendorBulkInterface(
        Recorder(), name="Büro", subclass=5, protocol=0x50, max_packet=512, winusb_guid=guid
    )


def read_back(blob: bytes, sizes: tuple[str, ...]) -> Told:
    magic, length, flags = struct.unpack_from("<III", blob)
    assert (magic, length) == (3, len(blob))
    counts = struct.unpack_from(f"<{len(sizes)}I", blob, 12)
    rest = blob[12 + 4 * len(sizes) :]
    groups = []
    for count, size in zip(counts, sizes, strict=True):
        group = []
        for _ in range(count):
            (length,) = struct.unpack_from(size, rest, 1 if size == "<I" else 0)
            group.append(rest[:length])
            rest = rest[length:]
        groups.append(group)
    return Told(flags, groups, rest)


def test_the_interface_and_its_endpoints_at_either_speed() -> None:
    told = read_back(describe(interface(None)).descriptors, ("<B", "<B"))
    assert told.flags == 1 | 2
    assert not told.rest
    for group, packet in zip(told.groups, (64, 512), strict=True):
        assert group[0] == bytes((9, 4, 0, 0, 2, 0xFF, 5, 0x50, 1))
        assert group[1:] == [
            struct.pack("<BBBBHB", 7, 5, address, 2, packet, 0) for address in (0x01, 0x81)
        ]


def test_windows_is_told_to_bind_winusb() -> None:
    told = read_back(describe(interface("{0}")).descriptors, ("<B", "<B", "<I"))
    assert told.flags == 1 | 2 | 8
    assert not told.rest
    compatible, properties = told.groups[2]
    assert struct.unpack_from("<BIHHH", compatible) == (0, 11 + 24, 1, 4, 1)
    assert compatible[11:] == b"\0\x01WINUSB\0\0" + bytes(14)
    assert struct.unpack_from("<BIHHH", properties) == (0, len(properties), 1, 5, 1)
    size, kind, name_size = struct.unpack_from("<IIH", properties, 11)
    assert (size, kind) == (len(properties) - 11, 1)
    name, value = properties[21 : 21 + name_size], properties[21 + name_size + 4 :]
    assert (name, value) == (b"DeviceInterfaceGUID\0", b"{0}\0")


def test_the_strings() -> None:
    blob = describe(interface()).strings
    assert struct.unpack_from("<IIIIH", blob) == (2, len(blob), 1, 1, 0x0409)
    assert blob[18:] == "Büro".encode() + b"\0"


def test_the_endpoint_files_are_in_the_order_of_the_descriptors() -> None:
    directions = [endpoint.spec.direction for endpoint in describe(interface()).endpoints]
    assert directions == [Direction.OUT, Direction.IN]


def test_events() -> None:
    raw = bytes.fromhex("4152000001000000") + bytes((4, 0, 0, 0))
    assert len(raw) == EVENT_SIZE
    assert read_event(raw) == (Event.SETUP, SetupPacket(0x41, 0x52, 0, 1, 0))
    with pytest.raises(ValueError, match="99"):
        read_event(bytes(8) + bytes((99, 0, 0, 0)))
