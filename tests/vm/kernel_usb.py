"""Emulated phones as real USB devices of this kernel: plugged in through ``vhci_hcd``.

The device comes over a USB/IP connection, whose beginning is spoken here as the ``usbip`` tool
does; then the kernel gets the socket. A phone that has left its exporter is off the kernel's bus
at once. When it is back it is imported again, into the same port, as a phone that was restarted.
"""

import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from processes import wait_for

from usbprov.usbip import ClientDecoder, ImportReply, ImportRequest, Status

IN_THE_MACHINE = Path("/run/usbprov-vm/started").exists()
"""Whether this is the virtual machine that was started for the tests."""

DEVICES = Path("/sys/bus/usb/devices")

_VHCI = Path("/sys/devices/platform/vhci_hcd.0")
FREE = 4
"""``VDEV_ST_NULL`` of the kernel's ``usbip_common.h``: nothing in the port."""

_LOOK_AGAIN = 0.1
"""Seconds until a phone that has left is looked for again."""


@dataclass(frozen=True)
class VhciPort:
    """A row of vhci's status: a port of one of its host controllers.

    Attributes:
        speed: ``hs`` for a port of USB 2, ``ss`` for one of USB 3.
        number: By which it is attached to.
        state: ``FREE``, or what is going on.
        device: The port path of what is in it; ``0-0`` while it is free.
        controller: The number of its host controller.
    """

    speed: str
    number: int
    state: int
    device: str
    controller: int


def vhci_ports() -> list[VhciPort]:
    """Return the ports of all virtual host controllers."""
    ports = []
    for status in _VHCI.glob("status*"):
        controller = int(status.suffix[1:] or 0)
        for line in status.read_text().splitlines()[1:]:
            speed, number, state, _, _, _, device = line.split()
            ports.append(VhciPort(speed, int(number), int(state), device, controller))
    return ports


class Desk:
    """USB ports with phones in them; all are free when the block is left.

    Args:
        exporter: Tells where the phones' process exports them, which may change.
    """

    def __init__(self, exporter: Callable[[], str]) -> None:
        self._exporter = exporter
        self._kept: dict[int, str] = {}
        self._lock = threading.Lock()
        self._leaving = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="desk", daemon=True)

    def __enter__(self) -> Self:
        self._keeper.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leaving.set()
        self._keeper.join()
        for number in list(self._kept):
            self._pull_out(number)
        wait_for(lambda: all(p.state == FREE for p in vhci_ports()), "the ports to be free")
        settle()

    def plug(self, *busids: str) -> list[str]:
        """Plug phones of the exporter in; returns their port paths when udev is done with them."""
        numbers = [self._put_in(busid) for busid in busids]
        places = [str(wait_for(lambda n=n: _place(n), f"port {n}")) for n in numbers]
        for place in places:
            wait_for(lambda p=place: is_whole(p), f"the interfaces of {place}")
        settle()
        return places

    def unplug(self, place: str) -> None:
        """Pull the phone at a port path out; it stays where its exporter is."""
        number = next(port.number for port in vhci_ports() if port.device == place)
        self._pull_out(number)
        wait_for(lambda: not (DEVICES / place).exists(), f"{place} to be gone")

    def _put_in(self, busid: str) -> int:
        with self._lock:
            number = _roomiest()
            self._kept[number] = busid
            assert attach(self._exporter(), busid, number), f"{busid} is not to be had"
        return number

    def _pull_out(self, number: int) -> None:
        with self._lock:
            del self._kept[number]
            with suppress(OSError):  # the phone may have left by itself
                (_VHCI / "detach").write_text(f"{number}\n")

    def _keep(self) -> None:
        while not self._leaving.wait(_LOOK_AGAIN):
            with self._lock:
                free = {port.number for port in vhci_ports() if port.state == FREE}
                for number in free & self._kept.keys():
                    with suppress(OSError):  # nobody listens, as yet
                        attach(self._exporter(), self._kept[number], number)


def attach(bus: str, busid: str, number: int) -> bool:
    """Import a device of the exporter ``bus`` and give it to a port; False: it is not to be had."""
    where = urlsplit(bus)
    with socket.create_connection((where.hostname, where.port), timeout=30) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(ImportRequest(busid).encode())
        decoder = ClientDecoder()
        while (reply := decoder.pop()) is None:
            received = sock.recv(1)  # not a byte beyond the reply: the rest is the kernel's
            if not received:
                return False
            decoder.feed(received)
        assert isinstance(reply, ImportReply)
        if reply.status != Status.OK or reply.device is None:
            return False
        sock.settimeout(None)
        found = reply.device
        order = f"{number} {sock.fileno()} {found.devid} {int(found.speed)}"
        (_VHCI / "attach").write_text(order)
    return True


def _roomiest() -> int:
    """Return a free port of the controller that has the fewest phones: each reads one at a time."""
    ports = [port for port in vhci_ports() if port.speed == "hs"]
    used = [port.controller for port in ports if port.state != FREE]
    free = [port for port in ports if port.state == FREE]
    return min(free, key=lambda port: (used.count(port.controller), port.number)).number


def _place(number: int) -> str | None:
    device = next(port.device for port in vhci_ports() if port.number == number)
    return None if device == "0-0" else device


def is_whole(place: str) -> bool:
    """Say whether the kernel has made all interfaces of a device, and the consoles' ttys."""
    folder = DEVICES / place
    try:
        wanted = int((folder / "bNumInterfaces").read_text())
    except (OSError, ValueError):
        return False
    interfaces = list(folder.glob(f"{place}:*"))
    acm = [i for i in interfaces if (i / "bInterfaceClass").read_text().strip() == "02"]
    return len(interfaces) == wanted and all(any(i.glob("tty/tty*")) for i in acm)


def ttys(place: str) -> list[str]:
    """Return the serial ports of the device: ``/dev/ttyACM0``."""
    return sorted(f"/dev/{tty.name}" for tty in (DEVICES / place).glob(f"{place}:*/tty/tty*"))


def node(place: str) -> Path:
    """Return the device's file, through which libusb opens it."""
    bus, address = (int((DEVICES / place / name).read_text()) for name in ("busnum", "devnum"))
    return Path(f"/dev/bus/usb/{bus:03}/{address:03}")


def settle() -> None:
    """Wait until udev has done all that is to be done."""
    subprocess.run(["udevadm", "settle", "--timeout=60"], check=True)


def shell(*command: str) -> str:
    """Run a command and return what it says; it must succeed."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    return ended.stdout
