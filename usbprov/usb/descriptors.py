"""USB descriptors from raw bytes (USB 2.0, chapter 9.6), in the shape that pyusb expects.

The bytes come from a device and are hostile until they are parsed. What Linux and libusb forgive
is forgiven here as well: a wrong wTotalLength, counts that do not agree with what follows, unknown
descriptors. What cannot be walked is refused.
"""

# ruff: noqa: N815  (the field names are those of the USB specification, and pyusb reads them)

import struct
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from enum import IntEnum

MAX_CONFIGURATIONS = 8
"""Configurations read of one device; Linux stops at the same number."""

MAX_LENGTH = 16384
"""Bytes of one configuration at most: several times what the largest cameras have."""


class DescriptorType(IntEnum):
    """The descriptor types that are parsed (USB 2.0, table 9-5)."""

    DEVICE = 1
    CONFIGURATION = 2
    STRING = 3
    INTERFACE = 4
    ENDPOINT = 5


class MalformedDescriptor(ValueError):
    """Raised when a descriptor cannot be parsed."""


@dataclass(frozen=True)
class DeviceDescriptor:
    """A device descriptor (USB 2.0, 9.6.1), and where the device is.

    ``bus`` to ``speed`` are no part of the descriptor; pyusb asks for them with it. ``speed`` is
    counted as libusb does: 1 low, 2 full, 3 high, 4 super, 5 super plus.
    """

    bLength: int
    bDescriptorType: int
    bcdUSB: int
    bDeviceClass: int
    bDeviceSubClass: int
    bDeviceProtocol: int
    bMaxPacketSize0: int
    idVendor: int
    idProduct: int
    bcdDevice: int
    iManufacturer: int
    iProduct: int
    iSerialNumber: int
    bNumConfigurations: int
    _: KW_ONLY
    bus: int | None = None
    address: int | None = None
    port_number: int | None = None
    port_numbers: tuple[int, ...] | None = None
    speed: int | None = None


@dataclass(frozen=True)
class EndpointDescriptor:
    """An endpoint descriptor (USB 2.0, 9.6.6)."""

    bLength: int
    bDescriptorType: int
    bEndpointAddress: int
    bmAttributes: int
    wMaxPacketSize: int
    bInterval: int
    bRefresh: int = 0
    bSynchAddress: int = 0
    _: KW_ONLY
    extra_descriptors: tuple[int, ...] = ()


@dataclass(frozen=True)
class InterfaceDescriptor:
    """One alternate setting of an interface (USB 2.0, 9.6.5).

    ``bNumEndpoints`` is the number of endpoints that were found, whatever the device claims.
    """

    bLength: int
    bDescriptorType: int
    bInterfaceNumber: int
    bAlternateSetting: int
    bNumEndpoints: int
    bInterfaceClass: int
    bInterfaceSubClass: int
    bInterfaceProtocol: int
    iInterface: int
    _: KW_ONLY
    extra_descriptors: tuple[int, ...] = ()
    endpoints: tuple[EndpointDescriptor, ...] = ()


@dataclass(frozen=True)
class ConfigurationDescriptor:
    """A configuration (USB 2.0, 9.6.3) with all that belongs to it.

    ``bNumInterfaces`` is the number of interfaces that were found, whatever the device claims.
    ``interfaces`` holds the alternate settings of each, in the order of the device.
    """

    bLength: int
    bDescriptorType: int
    wTotalLength: int
    bNumInterfaces: int
    bConfigurationValue: int
    iConfiguration: int
    bmAttributes: int
    bMaxPower: int
    _: KW_ONLY
    extra_descriptors: tuple[int, ...] = ()
    interfaces: tuple[tuple[InterfaceDescriptor, ...], ...] = ()

    def endpoint(self, address: int) -> EndpointDescriptor | None:
        """Return the first endpoint with this address, of any alternate setting."""
        settings = (setting for interface in self.interfaces for setting in interface)
        endpoints = (endpoint for setting in settings for endpoint in setting.endpoints)
        return next((e for e in endpoints if e.bEndpointAddress == address), None)


_DEVICE = struct.Struct("<BBHBBBBHHHBBBB")
_CONFIGURATION = struct.Struct("<BBHBBBBB")
_INTERFACE = struct.Struct("<9B")
_ENDPOINT = struct.Struct("<BBBBHB")


def parse_device(raw: bytes) -> DeviceDescriptor:
    """Parse a device descriptor.

    Raises:
        MalformedDescriptor: It is too short, or of another type.
    """
    return DeviceDescriptor(*_fields(_DEVICE, raw, DescriptorType.DEVICE))


def total_length(raw: bytes) -> int:
    """Return wTotalLength of the first bytes of a configuration descriptor.

    Raises:
        MalformedDescriptor: They are too few, or of another type.
    """
    return int(_fields(_CONFIGURATION, raw, DescriptorType.CONFIGURATION)[2])


def parse_configuration(raw: bytes) -> ConfigurationDescriptor:
    """Parse a configuration descriptor and all that follows it up to wTotalLength.

    Raises:
        MalformedDescriptor: A length in it is impossible, or the whole is beyond ``MAX_LENGTH``.
    """
    fields = _fields(_CONFIGURATION, raw, DescriptorType.CONFIGURATION)
    raw = raw[: max(fields[2], _CONFIGURATION.size)]
    if len(raw) > MAX_LENGTH:
        raise MalformedDescriptor(f"a configuration of more than {MAX_LENGTH} bytes")
    records = list(_walk(raw))[1:]
    extra, groups = _split(records, DescriptorType.INTERFACE)
    interfaces = _by_number([_interface(group) for group in groups])
    return replace(
        ConfigurationDescriptor(*fields),
        bNumInterfaces=len(interfaces),
        extra_descriptors=_flat(extra),
        interfaces=interfaces,
    )


def _interface(group: Sequence[bytes]) -> InterfaceDescriptor:
    fields = _fields(_INTERFACE, group[0], DescriptorType.INTERFACE)
    extra, groups = _split(group[1:], DescriptorType.ENDPOINT)
    endpoints = tuple(_endpoint(group) for group in groups)
    return replace(
        InterfaceDescriptor(*fields),
        bNumEndpoints=len(endpoints),
        extra_descriptors=_flat(extra),
        endpoints=endpoints,
    )


def _endpoint(group: Sequence[bytes]) -> EndpointDescriptor:
    fields = _fields(_ENDPOINT, group[0], DescriptorType.ENDPOINT)
    # Audio endpoints have two bytes more (Audio Device Class 1.0, 4.6.1.1).
    refresh, synch = group[0][7:9] if len(group[0]) >= 9 else (0, 0)
    return replace(
        EndpointDescriptor(*fields),
        bRefresh=refresh,
        bSynchAddress=synch,
        extra_descriptors=_flat(group[1:]),
    )


def _fields(shape: struct.Struct, raw: bytes, kind: DescriptorType) -> tuple[int, ...]:
    if len(raw) < shape.size or raw[0] < shape.size:
        raise MalformedDescriptor(f"{kind.name.lower()} descriptor of {len(raw)} bytes")
    if raw[1] != kind:
        raise MalformedDescriptor(f"{kind.name.lower()} descriptor has type {raw[1]}")
    return shape.unpack_from(raw)


def _walk(raw: bytes) -> Iterator[bytes]:
    offset = 0
    while offset < len(raw):
        length = raw[offset]
        if length < 2 or offset + length > len(raw):
            raise MalformedDescriptor(f"descriptor at offset {offset} has length {length}")
        yield raw[offset : offset + length]
        offset += length


def _split(records: Sequence[bytes], kind: int) -> tuple[list[bytes], list[list[bytes]]]:
    """Divide records into those before the first of ``kind``, and one group for each of them."""
    before: list[bytes] = []
    groups: list[list[bytes]] = []
    for record in records:
        if record[1] == kind:
            groups.append([record])
        else:
            (groups[-1] if groups else before).append(record)
    return before, groups


def _by_number(
    settings: Sequence[InterfaceDescriptor],
) -> tuple[tuple[InterfaceDescriptor, ...], ...]:
    numbers = dict.fromkeys(setting.bInterfaceNumber for setting in settings)
    return tuple(tuple(s for s in settings if s.bInterfaceNumber == number) for number in numbers)


def _flat(records: Sequence[bytes]) -> tuple[int, ...]:
    return tuple(b"".join(records))
