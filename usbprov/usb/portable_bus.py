"""The computer's own USB where there is no sysfs: libusb, joined with pyserial's list of ports."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from usbprov.errors import NoSuchLink, PhoneGone
from usbprov.usb.bulk import BulkLink
from usbprov.usb.description import GetDescriptor
from usbprov.usb.devices import AttachedDevice, DeviceFacts, InterfaceFacts, LinkKind, SerialPort
from usbprov.usb.pyusb_bus import PyusbBus, PyusbDevice
from usbprov.usb.serial_link import SerialLink

_COMMUNICATION = 2
"""Interface class of the half of a CDC function that stands for the whole."""


@dataclass(frozen=True)
class ListedPort:
    """A serial port of a USB device as the operating system lists it.

    Attributes:
        path: ``COM5``, ``/dev/cu.usbmodem14101``.
        ids: idVendor and idProduct.
        serial: The serial number, as far as the system knows it.
        place: The port path of the device, or "" where the system does not tell.
        interface: bInterfaceNumber, or None where the system does not tell.
    """

    path: str
    ids: tuple[int, int]
    serial: str | None = None
    place: str = ""
    interface: int | None = None


def list_ports() -> list[ListedPort]:
    """Return the serial ports that are of a USB device."""
    from serial.tools.list_ports import comports  # noqa: PLC0415  (heavy)

    found = []
    for port in comports():
        if port.vid is not None and port.pid is not None:
            place, _, rest = (port.location or "").partition(":")
            number = rest.rpartition(".")[2]
            interface = int(number) if number.isascii() and number.isdigit() else None
            ids = (port.vid, port.pid)
            found.append(ListedPort(port.device, ids, port.serial_number, place, interface))
    return found


def ports_of(facts: DeviceFacts, listed: Sequence[ListedPort]) -> tuple[SerialPort, ...]:
    """Return the serial ports of a device among all that are ``listed``.

    They are joined on ids, serial number and port path. Where the system does not tell the path,
    or counts the buses otherwise than libusb does, as Windows may, the serial number must be there
    and the same; two devices with the same have no ports then.
    """
    ids = (facts.vendor_id, facts.product_id)
    alike = [port for port in listed if port.ids == ids and _agree(port.serial, facts.serial)]
    there = [port for port in alike if port.place == facts.port_path]
    if not there and facts.serial:
        chains = {"", _chain(facts.port_path)}
        there = [port for port in alike if port.serial and _chain(port.place) in chains]
    if len({port.interface for port in there}) < len(there):
        return ()
    numbers = [i.number for i in facts.interfaces if i.cls == _COMMUNICATION]
    first = numbers[0] if numbers else 0
    return tuple(
        SerialPort(port.path, first if port.interface is None else port.interface) for port in there
    )


def _agree(listed: str | None, told: str | None) -> bool:
    """Compare serial numbers as far as they are known; Windows writes them in capitals."""
    return not listed or not told or listed.casefold() == told.casefold()


def _chain(place: str) -> str:
    """Return the ports of a port path, without the bus."""
    return place.partition("-")[2]


@dataclass(frozen=True)
class PortableDevice:
    """An ``AttachedDevice`` with the serial ports that the system has made of it."""

    facts: DeviceFacts
    plain: PyusbDevice = field(repr=False)
    _bus: "PortableBus" = field(repr=False)

    def open_bulk(self, interface: InterfaceFacts) -> BulkLink:
        """Claim a vendor interface with one bulk pair; see ``AttachedDevice``."""
        return self.plain.open_bulk(interface)

    def asking(self) -> AbstractContextManager[GetDescriptor]:
        """Open the device for GET_DESCRIPTOR only; see ``description.Askable``."""
        return self.plain.asking()

    def open_serial(self, port: SerialPort) -> SerialLink:
        """Open the serial port of an interface, whatever it is called by now.

        Raises:
            NoSuchLink: The system has made no serial port of that interface.
            UsbError: As ``AttachedDevice``.
        """
        now = self._bus.device_at(self.facts.port_path)
        if now is None or now.plain.sighting != self.plain.sighting:
            raise PhoneGone(self.facts.name)
        found = (p for p in now.facts.serial_ports if p.interface == port.interface)
        path = next((p.path for p in found), None)
        if path is None:
            raise NoSuchLink(self.facts.name, LinkKind.SERIAL)
        return SerialLink.open(path, self.facts.name)


class PortableBus:
    """The ``Bus`` of libusb's devices, with their serial ports."""

    def __init__(self, plain: PyusbBus) -> None:
        """Add the serial ports to what ``plain`` finds."""
        self._plain = plain

    @property
    def uri(self) -> str:
        """The bus as given to ``--bus``."""
        return self._plain.uri

    def devices(self, known: Sequence[AttachedDevice] = ()) -> Sequence[PortableDevice]:
        """Search the bus; see ``Bus``."""
        before = [device.plain for device in known if isinstance(device, PortableDevice)]
        return self._joined(self._plain.devices(before))

    def device_at(self, port_path: str) -> PortableDevice | None:
        """Look at one port only; see ``Bus``."""
        found = self._plain.device_at(port_path)
        return None if found is None else self._joined([found])[0]

    def _joined(self, found: Sequence[PyusbDevice]) -> tuple[PortableDevice, ...]:
        listed = list_ports() if found else []
        return tuple(
            PortableDevice(
                replace(device.facts, serial_ports=ports_of(device.facts, listed)), device, self
            )
            for device in found
        )
