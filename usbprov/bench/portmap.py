"""What the operator calls the ports of a bench, and where they lie on the table. Pure.

A port's address is ``usbprov list``'s: ``1-1.4.2``, or ``usbip://host:port/1-1``. Of the kernel's
bus ``kernel/1-1.4.2`` is the same.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from usbprov.bench.rosterfile import values
from usbprov.usb.portpath import PortPath
from usbprov.usb.sysfs import SysfsDevice

KERNEL = "kernel"

DEFAULT_NAME = "bench"

_WIDTHS = ((16, 4), (64, 8))
"""Ports up to so many are guessed to lie in rows of so many; a choice."""

_WIDEST = 16


@dataclass(frozen=True)
class Tile:
    """A port's place on the board: row and column of its hub, from 0."""

    label: str
    address: str
    row: int
    column: int


@dataclass(frozen=True)
class HubLayout:
    """A hub as a board shows it.

    Attributes:
        name: What it is called.
        rows: How many rows of ports it has.
        columns: How many ports the longest row has.
        tiles: The ports that are known; places without one are empty.
        is_guessed: Whether no map says so, and it was made up from the port paths.
    """

    name: str
    rows: int
    columns: int
    tiles: tuple[Tile, ...]
    is_guessed: bool = False


Layout = Callable[[Iterable[str]], Sequence[HubLayout]]
"""Says how hubs lie, given the addresses that have been seen: ``PortMap.layout``."""


@dataclass(frozen=True)
class Hub:
    """A hub of the map.

    Attributes:
        name: What it is called.
        rows: Its labels as they lie, row by row; "" is a place without a port.
        ports: The label of each address.
    """

    name: str
    rows: tuple[tuple[str, ...], ...]
    ports: Mapping[str, str] = field(default_factory=dict)

    def layout(self) -> HubLayout:
        """Return how it lies; a label whose address is not known has a tile without one."""
        addresses = {label: address for address, label in self.ports.items()}
        tiles = tuple(
            Tile(label, addresses.get(label, ""), row, column)
            for row, labels in enumerate(self.rows)
            for column, label in enumerate(labels)
            if label
        )
        width = max(map(len, self.rows), default=0)
        return HubLayout(self.name, len(self.rows), width, tiles)


@dataclass(frozen=True)
class PortMap:
    """The map of a bench's ports; without any hub every port is called by its path.

    Attributes:
        name: The bench's name.
        hubs: In the order in which a board shows them.
        buses: What the numbers of the kernel's buses stood for when they were learnt, as
            ``bus_identities`` returns it: numbers can be others after a restart.
        uris: The buses that the bench looks at, so that paths of several can be told apart.
    """

    name: str = DEFAULT_NAME
    hubs: tuple[Hub, ...] = ()
    buses: Mapping[int, str] = field(default_factory=dict)
    uris: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that have a port, hub after hub."""
        return tuple(tile.label for hub in self.hubs for tile in hub.layout().tiles if tile.address)

    def label_of(self, address: str) -> str:
        """Return what a port is called: its label, or its path where the map has none.

        Of a bus other than the first the path has the bus's number before it: ``2:1-4``.
        """
        plain = plain_address(address)
        known = (hub.ports[plain] for hub in self.hubs if plain in hub.ports)
        return next(known, None) or self._path_label(plain)

    def address_of(self, label: str) -> str | None:
        """Return the address of a label, in whatever letters; None: the map has none."""
        wanted = label.casefold()
        ports = (port for hub in self.hubs for port in hub.ports.items())
        return next((address for address, name in ports if name.casefold() == wanted), None)

    def layout(self, addresses: Iterable[str] = ()) -> tuple[HubLayout, ...]:
        """Return how the hubs lie: those of the map, then guesses for ports that it lacks.

        Args:
            addresses: Ports where something is, or was, plugged in.
        """
        mapped = tuple(hub.layout() for hub in self.hubs)
        known = {address for hub in self.hubs for address in hub.ports}
        others = {plain_address(address) for address in addresses} - known
        return (*mapped, *self._guessed(others))

    def now(self, buses: Mapping[int, str]) -> "PortMap":
        """Return the map with the bus numbers of today.

        The ports of a controller that is not there now lose their addresses rather than being
        mixed up with another one's.

        Args:
            buses: As ``bus_identities`` returns it; empty where they cannot be known.
        """
        if not buses or not self.buses:
            return self
        today = {identity: number for number, identity in buses.items()}
        moved = {number: today.get(identity) for number, identity in self.buses.items()}
        hubs = tuple(replace(hub, ports=dict(_moved(hub.ports, moved))) for hub in self.hubs)
        return replace(self, hubs=hubs, buses=buses)

    def _path_label(self, address: str) -> str:
        bus, path = split_address(address)
        if bus not in self.uris or self.uris.index(bus) == 0:
            return path
        return f"{self.uris.index(bus) + 1}:{path}"

    def _guessed(self, addresses: Iterable[str]) -> Iterator[HubLayout]:
        ordered = sorted(addresses, key=_order)
        for (_, name), group in groupby(ordered, key=_root_port):
            ports = tuple(group)
            columns = next((width for most, width in _WIDTHS if len(ports) <= most), _WIDEST)
            tiles = tuple(
                Tile(self.label_of(address), address, *divmod(place, columns))
                for place, address in enumerate(ports)
            )
            rows = -(-len(ports) // columns)
            yield HubLayout(name, rows, min(columns, len(ports)), tiles, is_guessed=True)


def plain_address(address: str) -> str:
    """Write an address as ``usbprov list`` does: of the kernel's bus without its name."""
    return address.removeprefix(f"{KERNEL}/")


def port_label(text: str) -> str:
    """Read a label that a port is to have.

    Raises:
        ValueError: It is none, or could be taken for the path of another port.
    """
    label = values.label(text)
    if split_address(label) != (label, label):
        raise ValueError(f"label {label} looks like a port path")
    return label


def split_address(address: str) -> tuple[str, str]:
    """Return the bus and the port path of an address; of a serial line, the line twice."""
    plain = plain_address(address)
    bus, slash, path = plain.rpartition("/")
    if _path(plain) is not None:
        return KERNEL, plain
    return (bus, path) if slash and _path(path) is not None else (plain, plain)


def bus_identities(tree: Sequence[SysfsDevice]) -> Mapping[int, str]:
    """Return for each bus number what it stands for: the controller, and which speed of it.

    An xHCI controller has two buses, of 480 and of 5000 Mbit/s and more.

    Args:
        tree: As ``usbprov.usb.sysfs.read_tree`` returns it.
    """
    return {
        hub.busnum: f"{hub.controller} {'usb2' if hub.speed_mbps <= 480 else 'usb3'}"
        for hub in tree
        if hub.is_root_hub and hub.controller
    }


def _path(text: str) -> PortPath | None:
    try:
        return PortPath.parse(text)
    except ValueError:
        return None


def _moved(ports: Mapping[str, str], to: Mapping[int, int | None]) -> Iterator[tuple[str, str]]:
    for address, label in ports.items():
        path = _path(address)
        if path is None or path.bus not in to:
            yield address, label
            continue
        number = to[path.bus]
        if number is not None:
            yield str(replace(path, bus=number)), label


def _order(address: str) -> tuple[str, bool, PortPath]:
    """Sort by bus, then what is plugged into the controller itself, then hub after hub."""
    bus, text = split_address(address)
    path = _path(text) or PortPath(0, (0,))
    return bus, len(path.ports) > 1, path


def _root_port(address: str) -> tuple[str, str]:
    """Return the bus, and the name of what is plugged into the controller's own port above.

    A hub of sixteen ports is several hub chips behind one plug, so this is one hub, or several in
    a row: more cannot be told from paths. What has no hub above it is named after its bus.
    """
    bus, text = split_address(address)
    path = _path(text)
    if path is None:
        return bus, text
    if len(path.ports) > 1:
        return bus, str(PortPath(path.bus, path.ports[:1]))
    return bus, f"bus {path.bus}" if bus == KERNEL else bus
