"""A bus in memory: ports with phones in memory, which can be pulled, swapped and moved."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from doubles.phone import MemoryPhone
from usbprov.errors import BusUnavailable, PhoneGone
from usbprov.phone.contract import Phone
from usbprov.usb.devices import AttachedDevice, DeviceFacts, InterfaceFacts, LinkKind, SerialPort
from usbprov.usb.link import Link
from usbprov.usb.matching import UsbMatch


@dataclass
class MemoryBus:
    """Phones by port path; ``down`` is a bus that cannot be searched."""

    uri: str = "kernel"
    phones: dict[str, MemoryPhone] = field(default_factory=dict)
    down: bool = False

    def devices(self, known: Sequence[AttachedDevice] = ()) -> Sequence[AttachedDevice]:
        if self.down:
            raise BusUnavailable(self.uri, "it is down")
        there = sorted(self.phones.items())  # as it is now; a test plugs and pulls meanwhile
        return [MemoryDevice(self._facts(path, phone), self) for path, phone in there]

    def device_at(self, port_path: str) -> AttachedDevice | None:
        return next((d for d in self.devices() if d.facts.port_path == port_path), None)

    def _facts(self, path: str, phone: MemoryPhone) -> DeviceFacts:
        phone.facts = DeviceFacts(self.uri, path, 1, 2, product="Phone", serial=phone.serial)
        return phone.facts


@dataclass(frozen=True)
class MemoryDevice:
    """A device on it."""

    facts: DeviceFacts
    bus: MemoryBus

    def open_bulk(self, interface: InterfaceFacts) -> Link:
        raise NotImplementedError

    def open_serial(self, port: SerialPort) -> Link:
        raise NotImplementedError


class MemoryDriver:
    """Opens them; what was pulled meanwhile is gone."""

    family = "memory"
    summary = "phones in memory"
    matches = (UsbMatch(product="Phone"),)
    detects_only = False

    def open(self, device: AttachedDevice, link: LinkKind | None = None) -> Phone:
        assert isinstance(device, MemoryDevice)
        phone = device.bus.phones.get(device.facts.port_path)
        if phone is None:
            raise PhoneGone(device.facts.name)
        return phone
