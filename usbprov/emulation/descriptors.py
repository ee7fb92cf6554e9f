"""Builds the descriptors of an emulated device (USB 2.0, 9.6; USB 2.0 ECN LPM; MS OS 2.0).

All multi-byte fields are little-endian.
"""

import struct
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from usbprov.emulation.interface import InterfaceSpec
from usbprov.emulation.layout import PlacedFunction
from usbprov.usbip import Speed

USB_RELEASE = 0x0210
"""bcdUSB: above 2.00, so that hosts read the BOS, where Windows learns of MS OS 2.0."""

US_ENGLISH = 0x0409
"""The one language of our strings."""

CONFIGURATION = 1
"""bConfigurationValue of the one configuration."""

MS_VENDOR_CODE = 0x4D
"""bRequest by which Windows asks for the MS OS 2.0 descriptor set."""

MS_DESCRIPTOR_INDEX = 0x07
"""wIndex of that request (MS_OS_20_DESCRIPTOR_INDEX)."""

_WINDOWS_8_1 = 0x06030000
_MS_PLATFORM = uuid.UUID("d8dd60df-4589-4cc7-9cd2-659d9e648a9f")
_SELF_POWERED = 0xC0
_COMPOSITE = (0xEF, 0x02, 0x01)
"""Class triple of a device with interface associations (USB ECN IAD)."""
_BY_INTERFACE = (0, 0, 0)
_CONTROL_PACKET = 64
_REG_MULTI_SZ = 7


class DescriptorType(IntEnum):
    """bDescriptorType (USB 2.0, table 9-5, and later notices)."""

    DEVICE = 1
    CONFIGURATION = 2
    STRING = 3
    INTERFACE = 4
    ENDPOINT = 5
    DEVICE_QUALIFIER = 6
    OTHER_SPEED_CONFIGURATION = 7
    INTERFACE_ASSOCIATION = 11
    BOS = 15
    DEVICE_CAPABILITY = 16


@dataclass(frozen=True)
class DeviceIdentity:
    """Who the device says it is.

    Attributes:
        vendor_id: idVendor.
        product_id: idProduct.
        manufacturer: String, or None for no string descriptor.
        product: Likewise.
        serial: Likewise.
        release: bcdDevice, in BCD: 0x0102 is 1.02.
    """

    vendor_id: int
    product_id: int
    manufacturer: str | None = None
    product: str | None = None
    serial: str | None = None
    release: int = 0x0100


class StringTable:
    """The string descriptors, numbered from 1 as they are first used."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def index(self, text: str | None) -> int:
        """Return the number of ``text``, adding it if it is new; 0 for None."""
        if text is None:
            return 0
        if text not in self._texts:
            self._texts.append(text)
        return self._texts.index(text) + 1

    @property
    def texts(self) -> tuple[str, ...]:
        """The strings, the one with number 1 first."""
        return tuple(self._texts)

    def descriptor(self, index: int) -> bytes | None:
        """Return string ``index``; 0 is the list of languages. None where there is none."""
        if index == 0:
            return _string(struct.pack("<H", US_ENGLISH))
        if index > len(self._texts):
            return None
        return _string(self._texts[index - 1].encode("utf-16-le")[:252])


def _string(payload: bytes) -> bytes:
    return bytes((2 + len(payload), DescriptorType.STRING)) + payload


class DescriptorSet:
    """All descriptors of one device."""

    def __init__(
        self, identity: DeviceIdentity, functions: Sequence[PlacedFunction], speed: int
    ) -> None:
        self._identity = identity
        self._functions = tuple(functions)
        self._strings = StringTable()
        self._class = _COMPOSITE if any(len(f.interfaces) > 1 for f in functions) else _BY_INTERFACE
        self.ms_os_20 = ms_os_20_set(self._functions)
        """The MS OS 2.0 descriptor set; empty when no interface is for WinUSB."""
        self._fixed: dict[int, bytes] = {DescriptorType.DEVICE: self._device()}
        self._fixed[DescriptorType.CONFIGURATION] = self._configuration(speed)
        self._fixed[DescriptorType.BOS] = bos(self.ms_os_20)
        if speed == Speed.HIGH:
            other = bytearray(self._configuration(Speed.FULL))
            other[1] = DescriptorType.OTHER_SPEED_CONFIGURATION
            self._fixed[DescriptorType.OTHER_SPEED_CONFIGURATION] = bytes(other)
            self._fixed[DescriptorType.DEVICE_QUALIFIER] = self._qualifier()

    @property
    def device_class(self) -> tuple[int, int, int]:
        """bDeviceClass, bDeviceSubClass, bDeviceProtocol."""
        return self._class

    @property
    def interfaces(self) -> tuple[InterfaceSpec, ...]:
        """The interfaces of the configuration, by number."""
        return tuple(i.spec for f in self._functions for i in f.interfaces)

    def get(self, kind: int, index: int) -> bytes | None:
        """Return a descriptor whole, or None where GET_DESCRIPTOR is to be stalled."""
        if kind == DescriptorType.STRING:
            return self._strings.descriptor(index)
        return self._fixed.get(kind) if index == 0 else None

    def _device(self) -> bytes:
        who = self._identity
        return struct.pack(
            "<BBHBBBBHHHBBBB",
            18,
            DescriptorType.DEVICE,
            USB_RELEASE,
            *self._class,
            _CONTROL_PACKET,
            who.vendor_id,
            who.product_id,
            who.release,
            *(self._strings.index(text) for text in (who.manufacturer, who.product, who.serial)),
            1,
        )

    def _qualifier(self) -> bytes:
        kind = DescriptorType.DEVICE_QUALIFIER
        head = struct.pack("<BBHBBB", 10, kind, USB_RELEASE, *self._class)
        return head + bytes((_CONTROL_PACKET, 1, 0))

    def _configuration(self, speed: int) -> bytes:
        body = b"".join(self._function(function, speed) for function in self._functions)
        head = struct.pack(
            "<BBHBBBBB",
            9,
            DescriptorType.CONFIGURATION,
            9 + len(body),
            sum(len(f.interfaces) for f in self._functions),
            CONFIGURATION,
            0,
            _SELF_POWERED,
            0,
        )
        return head + body

    def _function(self, function: PlacedFunction, speed: int) -> bytes:
        association = _association(function) if len(function.interfaces) > 1 else b""
        return association + b"".join(function_descriptors(function, speed, self._strings))


def function_descriptors(
    function: PlacedFunction, speed: int, strings: StringTable
) -> Iterator[bytes]:
    """Yield a function's descriptors, interface by interface; its strings are numbered on the way.

    What is class-specific comes with the descriptor of its interface, each endpoint by itself.
    """
    for placed in function.interfaces:
        spec = placed.spec
        head = bytes((9, DescriptorType.INTERFACE, placed.number, 0, len(placed.endpoints)))
        head += bytes((spec.cls, spec.subclass, spec.protocol, strings.index(spec.name)))
        yield head + spec.functional(function.first)
        for endpoint in placed.endpoints:
            yield struct.pack(
                "<BBBBHB",
                7,
                DescriptorType.ENDPOINT,
                endpoint.address,
                endpoint.spec.transfer,
                endpoint.max_packet(speed),
                endpoint.spec.interval,
            )


def _association(function: PlacedFunction) -> bytes:
    """Interface association (USB ECN IAD): these interfaces are one function."""
    spec = function.interfaces[0].spec
    kind = DescriptorType.INTERFACE_ASSOCIATION
    head = bytes((8, kind, function.first, len(function.interfaces)))
    return head + bytes((spec.cls, spec.subclass, spec.protocol, 0))


def bos(descriptor_set: bytes) -> bytes:
    """Return the BOS: USB 2.0 extension (no LPM), and where MS OS 2.0 descriptors are to be had.

    ``descriptor_set`` is the MS OS 2.0 descriptor set; empty for none.
    """
    capabilities = [struct.pack("<BBBI", 7, DescriptorType.DEVICE_CAPABILITY, 0x02, 0)]
    if descriptor_set:
        head = bytes((28, DescriptorType.DEVICE_CAPABILITY, 0x05, 0)) + _MS_PLATFORM.bytes_le
        where = struct.pack("<IHBB", _WINDOWS_8_1, len(descriptor_set), MS_VENDOR_CODE, 0)
        capabilities.append(head + where)
    body = b"".join(capabilities)
    return struct.pack("<BBHB", 5, DescriptorType.BOS, 5 + len(body), len(capabilities)) + body


def ms_os_20_set(functions: Sequence[PlacedFunction]) -> bytes:
    """Return the MS OS 2.0 descriptor set that binds WinUSB, or nothing where none is wanted.

    In a composite device the features stand in a subset for their function; in a device of one
    interface, which Windows takes as a whole, at the top.
    """
    wanted = [(f.first, f.source.winusb_guid) for f in functions if f.source.winusb_guid]
    if not wanted:
        return b""
    if len(functions) == 1 and len(functions[0].interfaces) == 1:
        body = _winusb(str(wanted[0][1]))
    else:
        body = _configuration_subset([(first, _winusb(str(guid))) for first, guid in wanted])
    return struct.pack("<HHIH", 10, 0x00, _WINDOWS_8_1, 10 + len(body)) + body


def _configuration_subset(features: Sequence[tuple[int, bytes]]) -> bytes:
    subsets = (struct.pack("<HHBBH", 8, 0x02, n, 0, 8 + len(f)) + f for n, f in features)
    body = b"".join(subsets)
    # The field is called bConfigurationValue, but Windows takes it for an index from 0.
    return struct.pack("<HHBBH", 8, 0x01, 0, 0, 8 + len(body)) + body


def _winusb(guid: str) -> bytes:
    compatible = struct.pack("<HH8s8s", 20, 0x03, b"WINUSB", b"")
    name = "DeviceInterfaceGUIDs\0".encode("utf-16-le")
    value = f"{guid}\0\0".encode("utf-16-le")
    size = 10 + len(name) + len(value)
    head = struct.pack("<HHHH", size, 0x04, _REG_MULTI_SZ, len(name))
    return compatible + head + name + struct.pack("<H", len(value)) + value
