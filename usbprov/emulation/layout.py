"""Gives interfaces their numbers and endpoints their addresses."""

from collections.abc import Sequence
from dataclasses import dataclass

from usbprov.emulation.interface import EmulatedInterface, EndpointSpec, InterfaceSpec
from usbprov.errors import LabUnusable
from usbprov.usbip import Direction, Speed

_FULL_SPEED_BULK = 64
_LAST_ENDPOINT = 15


@dataclass(frozen=True)
class PlacedEndpoint:
    """An endpoint with its address (direction bit included)."""

    address: int
    spec: EndpointSpec

    def max_packet(self, speed: int) -> int:
        """Return wMaxPacketSize at ``speed``, in bytes."""
        if speed >= Speed.HIGH:
            return self.spec.max_packet
        return min(self.spec.max_packet, _FULL_SPEED_BULK)


@dataclass(frozen=True)
class PlacedInterface:
    """An interface with its number."""

    number: int
    spec: InterfaceSpec
    endpoints: tuple[PlacedEndpoint, ...]


@dataclass(frozen=True)
class PlacedFunction:
    """A function with its interfaces."""

    source: EmulatedInterface
    interfaces: tuple[PlacedInterface, ...]

    @property
    def first(self) -> int:
        """Number of its first interface."""
        return self.interfaces[0].number


class _Addresses:
    """Endpoint numbers from 1; the OUT and IN of one interface share a number."""

    def __init__(self) -> None:
        self._last = 0

    def place(self, specs: Sequence[EndpointSpec]) -> tuple[PlacedEndpoint, ...]:
        taken = set(Direction)
        placed = []
        for spec in specs:
            if spec.direction in taken:
                self._last, taken = self._last + 1, set()
            taken.add(spec.direction)
            placed.append(PlacedEndpoint(self._last | spec.direction << 7, spec))
        if self._last > _LAST_ENDPOINT:
            raise LabUnusable(problem="an emulated device has more endpoints than USB allows")
        return tuple(placed)


def lay_out(interfaces: Sequence[EmulatedInterface]) -> tuple[PlacedFunction, ...]:
    """Number interfaces from 0 and endpoints from 1, in the order given.

    Raises:
        LabUnusable: There are more endpoints than a device can have.
    """
    addresses, number, functions = _Addresses(), 0, []
    for source in interfaces:
        placed = []
        for spec in source.specs:
            placed.append(PlacedInterface(number, spec, addresses.place(spec.endpoints)))
            number += 1
        functions.append(PlacedFunction(source, tuple(placed)))
    return tuple(functions)
