"""Where the devices of an exporter are attached, under which address, and who holds each."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from usbprov.emulation.device import UsbDevice
from usbprov.errors import LabUnusable
from usbprov.usbip import ExportedDevice, InterfaceTriple

_BUSID = re.compile(r"([1-9]\d{0,3})-[1-9]\d{0,2}(\.[1-9]\d{0,2}){0,5}", re.ASCII)
_LAST_ADDRESS = 127
"""USB addresses have seven bits; 1 is the root hub's."""


def bus_number(busid: str) -> int:
    """Return the bus in a busid: 1 for ``1-1.4.2``.

    Raises:
        LabUnusable: It is not a bus and up to six ports, the depth that USB allows.
    """
    match = _BUSID.fullmatch(busid)
    if match is None:
        raise LabUnusable(problem=f"{busid!r} is not a port path such as 1-1.4.2")
    return int(match[1])


@dataclass(eq=False)
class Berth:
    """A port with a device in it.

    Attributes:
        busid: The port path.
        device: What is attached.
        busnum: The bus.
        devnum: The address, new each time that the device is plugged in.
        holder: Closes the connection of the client that has imported it; None while free.
    """

    busid: str
    device: UsbDevice
    busnum: int
    devnum: int
    holder: Callable[[], None] | None = None
    unwatch: Callable[[], None] = field(default=lambda: None, repr=False)

    def describe(self) -> ExportedDevice:
        """Return the device as an exporter lists it."""
        identity, descriptors = self.device.identity, self.device.descriptors
        interfaces = tuple(
            InterfaceTriple(i.cls, i.subclass, i.protocol) for i in descriptors.interfaces
        )
        return ExportedDevice(
            f"/sys/devices/platform/usbprov/usb{self.busnum}/{self.busid}",
            self.busid,
            self.busnum,
            self.devnum,
            self.device.speed,
            identity.vendor_id,
            identity.product_id,
            identity.release,
            *descriptors.device_class,
            self.device.configuration,
            1,
            len(interfaces),
            interfaces,
        )


class Berths:
    """All ports of one exporter. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)
        self._berths: dict[str, Berth] = {}
        self._last: dict[int, int] = {}

    def attach(self, busid: str, device: UsbDevice) -> Berth:
        """Put a device into a free port.

        Raises:
            LabUnusable: The port path is none, or in use, or the bus is full.
        """
        bus = bus_number(busid)
        with self._lock:
            if busid in self._berths:
                raise LabUnusable(problem=f"two devices at port {busid}")
            berth = Berth(busid, device, bus, self._address(bus))
            self._berths[busid] = berth
            return berth

    def detach(self, busid: str) -> Berth | None:
        """Take out what is in the port."""
        with self._lock:
            return self._berths.pop(busid, None)

    def readdress(self, berth: Berth) -> None:
        """Give a device that was plugged in again another address."""
        with self._lock:
            berth.devnum = self._address(berth.busnum)

    def plugged(self) -> list[Berth]:
        """Return the ports whose devices are plugged in, in the order attached."""
        with self._lock:
            return [berth for berth in self._berths.values() if berth.device.plugged]

    def all(self) -> list[Berth]:
        """Return all ports."""
        with self._lock:
            return list(self._berths.values())

    def find(self, busid: str) -> Berth | None:
        """Return the port, when a plugged device is in it."""
        with self._lock:
            berth = self._berths.get(busid)
            return berth if berth is not None and berth.device.plugged else None

    def take(self, berth: Berth, holder: Callable[[], None], patience: float) -> bool:
        """Give the device to a client, waiting up to ``patience`` seconds for another to leave."""
        with self._lock:
            if not self._freed.wait_for(lambda: berth.holder is None, patience):
                return False
            berth.holder = holder
            return True

    def free(self, berth: Berth) -> None:
        """Have the device free for the next client."""
        with self._lock:
            berth.holder = None
            self._freed.notify_all()

    def _address(self, bus: int) -> int:
        taken = {b.devnum for b in self._berths.values() if b.busnum == bus}
        if len(taken) >= _LAST_ADDRESS - 1:
            raise LabUnusable(problem=f"bus {bus} has no address left for another device")
        last = self._last.get(bus, 1)
        while (last := last % _LAST_ADDRESS + 1) in taken or last == 1:
            pass
        self._last[bus] = last
        return last
