"""How many more phones the USB controllers of this computer have room for.

Pure: it counts in a tree that ``usbprov.usb.sysfs.read_tree`` returned. It is the whole of the
phone that counts, not the link that is spoken over: a host controller sets up every endpoint of
the configuration.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from usbprov.usb.controllers import (
    Basis,
    ControllerLimits,
    Limit,
    driver_of,
    is_in_software,
    limits_of,
)
from usbprov.usb.sysfs import SysfsDevice

MAX_TIER = 7
"""Tiers, the root hub's included (USB 2.0, 4.1.1); a hub may be in the last but one."""

HIGH_SPEED = 480

_ADDRESSES = Limit(127, Basis.STANDARD)
"""Addresses of a bus, its root hub's included (USB 2.0, 4.1.1)."""

_ACM_PORTS = Limit(256, Basis.KERNEL)
"""Minor numbers of the kernel's cdc_acm; very old kernels have 32."""

USBFS_KIB_PER_PHONE = 64
"""A transfer of 16 KiB, the size in which libusb hands them to the kernel, each way, and spare."""

_PORTS_OF_A_HUB = 4
_ENDPOINTS_OF_A_HUB = 2
"""Of the chips that USB 2.0 hubs are made of: seven ports are two of them, sixteen are five."""


class Resource(StrEnum):
    """What there is only so much of."""

    ADDRESSES = "addresses"
    SLOTS = "device slots"
    ENDPOINTS = "endpoints"
    PORTS = "ports"
    SERIAL_PORTS = "serial ports"
    USBFS_MEMORY = "KiB of usbfs memory"


@dataclass(frozen=True)
class PhoneKind:
    """What one phone takes.

    Attributes:
        name: What it is called.
        endpoints: Endpoint 0 included.
        serial_ports: CDC-ACM functions.
    """

    name: str
    endpoints: int
    serial_ports: int


KINDS = {
    kind.name: kind
    for kind in (PhoneKind("bulk", 3, 0), PhoneKind("serial", 4, 1), PhoneKind("both", 6, 1))
}
"""Phones with a vendor interface (two bulk endpoints), with CDC-ACM (interrupt, two bulk), both."""


@dataclass(frozen=True)
class Budget:
    """Something that there is only so much of.

    Attributes:
        resource: What it is.
        used: What is taken.
        limit: What there is.
        phone: What one more phone takes.
        hub: What one more hub takes.
    """

    resource: Resource
    used: int
    limit: Limit
    phone: int
    hub: int = 0

    def bears(self, phones: int, hubs: int) -> bool:
        """Say whether so many more fit in."""
        return self.used + phones * self.phone + hubs * self.hub <= self.limit.value


@dataclass(frozen=True)
class Room:
    """How many more phones fit in, and what ends first."""

    phones: int
    bound: Resource


@dataclass(frozen=True)
class Controller:
    """One host controller: both root hubs of an xHCI are one.

    Attributes:
        name: As udev's ID_PATH writes it: ``pci-0000:00:14.0``.
        driver: The kernel's: ``xhci_hcd``.
        speed_mbps: Of the bus that phones are on, at most 480.
        buses: Numbers of its buses.
        hubs: Its hubs, root hubs not included.
        devices: All else that is attached.
        tiers: The last tier in use.
        free_ports: Ports without a device, where a phone can be plugged in.
        takes_hubs: Whether a hub can be plugged into one of them.
        budgets: What it has only so much of.
        room: For further phones.
        aside: Why its room is not part of the whole, in words; or "".
    """

    name: str
    driver: str
    speed_mbps: float
    buses: tuple[int, ...]
    hubs: tuple[SysfsDevice, ...]
    devices: tuple[SysfsDevice, ...]
    tiers: int
    free_ports: int
    takes_hubs: bool
    budgets: tuple[Budget, ...]
    room: Room
    aside: str = ""


@dataclass(frozen=True)
class Capacity:
    """What there is, and what there is room for.

    Attributes:
        kind: Of the phones that are counted.
        controllers: Each with its own room.
        shared: What all controllers together have only so much of.
        room: In all.
    """

    kind: PhoneKind
    controllers: tuple[Controller, ...]
    shared: tuple[Budget, ...]
    room: Room


_LESSER: Sequence[tuple[Callable[[Controller], bool], str]] = (
    (lambda c: is_in_software(c.driver), "in software only, for phones over USB/IP"),
    (
        lambda c: c.speed_mbps < HIGH_SPEED,
        "fast devices in such ports come up on another controller",
    ),
)
"""What sets a controller aside, unless there are none but such."""


def kind_of(phones: Iterable[SysfsDevice]) -> PhoneKind | None:
    """Return what each of these phones takes, or None where they are not alike, or none is there.

    A phone that the kernel has not configured says nothing, and is passed over.
    """
    found = {
        PhoneKind(
            "as attached",
            phone.endpoints,
            sum(i.cls == 0x02 and i.subclass == 0x02 for i in phone.interfaces),
        )
        for phone in phones
        if phone.configuration
    }
    return found.pop() if len(found) == 1 else None


def room(
    tree: Sequence[SysfsDevice],
    kind: PhoneKind,
    limits: Mapping[str, ControllerLimits] | None = None,
) -> Room:
    """Return for how many more phones there is room; see ``survey``."""
    return survey(tree, kind, limits or {}).room


def survey(
    tree: Sequence[SysfsDevice],
    kind: PhoneKind,
    limits: Mapping[str, ControllerLimits],
    usbfs_mib: int | None = None,
) -> Capacity:
    """Count what is taken, and for how many more phones there is room.

    Phones go into the ports that are free; for more than those, hubs of four ports each are
    counted in, which take from the controller, too.

    Args:
        tree: All devices, as ``read_tree`` returns them.
        kind: What one phone takes.
        limits: What controllers can carry, by ``controller_path``, as ``read_limits`` returns it;
            one that is left out is judged by its driver.
        usbfs_mib: What all programs together may use for transfers, or None for no limit.
    """
    paths = dict.fromkeys(device.controller_path for device in tree if device.is_root_hub)
    families = {path: [d for d in tree if d.controller_path == path] for path in paths}
    found = [_controller(family, kind, limits.get(path)) for path, family in families.items()]
    controllers = tuple(sorted(_set_aside(found), key=lambda c: (bool(c.aside), c.buses)))
    shared = tuple(_shared(tree, kind, usbfs_mib))
    return Capacity(kind, controllers, shared, _in_all(controllers, shared))


def _set_aside(controllers: Sequence[Controller]) -> Iterator[Controller]:
    """Mark those whose ports phones will not be plugged into, where there are better ones."""
    rest = list(controllers)
    for is_lesser, reason in _LESSER:
        lesser = [controller for controller in rest if is_lesser(controller)]
        if len(lesser) < len(rest):
            yield from (replace(controller, aside=reason) for controller in lesser)
            rest = [controller for controller in rest if controller not in lesser]
    yield from rest


def _controller(
    family: Sequence[SysfsDevice], kind: PhoneKind, known: ControllerLimits | None
) -> Controller:
    bus = _phone_bus(family)
    limits = known or limits_of(driver_of(bus))
    plugged = [device for device in family if not device.is_root_hub]
    budgets = tuple(_budgets(family, bus.busnum, kind, limits))
    free = _free_ports(family, bus.busnum)
    takes_hubs = limits.takes_hubs and any(tier < MAX_TIER - 1 for tier, _ in free)
    ports = _usable(free, family)
    return Controller(
        name=bus.controller,
        driver=driver_of(bus),
        speed_mbps=bus.speed_mbps,
        buses=tuple(sorted({device.busnum for device in family})),
        hubs=tuple(device for device in plugged if device.is_hub),
        devices=tuple(device for device in plugged if not device.is_hub),
        tiers=max(device.tier for device in family),
        free_ports=ports,
        takes_hubs=takes_hubs,
        budgets=budgets,
        room=_room(budgets, ports, takes_hubs=takes_hubs),
    )


def _phone_bus(family: Sequence[SysfsDevice]) -> SysfsDevice:
    """Return the root hub of the bus that phones are on: not the SuperSpeed one."""
    return min((d for d in family if d.is_root_hub), key=lambda hub: hub.speed_mbps)


def _budgets(
    family: Sequence[SysfsDevice], bus: int, kind: PhoneKind, limits: ControllerLimits
) -> Iterator[Budget]:
    yield Budget(Resource.ADDRESSES, sum(d.busnum == bus for d in family), _ADDRESSES, 1, 1)
    plugged = [device for device in family if not device.is_root_hub]
    if limits.slots:
        yield Budget(Resource.SLOTS, len(plugged), limits.slots, 1, 1)
    if limits.endpoints:
        used = sum(device.endpoints for device in plugged)
        yield Budget(
            Resource.ENDPOINTS, used, limits.endpoints, kind.endpoints, _ENDPOINTS_OF_A_HUB
        )


def _free_ports(family: Sequence[SysfsDevice], bus: int) -> list[tuple[int, int]]:
    """Return for each hub of the bus that has free ports: its tier, and how many."""
    here = [device for device in family if device.busnum == bus]
    parents = [device.parent for device in here]
    free = [(hub.tier, hub.maxchild - parents.count(hub.name)) for hub in here if hub.is_hub]
    return [(tier, ports) for tier, ports in free if ports > 0]


def _usable(free: Sequence[tuple[int, int]], family: Sequence[SysfsDevice]) -> int:
    """Return how many phones can be plugged in.

    A SuperSpeed device is on a bus of its own, and yet takes the socket.
    """
    elsewhere = sum(not d.is_hub and d.speed_mbps > HIGH_SPEED for d in family)
    return max(0, sum(ports for _, ports in free) - elsewhere)


def _room(budgets: Sequence[Budget], ports: int, *, takes_hubs: bool) -> Room:
    phones = 0
    while (short := _short(budgets, ports, phones + 1, takes_hubs=takes_hubs)) is None:
        phones += 1
    return Room(phones, short)


def _short(
    budgets: Sequence[Budget], ports: int, phones: int, *, takes_hubs: bool
) -> Resource | None:
    """Return what so many more phones, with the hubs for them, have too little of."""
    hubs = math.ceil(max(0, phones - ports) / (_PORTS_OF_A_HUB - 1))
    if hubs and not (takes_hubs and ports):
        return Resource.PORTS
    return next((b.resource for b in budgets if not b.bears(phones, hubs)), None)


def _shared(
    tree: Sequence[SysfsDevice], kind: PhoneKind, usbfs_mib: int | None
) -> Iterator[Budget]:
    if kind.serial_ports:
        ttys = [tty for d in tree for i in d.interfaces for tty in i.ttys if "ACM" in tty]
        yield Budget(Resource.SERIAL_PORTS, len(ttys), _ACM_PORTS, kind.serial_ports)
    if usbfs_mib:
        limit = Limit(usbfs_mib * 1024, Basis.KERNEL)
        yield Budget(Resource.USBFS_MEMORY, 0, limit, USBFS_KIB_PER_PHONE)


def _in_all(controllers: Sequence[Controller], shared: Sequence[Budget]) -> Room:
    rooms = [controller.room for controller in controllers if not controller.aside]
    largest = max(rooms, key=lambda r: r.phones, default=Room(0, Resource.PORTS))
    own = Room(sum(room.phones for room in rooms), largest.bound)
    most = [Room(max(0, b.limit.value - b.used) // b.phone, b.resource) for b in shared]
    return min([own, *most], key=lambda r: r.phones)
