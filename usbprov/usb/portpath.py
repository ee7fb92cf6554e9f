"""Port paths: where on its bus a device is plugged in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_SHAPE = re.compile(r"([0-9]{1,5})-([0-9]{1,3}(?:\.[0-9]{1,3}){0,6})", re.ASCII)


@dataclass(frozen=True, order=True)
class PortPath:
    """The bus number and the ports from the root hub down; sorts numerically.

    As text it is what sysfs and USB/IP call the bus id: ``1-1.4.2``.

    Attributes:
        bus: Number of the bus, as the host that owns it counts.
        ports: One to seven port numbers, the root hub's first.
    """

    bus: int
    ports: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.bus}-" + ".".join(map(str, self.ports))

    @classmethod
    def parse(cls, text: str) -> "PortPath":
        """Read a port path as sysfs writes it.

        Raises:
            ValueError: The text is not a port path; a root hub (``usb1``) has none.
        """
        shape = _SHAPE.fullmatch(text)
        if shape is None:
            raise ValueError(f"{text!r} is not a port path like 1-1.4.2")
        return cls(int(shape[1]), tuple(map(int, shape[2].split("."))))

    @classmethod
    def of(cls, bus: int | None, ports: Sequence[int] | None) -> "PortPath | None":
        """Return the path that pyusb's two attributes make, or None for a root hub."""
        return cls(bus, tuple(ports)) if bus is not None and ports else None
