"""What is attached: the facts of a USB device, and the bus contract."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from usbprov.usb.link import Link


@dataclass(frozen=True)
class InterfaceFacts:
    """One alternate setting of one interface (USB 2.0, 9.6.5)."""

    number: int
    alternate: int
    cls: int
    subclass: int
    protocol: int
    name: str | None = None


@dataclass(frozen=True)
class DeviceFacts:
    """What a device says of itself, and where it is.

    Attributes:
        bus: The bus as given to ``--bus``: ``kernel`` or ``usbip://host:port``.
        port_path: Bus number and the ports from the root hub down, as sysfs writes it: ``1-1.4.2``.
        vendor_id: idVendor.
        product_id: idProduct.
        manufacturer: String descriptor, or None where absent or not readable.
        product: Likewise.
        serial: Likewise. Serial numbers may be missing, duplicate or wrong.
        interfaces: Those of the active configuration.
        problem: Why the device could not be read in full (in use, no permission), or None.
    """

    bus: str
    port_path: str
    vendor_id: int
    product_id: int
    manufacturer: str | None = None
    product: str | None = None
    serial: str | None = None
    interfaces: tuple[InterfaceFacts, ...] = ()
    problem: str | None = None

    @property
    def name(self) -> str:
        """How the device is called in messages: ``phone 1-1 (serial EMU0001)``."""
        return f"phone {self.port_path}" + (f" (serial {self.serial})" if self.serial else "")


class AttachedDevice(Protocol):
    """A device on a bus, not yet opened."""

    @property
    def facts(self) -> DeviceFacts:
        """What was read when the bus was searched."""
        ...

    def open_bulk(self, interface: InterfaceFacts) -> Link:
        """Claim a vendor interface with one bulk OUT and one bulk IN endpoint.

        Raises:
            PhoneBusy: Another program holds it.
            AccessDenied: The operating system does not allow it.
            PhoneGone: It is no longer there.
            LinkBroken: It has no such endpoints, or they cannot be set up.
        """
        ...


class Bus(Protocol):
    """A place where devices are attached."""

    @property
    def uri(self) -> str:
        """The bus as given to ``--bus``."""
        ...

    def devices(self) -> Sequence[AttachedDevice]:
        """Search the bus; a device that cannot be read is listed with its ``problem``.

        Raises:
            BusUnavailable: The bus itself cannot be searched.
        """
        ...
