"""What is written to and read from the control file of a FunctionFS instance; no I/O.

Linux, include/uapi/linux/usb/functionfs.h: descriptors (version 2) and strings for the kernel, and
the events that it reports. All fields are little-endian.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from usbprov.emulation.descriptors import US_ENGLISH, StringTable, function_descriptors
from usbprov.emulation.interface import EmulatedInterface
from usbprov.emulation.layout import PlacedEndpoint, lay_out
from usbprov.usbip import SetupPacket, Speed

EVENT_SIZE = 12
"""struct usb_functionfs_event: setup packet, type, padding."""

_DESCRIPTORS_MAGIC_V2, _STRINGS_MAGIC = 3, 2
_SETUP_SIZE = 8
_OS_VERSION = 0x0001
"""bcdVersion of Microsoft OS descriptors 1.0, the ones that gadgets have. Older kernels take it
only with its bytes swapped, newer ones so, too."""
_COMPATIBLE_ID, _PROPERTIES = 4, 5
_REG_SZ = 1
"""Not a list of texts (7), which the kernel takes, but does not give to the host."""


class _Has(IntFlag):
    FULL_SPEED = 1
    HIGH_SPEED = 2
    MS_OS = 8


class Event(IntEnum):
    """What happened to the function (enum usb_functionfs_event_type)."""

    BIND = 0
    UNBIND = 1
    ENABLE = 2
    DISABLE = 3
    SETUP = 4
    SUSPEND = 5
    RESUME = 6


@dataclass(frozen=True)
class FunctionBlobs:
    """A function as FunctionFS wants to be told of it.

    Attributes:
        descriptors: To be written to the control file first, in one piece.
        strings: To be written after them.
        endpoints: In the order of the kernel's endpoint files ``ep1``, ``ep2`` …
    """

    descriptors: bytes
    strings: bytes
    endpoints: tuple[PlacedEndpoint, ...]


def describe(interface: EmulatedInterface) -> FunctionBlobs:
    """Return the descriptors and strings of a function that is alone in its FunctionFS instance.

    The kernel gives interfaces, endpoints and strings other numbers in the gadget.
    """
    function = lay_out([interface])[0]
    strings = StringTable()
    full, high = (
        list(function_descriptors(function, speed, strings)) for speed in (Speed.FULL, Speed.HIGH)
    )
    microsoft = _winusb(interface.winusb_guid) if interface.winusb_guid else []
    groups, flags = [full, high], _Has.FULL_SPEED | _Has.HIGH_SPEED
    if microsoft:
        groups, flags = [*groups, microsoft], flags | _Has.MS_OS
    counts = struct.pack(f"<{len(groups)}I", *map(len, groups))
    body = counts + b"".join(part for group in groups for part in group)
    head = struct.pack("<III", _DESCRIPTORS_MAGIC_V2, 12 + len(body), flags)
    endpoints = tuple(e for placed in function.interfaces for e in placed.endpoints)
    return FunctionBlobs(head + body, _strings(strings.texts), endpoints)


def read_event(raw: bytes) -> tuple[Event, SetupPacket]:
    """Read one event; its setup packet means something only with ``Event.SETUP``.

    Raises:
        ValueError: It is of a type that is not known.
    """
    return Event(raw[_SETUP_SIZE]), SetupPacket.parse(raw[:_SETUP_SIZE])


def _strings(texts: Sequence[str]) -> bytes:
    language = struct.pack("<H", US_ENGLISH) + b"".join(t.encode() + b"\0" for t in texts)
    body = language if texts else b""
    head = (_STRINGS_MAGIC, 16 + len(body), len(texts), 1 if texts else 0)
    return struct.pack("<IIII", *head) + body


def _winusb(guid: str) -> list[bytes]:
    """Return compatible id and device interface GUID, for the first interface of the function."""
    compatible = struct.pack("<BB8s8s6x", 0, 1, b"WINUSB", b"")
    name, value = b"DeviceInterfaceGUID\0", guid.encode() + b"\0"
    size = 14 + len(name) + len(value)
    properties = struct.pack("<IIH", size, _REG_SZ, len(name)) + name
    properties += struct.pack("<I", len(value)) + value
    return [_os_descriptor(_COMPATIBLE_ID, compatible), _os_descriptor(_PROPERTIES, properties)]


def _os_descriptor(kind: int, feature: bytes) -> bytes:
    """Return a header with one feature (struct usb_os_desc_header)."""
    return struct.pack("<BIHHH", 0, 11 + len(feature), _OS_VERSION, kind, 1) + feature
