"""All descriptors of a device, read in one go while it is open."""

import errno
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from usbprov.usb.descriptors import (
    MAX_CONFIGURATIONS,
    MAX_LENGTH,
    ConfigurationDescriptor,
    DescriptorType,
    DeviceDescriptor,
    InterfaceDescriptor,
    MalformedDescriptor,
    parse_configuration,
    parse_device,
    total_length,
)
from usbprov.usb.portpath import PortPath
from usbprov.usb.pyusb import USBError
from usbprov.usb.transfers import Session, completed, control, usb_error
from usbprov.usbip import ExportedDevice, InterfaceTriple, Speed
from usbprov.usbip.operations import REMEMBERED_DEVICES

_TIMEOUT = 1.0
"""Seconds that a device may take to give a descriptor."""

_BUDGET = 3.0
"""Seconds for all configurations: a slow device must not hold up the list of the others."""

_GET_DESCRIPTOR = 6

_SPEEDS: Mapping[int, int] = {
    Speed.LOW: 1,
    Speed.FULL: 2,
    Speed.HIGH: 3,
    Speed.SUPER: 4,
    Speed.SUPER_PLUS: 5,
}
"""The kernel's numbers of the speeds, and libusb's."""

_HOPELESS = frozenset({errno.ETIMEDOUT, errno.ENODEV})
"""After these, asking for the next descriptor would only take more time."""


@dataclass(frozen=True)
class Unreadable:
    """Why a configuration could not be read.

    Attributes:
        errno: An errno of this system.
        reason: The same in words.
    """

    errno: int
    reason: str


@dataclass(frozen=True)
class Snapshot:
    """What a device is, as it says itself or as the bus lists it.

    Attributes:
        device: The device descriptor with the place of the device.
        configurations: Its configurations by index; in place of one that could not be read, why.
    """

    device: DeviceDescriptor
    configurations: tuple[ConfigurationDescriptor | Unreadable, ...] = ()

    def configuration(self, index: int) -> ConfigurationDescriptor:
        """Return a configuration by its index.

        Raises:
            IndexError: There is none.
            USBError: It could not be read.
        """
        if index >= len(self.configurations):
            raise IndexError(f"it has no configuration of index {index}")
        found = self.configurations[index]
        if isinstance(found, Unreadable):
            raise usb_error(found.errno, found.reason)
        return found

    def configuration_by_value(self, value: int) -> ConfigurationDescriptor | None:
        """Return the configuration with this bConfigurationValue, or None."""
        readable = (c for c in self.configurations if isinstance(c, ConfigurationDescriptor))
        return next((c for c in readable if c.bConfigurationValue == value), None)


def take_snapshot(session: Session, listed: DeviceDescriptor) -> Snapshot:
    """Read the descriptors of an open device.

    Args:
        session: The open device.
        listed: Gives the place of the device, and its speed.

    Raises:
        USBError: The device descriptor cannot be read.
    """
    raw = _read(session, DescriptorType.DEVICE, 0, 18)
    try:
        parsed = parse_device(raw)
    except MalformedDescriptor as error:
        raise usb_error(errno.EIO, str(error)) from error
    device = replace(
        parsed,
        bus=listed.bus,
        address=listed.address,
        port_number=listed.port_number,
        port_numbers=listed.port_numbers,
        speed=listed.speed,
    )
    return Snapshot(device, tuple(_configurations(session, device.bNumConfigurations)))


@lru_cache(REMEMBERED_DEVICES)
def listed_snapshot(exported: ExportedDevice) -> Snapshot:
    """Make a snapshot of what an exporter lists without asking the device.

    What a list does not say is 0; the interfaces are taken to be numbered from 0.
    """
    place = _place(exported.busid)
    device = DeviceDescriptor(
        bLength=18,
        bDescriptorType=DescriptorType.DEVICE,
        bcdUSB=0,
        bDeviceClass=exported.cls,
        bDeviceSubClass=exported.subclass,
        bDeviceProtocol=exported.protocol,
        bMaxPacketSize0=0,
        idVendor=exported.vendor_id,
        idProduct=exported.product_id,
        bcdDevice=exported.release,
        iManufacturer=0,
        iProduct=0,
        iSerialNumber=0,
        bNumConfigurations=max(1, exported.configurations),
        bus=place.bus if place else exported.busnum,
        address=exported.devnum,
        port_number=place.ports[-1] if place else None,
        port_numbers=place.ports if place else None,
        speed=_SPEEDS.get(exported.speed),
    )
    return Snapshot(device, (_listed_configuration(exported),) * device.bNumConfigurations)


def _place(busid: str) -> PortPath | None:
    try:
        return PortPath.parse(busid)
    except ValueError:
        return None


def _listed_configuration(exported: ExportedDevice) -> ConfigurationDescriptor:
    interfaces = tuple(
        (_listed_interface(number, triple),) for number, triple in enumerate(exported.interfaces)
    )
    return ConfigurationDescriptor(
        bLength=9,
        bDescriptorType=DescriptorType.CONFIGURATION,
        wTotalLength=9,
        bNumInterfaces=len(interfaces),
        bConfigurationValue=exported.configuration or 1,
        iConfiguration=0,
        bmAttributes=0x80,
        bMaxPower=0,
        interfaces=interfaces,
    )


def _listed_interface(number: int, triple: InterfaceTriple) -> InterfaceDescriptor:
    return InterfaceDescriptor(
        bLength=9,
        bDescriptorType=DescriptorType.INTERFACE,
        bInterfaceNumber=number,
        bAlternateSetting=0,
        bNumEndpoints=0,
        bInterfaceClass=triple.cls,
        bInterfaceSubClass=triple.subclass,
        bInterfaceProtocol=triple.protocol,
        iInterface=0,
    )


def _configurations(session: Session, count: int) -> Iterator[ConfigurationDescriptor | Unreadable]:
    deadline = time.monotonic() + _BUDGET
    for index in range(min(count, MAX_CONFIGURATIONS)):
        if time.monotonic() > deadline:
            yield Unreadable(errno.ETIMEDOUT, "it answers too slowly")
            return
        configuration = _configuration(session, index)
        yield configuration
        if isinstance(configuration, Unreadable) and configuration.errno in _HOPELESS:
            return


def _configuration(session: Session, index: int) -> ConfigurationDescriptor | Unreadable:
    try:
        head = _read(session, DescriptorType.CONFIGURATION, index, 9)
        length = min(max(total_length(head), 9), MAX_LENGTH + 1)
        raw = _read(session, DescriptorType.CONFIGURATION, index, length)
        return parse_configuration(raw)
    except USBError as failure:
        return Unreadable(failure.errno or errno.EIO, str(failure.strerror))
    except MalformedDescriptor as error:
        return Unreadable(errno.EIO, str(error))


def _read(session: Session, kind: DescriptorType, index: int, length: int) -> bytes:
    request = control(0x80, _GET_DESCRIPTOR, kind << 8 | index, length=length)
    return completed(session.transfer(request, _TIMEOUT)).data
