"""A serial line that the user names, as a bus with one device on it."""

import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from usbprov.errors import BusUnavailable, NoSuchLink
from usbprov.usb.devices import AttachedDevice, DeviceFacts, InterfaceFacts, LinkKind, SerialPort
from usbprov.usb.link import Link
from usbprov.usb.serial_link import SerialLink

PRODUCT = "serial line"
"""What stands for a product name: nothing is known of what is at the other end."""


@dataclass(frozen=True)
class SerialLine:
    """The ``AttachedDevice`` at the other end of the line."""

    facts: DeviceFacts

    def open_bulk(self, interface: InterfaceFacts) -> Link:
        """Refuse: a line has no endpoints; see ``AttachedDevice``."""
        raise NoSuchLink(self.facts.name, LinkKind.BULK)

    def open_serial(self, port: SerialPort) -> SerialLink:
        """Open the line; see ``AttachedDevice``."""
        return SerialLink.open(port.path, self.facts.name)


class SerialBus:
    """A ``Bus`` that is one serial line: a UART, an adapter, a pseudo-terminal.

    Args:
        uri: The bus as given to ``--bus``: ``tty:/dev/ttyS0``, ``tty:COM5``.
        path: The line as the operating system calls it.
    """

    def __init__(self, uri: str, path: str) -> None:
        self._uri = uri
        self._path = path

    @property
    def uri(self) -> str:
        """The bus as given to ``--bus``."""
        return self._uri

    def devices(self, known: Sequence[AttachedDevice] = ()) -> Sequence[SerialLine]:
        """Return the line; see ``Bus``.

        Raises:
            BusUnavailable: There is no such line.
        """
        if not _is_line(self._path):
            raise BusUnavailable(self._uri, f"{self._path} is no serial line of this computer")
        return (self._line(),)

    def device_at(self, port_path: str) -> AttachedDevice | None:
        """Return the line while it is there; see ``Bus``."""
        return self._line() if port_path == self._path and _is_line(self._path) else None

    def _line(self) -> SerialLine:
        ports = (SerialPort(self._path),)
        return SerialLine(
            DeviceFacts(self._uri, self._path, 0, 0, product=PRODUCT, serial_ports=ports)
        )


def _is_line(path: str) -> bool:
    if sys.platform == "win32":
        found = _is_port(path)
    else:
        found = _is_terminal(path)
    return found


def _is_port(path: str) -> bool:
    from serial.tools.list_ports import comports  # noqa: PLC0415  (heavy)

    return any(port.device.lower() == path.lower() for port in comports())


def _is_terminal(path: str) -> bool:
    try:
        return stat.S_ISCHR(Path(path).stat().st_mode)
    except OSError:
        return False
