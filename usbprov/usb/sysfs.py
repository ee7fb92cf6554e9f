"""What Linux knows of the USB devices, read from sysfs: nothing is opened, no device is asked.

The root is always an argument, so that recorded trees can be read like the live one. Strings in it
come from the devices and are hostile; numbers and names are the kernel's own.
Layout: Documentation/ABI/testing/sysfs-bus-usb and sysfs-devices-removable of the kernel.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import TypeVar

from usbprov.usb.device_text import shown
from usbprov.usb.portpath import PortPath

SYSFS = Path("/sys")
"""Where sysfs is mounted."""

_DEVICES = Path("bus/usb/devices")
_ROOT_HUB = re.compile(r"usb\d+", re.ASCII)
_PCI = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", re.ASCII)
_PCI_DOMAIN = re.compile(r"pci[0-9a-f]{4,}:[0-9a-f]{2}", re.ASCII)
_MOST = 1 << 16
"""Bytes of one attribute that are read; the largest are the descriptors."""

_HUB_CLASS = 9

_T = TypeVar("_T")


@dataclass(frozen=True)
class SysfsInterface:
    """The alternate setting in force of one interface of the active configuration.

    Attributes:
        number: bInterfaceNumber.
        alternate: bAlternateSetting.
        cls: bInterfaceClass.
        subclass: bInterfaceSubClass.
        protocol: bInterfaceProtocol.
        name: The interface string, or None.
        driver: The kernel driver that is bound to it: ``cdc_acm``, ``usbfs`` for a program that
            has claimed it; or None.
        endpoints: How many it has, endpoint 0 not counted.
        ttys: Names of the serial ports made of it: ``ttyACM0``.
    """

    number: int
    alternate: int
    cls: int
    subclass: int
    protocol: int
    name: str | None = None
    driver: str | None = None
    endpoints: int = 0
    ttys: tuple[str, ...] = ()


@dataclass(frozen=True)
class SysfsDevice:
    """A device, hub or root hub.

    Attributes:
        name: The port path (``1-1.4``), or ``usb1`` for the root hub of bus 1.
        busnum: Number of the bus.
        devnum: Address on it: another one after every enumeration, and used again some time.
        speed_mbps: Megabits a second: 1.5, 12, 480, 5000 and up; 0 where not known.
        vendor_id: idVendor.
        product_id: idProduct.
        bcd_device: bcdDevice.
        cls: bDeviceClass; 9 is a hub.
        subclass: bDeviceSubClass.
        protocol: bDeviceProtocol; of a high-speed hub 1 is a single transaction translator, 2 is
            one for each port (USB 2.0, 11.23.1).
        manufacturer: String descriptor, or None where absent or not readable by the kernel.
        product: Likewise.
        serial: Likewise.
        configuration: bConfigurationValue of the active configuration, 0 for none.
        maxchild: How many ports a hub has, 0 for other devices.
        max_power_ma: bMaxPower of the active configuration, in mA; 0 where not known.
        power_control: ``auto`` where the kernel may suspend the device, ``on``, or "".
        authorized: False where this computer does not let it be used (usbguard).
        removable: ``removable``, ``fixed``, ``unknown``, or "" where the firmware does not say.
        interfaces: Those of the active configuration, by number.
        controller_path: The host controller's folder below sysfs, the same for both root hubs of
            one xHCI: ``devices/pci0000:00/0000:00:14.0``; "" where not known.
        descriptors: The device descriptor and all configurations, as the device sent them.
        path: The device's folder, links followed.
        inode: The folder's inode number; a device that was away in between has another folder.
    """

    name: str
    busnum: int
    devnum: int
    speed_mbps: float = 0.0
    vendor_id: int = 0
    product_id: int = 0
    bcd_device: int = 0
    cls: int = 0
    subclass: int = 0
    protocol: int = 0
    manufacturer: str | None = None
    product: str | None = None
    serial: str | None = None
    configuration: int = 0
    maxchild: int = 0
    max_power_ma: int = 0
    power_control: str = ""
    authorized: bool = True
    removable: str = ""
    interfaces: tuple[SysfsInterface, ...] = ()
    controller_path: str = ""
    descriptors: bytes = field(default=b"", repr=False)
    path: Path = field(default_factory=Path, compare=False)
    inode: int = 0

    @property
    def is_root_hub(self) -> bool:
        """Whether it is the controller's own hub."""
        return _ROOT_HUB.fullmatch(self.name) is not None

    @property
    def is_hub(self) -> bool:
        """Whether it is a hub, root hubs included."""
        return self.cls == _HUB_CLASS or self.is_root_hub

    @property
    def port_path(self) -> PortPath | None:
        """Where it is plugged in; None for a root hub."""
        return None if self.is_root_hub else PortPath.parse(self.name)

    @property
    def parent(self) -> str:
        """The hub that it is plugged into: ``1-1`` for ``1-1.4``, ``usb1`` for ``1-1``; or ""."""
        place = self.port_path
        if place is None:
            return ""
        if len(place.ports) == 1:
            return f"usb{place.bus}"
        return str(PortPath(place.bus, place.ports[:-1]))

    @property
    def tier(self) -> int:
        """The tier that it is in (USB 2.0, 4.1.1): 1 is the root hub's, 7 the last."""
        return len(self.port_path.ports) + 1 if self.port_path else 1

    @property
    def endpoints(self) -> int:
        """How many endpoints it has, endpoint 0 counted once."""
        return 1 + sum(interface.endpoints for interface in self.interfaces)

    @property
    def node(self) -> str:
        """The device node below ``/dev``: ``bus/usb/001/004``."""
        return f"bus/usb/{self.busnum:03}/{self.devnum:03}"

    @property
    def controller(self) -> str:
        """The host controller as udev's ID_PATH writes it: ``pci-0000:00:14.0``."""
        parts = self.controller_path.split("/")
        pci = [f"pci-{part}" for part in parts if _PCI.fullmatch(part)]
        before = takewhile(lambda part: not _PCI_DOMAIN.fullmatch(part), parts)
        platform = [f"platform-{part}" for part in before] if "platform" in parts else []
        return "-".join([*platform[-1:], *pci[-1:]]) or parts[-1]


def has_usb(root: Path = SYSFS) -> bool:
    """Say whether there is a sysfs that tells of USB; elsewhere others must be asked."""
    return (root / _DEVICES).is_dir()


def read_tree(root: Path = SYSFS) -> tuple[SysfsDevice, ...]:
    """Read all devices, hubs and root hubs; empty where there is no USB.

    A device that vanishes meanwhile is left out. Root hubs come first, then all by port path.

    Args:
        root: Where sysfs is mounted, or a folder that holds a copy of its ``bus`` and ``devices``.
    """
    found = [read_device(name, root) for name in _names(str(root / _DEVICES)) if ":" not in name]
    return tuple(sorted((d for d in found if d is not None), key=_order))


def read_device(name: str, root: Path = SYSFS) -> SysfsDevice | None:
    """Read one device by its port path (``1-1.4``, ``usb1``); None when nothing is there."""
    if not _is_name(name):
        return None
    folder = root / _DEVICES / name
    try:
        real = folder.resolve(strict=True)
        inode = real.stat().st_ino
    except OSError:
        return None
    read = _Attributes(str(real))
    busnum, devnum = read.number("busnum"), read.number("devnum")
    if busnum is None or devnum is None:
        return None
    return SysfsDevice(
        name=name,
        busnum=busnum,
        devnum=devnum,
        speed_mbps=read.parsed("speed", float) or 0.0,
        vendor_id=read.hexadecimal("idVendor"),
        product_id=read.hexadecimal("idProduct"),
        bcd_device=read.hexadecimal("bcdDevice"),
        cls=read.hexadecimal("bDeviceClass"),
        subclass=read.hexadecimal("bDeviceSubClass"),
        protocol=read.hexadecimal("bDeviceProtocol"),
        manufacturer=read.string("manufacturer"),
        product=read.string("product"),
        serial=read.string("serial"),
        configuration=read.number("bConfigurationValue") or 0,
        maxchild=read.number("maxchild") or 0,
        max_power_ma=read.parsed("bMaxPower", _milliamperes) or 0,
        power_control=read.text("power/control"),
        authorized=read.number("authorized") != 0,
        removable=read.text("removable"),
        interfaces=tuple(_interfaces(str(real), name)),
        controller_path=_controller(real, root),
        descriptors=read.raw("descriptors"),
        path=real,
        inode=inode,
    )


class _Attributes:
    """The attributes in one folder; what is not there, or not as it should be, is nothing."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def raw(self, name: str) -> bytes:
        try:
            # Not as a file object: there are thousands of attributes, looked at again and again.
            descriptor = os.open(f"{self._folder}/{name}", os.O_RDONLY)
        except OSError:
            return b""
        try:
            return b"".join(_pieces(descriptor))
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def text(self, name: str) -> str:
        return self.raw(name).decode("utf-8", "replace").strip()

    def string(self, name: str) -> str | None:
        return shown(self.raw(name).decode("utf-8", "replace").removesuffix("\n"))

    def parsed(self, name: str, parse: Callable[[str], _T]) -> _T | None:
        try:
            return parse(self.text(name))
        except ValueError:
            return None

    def number(self, name: str) -> int | None:
        return self.parsed(name, int)

    def hexadecimal(self, name: str) -> int:
        return self.parsed(name, _hexadecimal) or 0


def _pieces(descriptor: int) -> Iterator[bytes]:
    """Yield what is in an attribute: sysfs gives a page of bytes at a time."""
    left = _MOST
    while left > 0 and (piece := os.read(descriptor, left)):
        left -= len(piece)
        yield piece


def _interfaces(device: str, name: str) -> Iterator[SysfsInterface]:
    """Yield the interfaces, which are folders ``NAME:CONFIGURATION.NUMBER`` in the device's."""
    folders = [entry for entry in _names(device) if entry.startswith(f"{name}:")]
    found = (_interface(f"{device}/{folder}") for folder in folders)
    yield from sorted((i for i in found if i is not None), key=lambda i: i.number)


def _interface(folder: str) -> SysfsInterface | None:
    read, names = _Attributes(folder), _names(folder)
    number = read.parsed("bInterfaceNumber", _hexadecimal)
    if number is None:
        return None
    return SysfsInterface(
        number=number,
        alternate=read.number("bAlternateSetting") or 0,
        cls=read.hexadecimal("bInterfaceClass"),
        subclass=read.hexadecimal("bInterfaceSubClass"),
        protocol=read.hexadecimal("bInterfaceProtocol"),
        name=read.string("interface"),
        driver=_link_name(f"{folder}/driver"),
        endpoints=sum(1 for name in names if name.startswith("ep_")),
        ttys=tuple(sorted(_ttys(folder, names))),
    )


def _ttys(interface: str, names: Sequence[str]) -> Iterator[str]:
    """Yield ``tty/ttyACM0`` of a CDC-ACM function, ``ttyUSB0/tty/ttyUSB0`` of an adapter."""
    for name in names:
        if name == "tty":
            yield from _names(f"{interface}/tty")
        elif name.startswith("tty"):
            yield from _names(f"{interface}/{name}/tty")


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  (fast)
    except OSError:
        return []


def _controller(device: Path, root: Path) -> str:
    """Return the folder that the root hub is in, below sysfs."""
    with suppress(OSError, ValueError):
        parts = device.relative_to(root.resolve()).parts
        hub = next(at for at, part in enumerate(parts) if _ROOT_HUB.fullmatch(part))
        return "/".join(parts[:hub])
    return ""


def _link_name(link: str) -> str | None:
    try:
        return os.readlink(link).rpartition("/")[2]  # noqa: PTH115  (fast)
    except OSError:
        return None


def _hexadecimal(text: str) -> int:
    return int(text, 16)


def _milliamperes(text: str) -> int:
    return int(text.removesuffix("mA"))


def _is_name(name: str) -> bool:
    if _ROOT_HUB.fullmatch(name):
        return True
    with suppress(ValueError):
        PortPath.parse(name)
        return True
    return False


def _order(device: SysfsDevice) -> tuple[bool, int, tuple[int, ...]]:
    place = device.port_path
    return (place is not None, device.busnum, place.ports if place else ())
