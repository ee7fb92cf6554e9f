"""Linux's own USB: what is there is read from sysfs, and libusb or the serial port is opened.

No device is opened or asked to be listed: strings, interfaces and serial ports are what the kernel
knows of it, so a phone in use is not disturbed, and one that may not be opened has its name.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from usbprov.errors import NoSuchLink, PhoneGone
from usbprov.usb.bulk import BulkLink
from usbprov.usb.description import GetDescriptor, getter
from usbprov.usb.descriptors import (
    DescriptorType,
    InterfaceDescriptor,
    MalformedDescriptor,
    parse_configuration,
    parse_device,
)
from usbprov.usb.devices import AttachedDevice, DeviceFacts, InterfaceFacts, LinkKind, SerialPort
from usbprov.usb.facts import MAX_INTERFACES
from usbprov.usb.failures import FAILURES, opening_error
from usbprov.usb.link import Link
from usbprov.usb.opening import HeldLink, kept_awake, open_patiently
from usbprov.usb.pyusb import Backend, Device, device_of, dispose
from usbprov.usb.serial_link import SerialLink
from usbprov.usb.sysfs import SYSFS, SysfsDevice, SysfsInterface, read_device, read_tree

_DEV = Path("/dev")


@dataclass(frozen=True)
class Host:
    """Where this computer's devices are found and opened.

    Attributes:
        backend: pyusb's way to libusb.
        sysfs: Where sysfs is mounted.
        dev: Where the device nodes are.
    """

    backend: Backend
    sysfs: Path = SYSFS
    dev: Path = _DEV


@dataclass(frozen=True)
class LinuxDevice:
    """An ``AttachedDevice`` of this computer."""

    facts: DeviceFacts
    _seen: SysfsDevice = field(repr=False)
    _host: Host = field(repr=False)

    def open_bulk(self, interface: InterfaceFacts) -> Link:
        """Claim a vendor interface with one bulk pair; see ``AttachedDevice``."""

        def claim() -> Link:
            return BulkLink.open(self._device(), interface, self.facts.name)

        return self._open(claim, self._host.dev / self._seen.node)

    def open_serial(self, port: SerialPort) -> Link:
        """Open the serial port of an interface, whatever it is called by now.

        Raises:
            NoSuchLink: The kernel has made no serial port of that interface.
            UsbError: As ``AttachedDevice``.
        """
        found = (
            p for p in _ports(self._present(), self._host.dev) if p.interface == port.interface
        )
        now = next(found, None)
        if now is None:
            raise NoSuchLink(self.facts.name, LinkKind.SERIAL)
        path = now.path
        return self._open(lambda: SerialLink.open(path, self.facts.name), Path(path))

    @contextmanager
    def asking(self) -> Iterator[GetDescriptor]:
        """Open the device for GET_DESCRIPTOR only; see ``description.Askable``."""
        self._present()
        device = self._device()
        try:
            yield getter(device)
        finally:
            dispose(device)

    def _open(self, open_once: Callable[[], Link], node: Path) -> Link:
        with ExitStack() as undo:
            undo.enter_context(kept_awake(self._present().path))
            link = open_patiently(open_once, str(node), self.facts.name)
            undo.callback(link.close)
            # Names and addresses are used again. What is open now is ours only if the device was
            # there before and after, and has not been away: then its folder is the same.
            self._present()
            return HeldLink(link, undo.pop_all().close)

    def _present(self) -> SysfsDevice:
        """Return the device as it is now.

        Raises:
            PhoneGone: It is no longer there, or another one is at its port.
        """
        now = read_device(self._seen.name, self._host.sysfs)
        if now is None or _identity(now) != _identity(self._seen):
            raise PhoneGone(self.facts.name)
        return now

    def _device(self) -> Device:
        """Find the device by its address; libusb opens none for that."""
        backend = self._host.backend
        try:
            for identification in backend.enumerate_devices():
                listed = backend.get_device_descriptor(identification)
                if (listed.bus, listed.address) == (self._seen.busnum, self._seen.devnum):
                    return device_of(identification, backend)
        except FAILURES as failure:
            raise opening_error(failure, self.facts.name) from failure
        raise PhoneGone(self.facts.name)


class LinuxBus:
    """The ``Bus`` of the devices that the kernel knows."""

    def __init__(self, uri: str, host: Host) -> None:
        self._uri = uri
        self._host = host

    @property
    def uri(self) -> str:
        """The bus as given to ``--bus``."""
        return self._uri

    def devices(self, known: Sequence[AttachedDevice] = ()) -> Sequence[LinuxDevice]:
        """Return what is there by port path, hubs left out; no device is asked; see ``Bus``."""
        tree = read_tree(self._host.sysfs)
        return tuple(self._attached(seen) for seen in tree if not seen.is_hub)

    def device_at(self, port_path: str) -> LinuxDevice | None:
        """Look at one port only; see ``Bus``."""
        seen = read_device(port_path, self._host.sysfs)
        return None if seen is None or seen.is_hub else self._attached(seen)

    def _attached(self, seen: SysfsDevice) -> LinuxDevice:
        return LinuxDevice(facts_of(seen, self._uri, self._host.dev), seen, self._host)


def facts_of(seen: SysfsDevice, bus: str, dev: Path = _DEV) -> DeviceFacts:
    """Return the facts of a device as sysfs has them.

    Args:
        seen: The device.
        bus: The bus as given to ``--bus``.
        dev: Where the device nodes are.
    """
    return DeviceFacts(
        bus=bus,
        port_path=seen.name,
        vendor_id=seen.vendor_id,
        product_id=seen.product_id,
        manufacturer=seen.manufacturer,
        product=seen.product,
        serial=seen.serial,
        interfaces=_interfaces(seen),
        serial_ports=tuple(_ports(seen, dev)),
        problem=_unusable(seen, dev) or _unread(seen),
        address=seen.devnum,
    )


def _identity(seen: SysfsDevice) -> tuple[object, ...]:
    ids = (seen.vendor_id, seen.product_id, seen.bcd_device, seen.serial)
    return (seen.inode, seen.busnum, seen.devnum, *ids)


def _ports(seen: SysfsDevice, dev: Path) -> Iterator[SerialPort]:
    for interface in seen.interfaces:
        for tty in interface.ttys:
            yield SerialPort(str(dev / tty), interface.number)


def _interfaces(seen: SysfsDevice) -> tuple[InterfaceFacts, ...]:
    """Return the settings in force, and the others, of which only the descriptors tell."""
    in_force = {(i.number, i.alternate): _in_force(i) for i in seen.interfaces}
    numbers = {interface.number for interface in seen.interfaces}
    others = {
        (s.bInterfaceNumber, s.bAlternateSetting): _other(s)
        for s in _settings(seen)
        if s.bInterfaceNumber in numbers
    }
    found = sorted((others | in_force).items(), key=lambda entry: entry[0])
    return tuple(facts for _, facts in found[:MAX_INTERFACES])


def _in_force(interface: SysfsInterface) -> InterfaceFacts:
    triple = (interface.cls, interface.subclass, interface.protocol)
    return InterfaceFacts(interface.number, interface.alternate, *triple, interface.name)


def _other(setting: InterfaceDescriptor) -> InterfaceFacts:
    return InterfaceFacts(
        setting.bInterfaceNumber,
        setting.bAlternateSetting,
        setting.bInterfaceClass,
        setting.bInterfaceSubClass,
        setting.bInterfaceProtocol,
    )


def _settings(seen: SysfsDevice) -> tuple[InterfaceDescriptor, ...]:
    """Return the settings in the descriptors of the active configuration, none if they are odd."""
    raw = (c for c in _configurations(seen.descriptors) if c[5:6] == bytes([seen.configuration]))
    try:
        parsed = parse_configuration(next(raw, b""))
    except MalformedDescriptor:
        return ()
    return tuple(setting for several in parsed.interfaces for setting in several)


def _configurations(descriptors: bytes) -> Iterator[bytes]:
    """Yield the configurations that follow the device descriptor, each with all that is in it."""
    starts, at = [], 0
    while at + 1 < len(descriptors) and descriptors[at] >= 2:
        if descriptors[at + 1] == DescriptorType.CONFIGURATION:
            starts.append(at)
        at += descriptors[at]
    for start, end in pairwise([*starts, len(descriptors)]):
        yield descriptors[start:end]


def _unusable(seen: SysfsDevice, dev: Path) -> str | None:
    """Say why the device cannot be opened, if it cannot."""
    node = dev / seen.node
    reasons = {
        "this computer does not let it be used (usbguard?)": not seen.authorized,
        "it is not configured": not seen.configuration,
        "its device node is not there": not node.exists(),
        "no permission to open it": not os.access(node, os.R_OK | os.W_OK),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _unread(seen: SysfsDevice) -> str | None:
    """Say which string the device has, and the kernel could not read; it asks only once."""
    try:
        device = parse_device(seen.descriptors)
    except MalformedDescriptor:
        return None
    strings = {
        "manufacturer": (device.iManufacturer, seen.manufacturer),
        "product name": (device.iProduct, seen.product),
        "serial number": (device.iSerialNumber, seen.serial),
    }
    for what, (index, text) in strings.items():
        if index and text is None:
            return f"its {what} is empty or cannot be read"
    return None
