"""Which of a phone's cables is taken, and the session over it (PROTOCOL.md 6)."""

import logging
from collections.abc import Callable, Mapping

from usbprov.errors import AccessDenied, LinkBroken, NoSuchLink
from usbprov.usb.devices import AttachedDevice, DeviceFacts, InterfaceFacts, LinkKind, SerialPort
from usbprov_drivers.smp import identity
from usbprov_drivers.smp.framing import LineFraming
from usbprov_drivers.smp.session import Session

logger = logging.getLogger(__name__)

_ACM = (0x02, 0x02)
"""bInterfaceClass and bInterfaceSubClass of a serial port (USB PSTN 1.2, 5.1)."""


def open_session(device: AttachedDevice, link: LinkKind | None) -> Session:
    """Open the cable that is asked for, or the best that there is; nothing is sent yet.

    Without a wish it is bulk, and the serial port where bulk is not there, not permitted or out
    of order. A phone that somebody else uses is not reached through its other door.

    Raises:
        NoSuchLink: The phone has no such cable, or this bus does not offer it.
        UsbError: As ``AttachedDevice.open_bulk`` and ``open_serial``.
    """
    if link is not None:
        return _WAYS[link](device)
    if identity.BULK.interface_of(device.facts) is None:
        return _over_serial(device)
    try:
        return _over_bulk(device)
    except (AccessDenied, NoSuchLink, LinkBroken) as error:
        if serial_port(device.facts) is None:
            raise
        logger.info("%s; its serial port is taken instead", error)
        return _over_serial(device)


def serial_port(facts: DeviceFacts) -> SerialPort | None:
    """Return the serial port that speaks the protocol, or None.

    That is a line that the user named; else the port of the interface with the right numbers and
    string; else, on a device that its vendor interface shows to be a phone, its only serial port:
    not every maker can choose the string of that (the gadgets of Linux have one of their own).
    """
    line = next((port for port in facts.serial_ports if port.interface is None), None)
    if line is not None:
        return line
    console = identity.CONSOLE.interface_of(facts)
    if console is not None:
        return _port_of(facts, console)
    bulk = identity.BULK.interface_of(facts)
    if bulk is None or bulk.name is None:
        return None
    acm = [_port_of(facts, i) for i in facts.interfaces if (i.cls, i.subclass) == _ACM]
    return acm[0] if len(acm) == 1 else None


def _over_bulk(device: AttachedDevice) -> Session:
    interface = identity.BULK.interface_of(device.facts)
    if interface is None:
        raise NoSuchLink(device.facts.name, LinkKind.BULK)
    _see_that_it_is_ours(interface, device.facts)
    return Session(device.open_bulk(interface))


def _over_serial(device: AttachedDevice) -> Session:
    console = identity.CONSOLE.interface_of(device.facts)
    port = serial_port(device.facts)
    if port is None:
        raise NoSuchLink(device.facts.name, LinkKind.SERIAL)
    if console is not None and port.interface is not None:
        _see_that_it_is_ours(console, device.facts)
    return Session(device.open_serial(port), LineFraming())


_WAYS: Mapping[LinkKind, Callable[[AttachedDevice], Session]] = {
    LinkKind.BULK: _over_bulk,
    LinkKind.SERIAL: _over_serial,
}


def _see_that_it_is_ours(interface: InterfaceFacts, facts: DeviceFacts) -> None:
    """Send nothing to an interface whose string could not be read: it may be anybody's."""
    if interface.name is None:
        raise LinkBroken(facts.name, facts.problem or "it has no interface string")


def _port_of(facts: DeviceFacts, interface: InterfaceFacts) -> SerialPort | None:
    ports = {port.interface: port for port in facts.serial_ports}
    return ports.get(interface.number)
