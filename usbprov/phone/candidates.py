"""What is attached, with the driver that speaks to it and the way to reach it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from usbprov.errors import NoDriver
from usbprov.phone.contract import Driver, Phone
from usbprov.phone.registry import driver_for
from usbprov.phone.taping import taped
from usbprov.usb.devices import AttachedDevice, Bus, DeviceFacts, LinkKind
from usbprov.usb.locks import PhoneLocks


@dataclass(frozen=True)
class Reach:
    """How phones are reached, whichever they are.

    Attributes:
        link: The kind of cable to speak over, or None for the best there is.
        locks: What keeps two programs off one phone.
    """

    link: LinkKind | None = None
    locks: PhoneLocks = field(default_factory=PhoneLocks)


@dataclass(frozen=True)
class Candidate:
    """A device on a bus, and the driver that speaks to it, if there is one."""

    device: AttachedDevice
    driver: Driver | None
    bus: Bus
    reach: Reach = field(default_factory=Reach)

    @property
    def facts(self) -> DeviceFacts:
        """Where the device is and what it says of itself."""
        return self.device.facts

    @property
    def address(self) -> str:
        """The address that is unique over all buses: ``1-1``, or ``usbip://host:port/1-1``."""
        return address_of(self.facts)

    def open(self) -> Phone:
        """Open the phone, without a lock; raises ``NoDriver`` and what ``Driver.open`` raises."""
        if self.driver is None:
            raise NoDriver(self.facts.name)
        return self.driver.open(taped(self.device, self.driver), self.reach.link)

    def at_present(self) -> "Candidate | None":
        """Look at its port again; None: nothing is there."""
        device = self.bus.device_at(self.facts.port_path)
        if device is None:
            return None
        return Candidate(device, driver_for(device.facts), self.bus, self.reach)


def address_of(facts: DeviceFacts) -> str:
    """Return the address that is unique over all buses."""
    if facts.bus == "kernel":
        return facts.port_path
    is_line = facts.bus.endswith(f":{facts.port_path}")
    return facts.bus if is_line else f"{facts.bus}/{facts.port_path}"


def candidates(buses: Sequence[Bus], reach: Reach) -> list[Candidate]:
    """Return what is attached to all ``buses``, bus after bus, each sorted by port path.

    Raises:
        BusUnavailable: One of them cannot be searched: all were asked for.
    """
    return [
        Candidate(device, driver_for(device.facts), bus, reach)
        for bus in buses
        for device in bus.devices()
    ]
