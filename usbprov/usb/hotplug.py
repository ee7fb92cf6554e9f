"""Phones that come and go: from looks at a bus, what happened between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from usbprov.usb.devices import AttachedDevice, DeviceFacts

SETTLING = 2.0
"""Seconds that a device may take to become whole; then it is reported as it is."""

CHANGING = 0.3
"""Seconds that a change must last before it is told: of a device that is pulled, its serial ports
go first, and that is no news."""

_CDC_ACM = (2, 2)
"""Class and subclass of an interface of which the operating system makes a serial port."""


@dataclass(frozen=True)
class Arrived:
    """A device is there, and can be opened, or its ``problem`` is there to stay."""

    device: AttachedDevice


@dataclass(frozen=True)
class Left:
    """A device that had arrived is no longer there; so it was last told."""

    facts: DeviceFacts


@dataclass(frozen=True)
class Changed:
    """A device that had arrived says something else now, or can, or cannot, be opened now."""

    device: AttachedDevice


@dataclass(frozen=True)
class BusChanged:
    """A bus cannot be searched, and why; or it can again, when ``problem`` is None."""

    bus: str
    problem: str | None


Event = Arrived | Left | Changed | BusChanged

IsWhole = Callable[[DeviceFacts], bool]
"""Says whether all that will be known of a device is known."""


def always_whole(_facts: DeviceFacts) -> bool:
    """Say that a device is whole as soon as it is there: on a bus that makes no serial ports."""
    return True


def has_its_ports(facts: DeviceFacts) -> bool:
    """Say whether every interface of which a serial port is made has it by now."""
    ports = {port.interface for port in facts.serial_ports}
    return all((i.cls, i.subclass) != _CDC_ACM or i.number in ports for i in facts.interfaces)


@dataclass
class _Presence:
    """A device that is there.

    Attributes:
        device: As last seen.
        since: When it was first seen; once it was reported, when it was first seen otherwise.
        reported: As it was last reported, or None before it has arrived.
    """

    device: AttachedDevice
    since: float
    reported: DeviceFacts | None = None

    @property
    def settled(self) -> bool:
        """Whether all that is to be told of it was told."""
        facts = self.device.facts
        return self.reported is facts or self.reported == facts  # mostly the same object


class Tracker:
    """Turns looks at one bus into events. It does nothing but that: no I/O, no clock, no thread.

    A device is the same from look to look while port path, address, ids and serial number are: one
    that was away in between has left and arrived.

    Args:
        is_whole: Says whether a device need not be waited for.
        settling: Seconds after which one that has a problem, or is not whole, is reported as it is.
    """

    def __init__(self, is_whole: IsWhole = always_whole, settling: float = SETTLING) -> None:
        self._is_whole = is_whole
        self._settling = settling
        self._present: dict[str, _Presence] = {}
        self._devices: Sequence[AttachedDevice] = ()

    @property
    def unsettled(self) -> bool:
        """Whether a device is there that was not yet told as it is, so that a look is due soon."""
        return any(not presence.settled for presence in self._present.values())

    def feed(self, devices: Sequence[AttachedDevice], now: float) -> list[Event]:
        """Take a look at the bus, and return what happened since the last: first who left.

        Args:
            devices: All that is there; not to be changed afterwards.
            now: When that was, in seconds of any clock that only goes forward.
        """
        if devices is self._devices and not self.unsettled:
            return []
        self._devices = devices
        there = {device.facts.port_path: device for device in devices}
        events: list[Event] = []
        for place, presence in list(self._present.items()):
            if not _is_same(presence.device.facts, there.get(place)):
                del self._present[place]
                events += [Left(presence.reported)] if presence.reported else []
        for place, device in there.items():
            events += self._look_at(
                self._present.setdefault(place, _Presence(device, now)), device, now
            )
        return events

    def _look_at(self, presence: _Presence, device: AttachedDevice, now: float) -> list[Event]:
        if presence.settled:
            presence.since = now
        presence.device = device
        waited = now - presence.since
        ready = device.facts.problem is None and self._is_whole(device.facts)
        if presence.reported is None:
            due = ready or waited >= self._settling
            event: Event = Arrived(device)
        else:
            due = not presence.settled and waited >= CHANGING
            event = Changed(device)
        if not due:
            return []
        presence.reported = device.facts
        return [event]


def _is_same(before: DeviceFacts, device: AttachedDevice | None) -> bool:
    if device is None:
        return False
    now = device.facts
    known = {serial for serial in (before.serial, now.serial) if serial is not None}
    return len(known) <= 1 and _mark(before) == _mark(now)


def _mark(facts: DeviceFacts) -> tuple[int, int, int]:
    return (facts.address, facts.vendor_id, facts.product_id)
