"""The first phase of a USB/IP connection: listing the exported devices and importing one.

Each message can ``encode`` itself; the ``parse_…`` generators yield the number of bytes they
want next and return the message (see ``decoding``).
"""

import struct
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from usbprov.usbip.fields import (
    BUSID_SIZE,
    PATH_SIZE,
    VERSION,
    MalformedMessage,
    Status,
    pack_text,
    unpack_text,
)

OPERATION = struct.Struct(">HHI")
"""Version, code, status: how every operation begins."""

REQ_IMPORT, REP_IMPORT = 0x8003, 0x0003
REQ_DEVLIST, REP_DEVLIST = 0x8005, 0x0005

MAX_DEVICES = 1024
"""Devices that a list may name; beyond it the length is taken for nonsense."""

REMEMBERED_DEVICES = 128
"""How many devices that were listed last are remembered: whoever watches an exporter is told of the
same several times a second. A bus has 127 at most; each plug makes another one, so a longer memory
would be full of phones that have gone."""

MAX_INTERFACES = 64
"""Interfaces of a device that are kept of a list; Linux knows no more than 32."""

_DEVICE = struct.Struct(f">{PATH_SIZE}s{BUSID_SIZE}sIIIHHHBBBBBB")
_INTERFACE_COUNT = _DEVICE.size - 1
"""Where in a device's record its number of interfaces is."""
_COUNT = struct.Struct(">I")
_TRIPLE = struct.Struct(">BBBx")


_Operation = TypeVar("_Operation")


@dataclass(frozen=True)
class InterfaceTriple:
    """Class, subclass and protocol of one interface."""

    cls: int
    subclass: int
    protocol: int


@dataclass(frozen=True)
class ExportedDevice:
    """A device as the exporter lists it.

    Attributes:
        path: Where it is in the exporter's device tree; informative.
        busid: Its name in an import: the port path (``1-1.4.2``).
        busnum: Number of its bus.
        devnum: Its address on that bus.
        speed: A value of ``Speed``, or one that we do not know.
        vendor_id: idVendor.
        product_id: idProduct.
        release: bcdDevice.
        cls: bDeviceClass.
        subclass: bDeviceSubClass.
        protocol: bDeviceProtocol.
        configuration: bConfigurationValue of the active configuration, 0 for none.
        configurations: bNumConfigurations.
        interface_count: bNumInterfaces of the active configuration.
        interfaces: Only in a device list: one entry for each of ``interface_count``, as far as
            ``MAX_INTERFACES``.
    """

    path: str
    busid: str
    busnum: int
    devnum: int
    speed: int
    vendor_id: int
    product_id: int
    release: int
    cls: int
    subclass: int
    protocol: int
    configuration: int
    configurations: int
    interface_count: int
    interfaces: tuple[InterfaceTriple, ...] = ()

    @property
    def devid(self) -> int:
        """The number by which transfers name the device once it is imported (32 bits)."""
        return (self.busnum << 16 | self.devnum) & 0xFFFFFFFF

    def encode(self) -> bytes:
        """Return the 312 bytes of the record, without interfaces."""
        return _DEVICE.pack(
            pack_text(self.path, PATH_SIZE),
            pack_text(self.busid, BUSID_SIZE),
            self.busnum,
            self.devnum,
            self.speed,
            self.vendor_id,
            self.product_id,
            self.release,
            self.cls,
            self.subclass,
            self.protocol,
            self.configuration,
            self.configurations,
            self.interface_count,
        )

    def encode_interfaces(self) -> bytes:
        """Return the four bytes of each interface, as they follow in a device list."""
        return b"".join(_TRIPLE.pack(i.cls, i.subclass, i.protocol) for i in self.interfaces)


@dataclass(frozen=True)
class DeviceListRequest:
    """OP_REQ_DEVLIST: which devices are exported?"""

    def encode(self) -> bytes:
        """Return the message as it is sent."""
        return OPERATION.pack(VERSION, REQ_DEVLIST, 0)


@dataclass(frozen=True)
class DeviceListReply:
    """OP_REP_DEVLIST: these are. Each device brings its interfaces along."""

    devices: tuple[ExportedDevice, ...] = ()
    status: int = Status.OK

    def encode(self) -> bytes:
        """Return the message as it is sent."""
        head = OPERATION.pack(VERSION, REP_DEVLIST, self.status) + _COUNT.pack(len(self.devices))
        return head + b"".join(d.encode() + d.encode_interfaces() for d in self.devices)


@dataclass(frozen=True)
class ImportRequest:
    """OP_REQ_IMPORT: give me the device with this busid."""

    busid: str

    def encode(self) -> bytes:
        """Return the message as it is sent."""
        return OPERATION.pack(VERSION, REQ_IMPORT, 0) + pack_text(self.busid, BUSID_SIZE)


@dataclass(frozen=True)
class ImportReply:
    """OP_REP_IMPORT: here it is, or why not. ``device`` is there when the status is OK."""

    status: int
    device: ExportedDevice | None = None

    def encode(self) -> bytes:
        """Return the message as it is sent."""
        head = OPERATION.pack(VERSION, REP_IMPORT, self.status)
        return head if self.device is None else head + self.device.encode()


@lru_cache(REMEMBERED_DEVICES)
def _device_of(record: bytes, interfaces: bytes = b"") -> ExportedDevice:
    path, busid, *numbers = _DEVICE.unpack(record)
    device = ExportedDevice(unpack_text(path), unpack_text(busid), *numbers)
    triples = tuple(InterfaceTriple(*fields) for fields in _TRIPLE.iter_unpack(interfaces))
    return replace(device, interfaces=triples)


def _parse_list_request(_status: int) -> Generator[int, bytes, DeviceListRequest]:
    yield from ()
    return DeviceListRequest()


def _parse_list_reply(status: int) -> Generator[int, bytes, DeviceListReply]:
    (count,) = _COUNT.unpack((yield _COUNT.size))
    if count > MAX_DEVICES:
        raise MalformedMessage(f"a list of {count} devices")
    devices = []
    for _ in range(count):
        record = yield _DEVICE.size
        size = record[_INTERFACE_COUNT] * _TRIPLE.size
        raw = (yield size) if size else b""
        devices.append(_device_of(record, raw[: MAX_INTERFACES * _TRIPLE.size]))
    return DeviceListReply(tuple(devices), status)


def _parse_import_request(_status: int) -> Generator[int, bytes, ImportRequest]:
    return ImportRequest(unpack_text((yield BUSID_SIZE)))


def _parse_import_reply(status: int) -> Generator[int, bytes, ImportReply]:
    if status != Status.OK:
        return ImportReply(status)
    return ImportReply(status, _device_of((yield _DEVICE.size)))


_Parser = Callable[[int], Generator[int, bytes, _Operation]]
_REQUESTS: Mapping[int, _Parser[DeviceListRequest | ImportRequest]] = {
    REQ_DEVLIST: _parse_list_request,
    REQ_IMPORT: _parse_import_request,
}
_REPLIES: Mapping[int, _Parser[DeviceListReply | ImportReply]] = {
    REP_DEVLIST: _parse_list_reply,
    REP_IMPORT: _parse_import_reply,
}


def _parse(parsers: Mapping[int, _Parser[_Operation]]) -> Generator[int, bytes, _Operation]:
    version, code, status = OPERATION.unpack((yield OPERATION.size))
    parser = parsers.get(code)
    # The minor version differs from kernel to kernel, and the layout with it never did.
    if version >> 8 != VERSION >> 8 or parser is None:
        raise MalformedMessage(f"version {version:#06x}, code {code:#06x}")
    return (yield from parser(status))


def parse_request() -> Generator[int, bytes, DeviceListRequest | ImportRequest]:
    """Parse what a client asks.

    Raises:
        MalformedMessage: It is no such request.
    """
    return _parse(_REQUESTS)


def parse_answer() -> Generator[int, bytes, DeviceListReply | ImportReply]:
    """Parse what an exporter answers.

    Raises:
        MalformedMessage: It is no such reply.
    """
    return _parse(_REPLIES)
