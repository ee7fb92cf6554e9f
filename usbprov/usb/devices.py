"""What is attached: the facts of a USB device, and the bus contract."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from usbprov.usb.link import Link


class LinkKind(StrEnum):
    """The kinds of cable that a driver may speak over, as ``--link`` names them."""

    BULK = "bulk"
    """A vendor interface with a pair of bulk endpoints, through libusb."""
    SERIAL = "serial"
    """A serial port of the operating system: CDC-ACM, an adapter, a UART, a pseudo-terminal."""


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
class SerialPort:
    """A serial port that the operating system offers.

    Attributes:
        path: What is opened now: ``/dev/ttyACM0``, ``COM5``. It may be another after every
            enumeration, so it is never kept.
        interface: bInterfaceNumber of the (communication) interface that it belongs to, or None
            for a line that is no USB function and was named by the user.
    """

    path: str
    interface: int | None = None


@dataclass(frozen=True)
class DeviceFacts:
    """What a device says of itself, and where it is.

    Attributes:
        bus: The bus as given to ``--bus``: ``kernel``, ``usbip://host:port`` or ``tty:/dev/ttyS0``.
        port_path: Bus number and the ports from the root hub down, as sysfs writes it:
            ``1-1.4.2``; on a bus that is one serial line, the line: ``/dev/ttyS0``.
        vendor_id: idVendor.
        product_id: idProduct.
        manufacturer: String descriptor, or None where absent or not readable.
        product: Likewise.
        serial: Likewise. Serial numbers may be missing, duplicate or wrong.
        interfaces: Those of the active configuration.
        serial_ports: Those that the operating system has made of its interfaces.
        problem: Why the device could not be read in full (in use, no permission), or None.
        address: Its address on the bus: another one after every enumeration, and used again some
            time; 0 where there is none. Not compared: a phone that restarted is the same phone.
    """

    bus: str
    port_path: str
    vendor_id: int
    product_id: int
    manufacturer: str | None = None
    product: str | None = None
    serial: str | None = None
    interfaces: tuple[InterfaceFacts, ...] = ()
    serial_ports: tuple[SerialPort, ...] = ()
    problem: str | None = None
    address: int = field(default=0, compare=False)

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

    def open_serial(self, port: SerialPort) -> Link:
        """Open a serial port (of ``facts.serial_ports``) for this program alone.

        Raises:
            PhoneBusy: Another program holds it.
            AccessDenied: The operating system does not allow it.
            PhoneGone: It is no longer there.
            LinkBroken: It cannot be set up, or this bus has no serial ports.
        """
        ...


class Bus(Protocol):
    """A place where devices are attached."""

    @property
    def uri(self) -> str:
        """The bus as given to ``--bus``."""
        ...

    def devices(self, known: Sequence[AttachedDevice] = ()) -> Sequence[AttachedDevice]:
        """Search the bus; a device that cannot be read is listed with its ``problem``.

        Args:
            known: Found on this bus before. Those of them that are still there are asked nothing,
                so that whoever works with them is not disturbed.

        Raises:
            BusUnavailable: The bus itself cannot be searched.
        """
        ...

    def device_at(self, port_path: str) -> AttachedDevice | None:
        """Look at one port only, and leave all other devices in peace; None: nothing is there.

        Raises:
            BusUnavailable: The bus itself cannot be searched.
        """
        ...
