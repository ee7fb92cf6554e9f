"""Trees of /sys as text: recorded on a machine and kept in ``tests/data/sysfs``, or made up.

``python tests/sysfs_trees.py TITLE > FILE`` records the USB part of this machine's tree; as root,
so that debugfs can be read. A line is a folder below the root of the file system; the lines below
it, set in by a space, are its files (``NAME: VALUE``) and links (``NAME -> TARGET``).
"""

import os
import re
import struct
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

DATA = Path(__file__).parent / "data" / "sysfs"

BUS = "sys/bus/usb/devices"
DEVICE_FILES = [
    "descriptors",
    "authorized",
    "bConfigurationValue",
    "bcdDevice",
    "bDeviceClass",
    "bDeviceProtocol",
    "bDeviceSubClass",
    "bMaxPacketSize0",
    "bMaxPower",
    "bmAttributes",
    "bNumConfigurations",
    "bNumInterfaces",
    "busnum",
    "configuration",
    "devnum",
    "devpath",
    "idProduct",
    "idVendor",
    "manufacturer",
    "maxchild",
    "product",
    "removable",
    "serial",
    "speed",
    "version",
    "power/control",
    "power/autosuspend",
]
INTERFACE_FILES = [
    "bAlternateSetting",
    "bInterfaceClass",
    "bInterfaceNumber",
    "bInterfaceProtocol",
    "bInterfaceSubClass",
    "bNumEndpoints",
    "interface",
]


@dataclass(frozen=True)
class Entry:
    """A file below the root of the file system and what is in it, or where a link leads."""

    path: str
    value: bytes
    is_link: bool = False

    def line(self) -> str:
        mark = " ->" if self.is_link else ":"
        text = self.value.decode("latin-1").encode("unicode_escape").decode("ascii")
        return f" {self.path.rpartition('/')[2]}{mark} {text}".rstrip()


def written(entries: Iterable[Entry]) -> str:
    """Return the entries as text, folder after folder."""
    folder = ""
    text = []
    for entry in entries:
        if entry.path.rpartition("/")[0] != folder:
            folder = entry.path.rpartition("/")[0]
            text.append(folder)
        text.append(entry.line())
    return "\n".join(text)


def entries_of(text: str) -> Iterator[Entry]:
    """Read what ``written`` wrote; lines with ``#`` are for people."""
    folder = ""
    for line in text.splitlines():
        if line.startswith(" "):
            name, mark, value = re.split(r"( ->|:)(?: |$)", line[1:], maxsplit=1)
            raw = value.encode("ascii").decode("unicode_escape").encode("latin-1")
            yield Entry(f"{folder}/{name}", raw, is_link=mark != ":")
        elif not line.startswith("#"):
            folder = line


def lay(text: str, root: Path) -> Path:
    """Lay a recording out below ``root``, with its links; returns ``root / "sys"``."""
    for entry in entries_of(text):
        at = root / entry.path
        at.parent.mkdir(parents=True, exist_ok=True)
        if entry.is_link:
            at.symlink_to(entry.value.decode("ascii"))
        else:
            at.write_bytes(entry.value + _end(at.name))
    return root / "sys"


def lay_file(name: str, root: Path) -> Path:
    """Lay out the recording ``tests/data/sysfs/NAME.txt``."""
    return lay((DATA / f"{name}.txt").read_text("ascii"), root)


def record(root: Path) -> Iterator[Entry]:
    """Yield the USB part of the tree below ``root``."""
    devices = sorted((root / BUS).iterdir())
    yield from _links(root, root / BUS, [entry.name for entry in devices])
    for entry in devices:
        yield from _one(root, entry.resolve())
    hubs = [entry.resolve() for entry in devices if entry.name.startswith("usb")]
    for controller in sorted({hub.parent for hub in hubs}):
        yield from _files(root, controller, ["vendor", "device", "class"])
        yield from _links(root, controller, ["driver"])
    for registers in sorted((root / "sys/kernel/debug/usb/xhci").glob("*/reg-cap")):
        yield from _files(root, registers.parent, ["reg-cap"])
    yield from _files(root, root / "sys/module/usbcore/parameters", ["usbfs_memory_mb"])


def _one(root: Path, at: Path) -> Iterator[Entry]:
    """Yield one device or interface, its endpoints and its terminals."""
    yield from _files(root, at, INTERFACE_FILES if ":" in at.name else DEVICE_FILES)
    yield from _links(root, at, ["driver"])
    for endpoint in sorted(at.glob("ep_*")):
        yield from _files(root, endpoint, ["type"])
    for terminal in sorted((*at.glob("tty/tty*"), *at.glob("tty[A-Z]*"))):
        yield from _files(root, terminal, ["dev"])


def _files(root: Path, at: Path, names: Iterable[str]) -> Iterator[Entry]:
    for name in names:
        try:
            value = (at / name).read_bytes()
        except OSError:
            continue
        path = (at / name).relative_to(root)
        yield Entry(str(path), value.removesuffix(_end(path.name)))


def _links(root: Path, at: Path, names: Iterable[str]) -> Iterator[Entry]:
    for name in names:
        if (at / name).is_symlink():
            target = str((at / name).readlink()).encode("ascii")
            yield Entry(str((at / name).relative_to(root)), target, is_link=True)


def _end(name: str) -> bytes:
    """Return how the kernel ends an attribute: all but those of bytes are lines."""
    return b"" if name == "descriptors" else b"\n"


@dataclass
class MadeUp:
    """A tree that never was: controllers, hubs and phones, in the kernel's layout.

    ``text()`` is what a recording of it would be.
    """

    folders: dict[str, str] = field(default_factory=dict)
    """Of each device, by its name, below sysfs."""
    values: dict[str, str] = field(default_factory=dict)
    addresses: Counter[int] = field(default_factory=Counter)

    def controller(
        self,
        path: str,
        *buses: tuple[int, float, int],
        driver: str = "xhci-hcd",
        pci_id: tuple[int, int] | None = None,
        slots: int | None = None,
    ) -> None:
        """Add a host controller: of each bus its number, its Mbit/s, its ports."""
        for number, speed, ports in buses:
            made_by = {"manufacturer": f"Linux 6.1.0 {driver}", "bMaxPower": "0mA"}
            self._add(f"usb{number}", f"{path}/usb{number}", number, speed, made_by)
            self._hub(f"usb{number}", ports)
        if pci_id:
            for name, value in zip(("vendor", "device"), pci_id, strict=True):
                self.values[f"sys/{path}/{name}"] = f"0x{value:04x}"
        if slots:
            registers = f"CAPLENGTH = 0x01000020\nHCSPARAMS1 = 0x{0x15000800 | slots:08x}"
            self.values[f"sys/kernel/debug/usb/xhci/{Path(path).name}/reg-cap"] = registers

    def hub(
        self,
        name: str,
        ports: int = 4,
        *,
        speed: float = 480,
        protocol: int = 2,
        own_supply: bool = True,
    ) -> None:
        """Add a hub: by default one with a transaction translator for each port."""
        attributes = 0xE0 if own_supply else 0xA0
        configuration = struct.pack("<BBHBBBBB", 9, 2, 9, 0, 1, 0, attributes, 50)
        told = {"bDeviceProtocol": f"{protocol:02x}", "bMaxPower": "100mA"}
        told["descriptors"] = (bytes(18) + configuration).decode("latin-1")
        self._plug(name, speed, told)
        self._hub(name, ports)
        self._interface(name, 0, (9, 0, 0), 1)

    def phone(
        self, name: str, kind: str = "both", *, speed: float = 480, milliamps: int = 0
    ) -> None:
        """Add an emulated phone's like: with a vendor interface, CDC-ACM, or both."""
        self._plug(name, speed, {"product": "EP-100", "bMaxPower": f"{milliamps}mA"})
        if kind in {"bulk", "both"}:
            self._interface(name, 0, (0xFF, 5, 0x50), 2)
        if kind in {"serial", "both"}:
            self._interface(name, 1, (2, 2, 0), 1)
            tty = f"ttyACM{len([path for path in self.values if '/tty/' in path])}"
            self.values[f"{self._interface_folder(name, 1)}/tty/{tty}/dev"] = "166:0"
            self._interface(name, 2, (10, 0, 0), 2)

    def change(self, name: str, **values: str) -> None:
        """Let a device's attributes have other values."""
        for attribute, value in values.items():
            self.values[f"sys/{self.folders[name]}/{attribute}"] = value

    def text(self) -> str:
        """Return all of it as a recording."""
        links = [
            Entry(f"{BUS}/{name}", f"../../../{folder}".encode(), is_link=True)
            for name, folder in self.folders.items()
        ]
        files = [Entry(path, value.encode("latin-1")) for path, value in self.values.items()]
        return "# Made up: no such computer was looked at.\n" + written([*links, *files])

    def lay(self, root: Path) -> Path:
        """Lay it out below ``root``; returns ``root / "sys"``."""
        return lay(self.text(), root)

    def _plug(self, name: str, speed: float, told: dict[str, str]) -> None:
        bus, _, ports = name.partition("-")
        above = f"{bus}-{ports.rpartition('.')[0]}" if "." in ports else f"usb{bus}"
        self._add(name, f"{self.folders[above]}/{name}", int(bus), speed, told)

    def _add(self, name: str, folder: str, bus: int, speed: float, told: dict[str, str]) -> None:
        self.folders[name] = folder
        self.addresses[bus] += 1
        common = {
            "busnum": f"{bus}",
            "devnum": f"{self.addresses[bus]}",
            "speed": f"{speed:g}",
            "bDeviceClass": "00",
            "bConfigurationValue": "1",
            "authorized": "1",
        }
        self.change(name, **common | told)

    def _hub(self, name: str, ports: int) -> None:
        self.change(name, bDeviceClass="09", maxchild=f"{ports}")

    def _interface(
        self, name: str, number: int, triple: tuple[int, int, int], endpoints: int
    ) -> None:
        folder = self._interface_folder(name, number)
        self.folders[f"{name}:1.{number}"] = folder.removeprefix("sys/")
        names = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
        told = {key: f"{value:02x}" for key, value in zip(names, triple, strict=True)}
        told |= {"bInterfaceNumber": f"{number:02x}", "interface": "usbprov SMP"}
        for key, value in told.items():
            self.values[f"{folder}/{key}"] = value
        for endpoint in range(endpoints):
            address = f"8{number * 2 + endpoint + 1:x}"
            self.values[f"{folder}/ep_{address}/bEndpointAddress"] = address

    def _interface_folder(self, name: str, number: int) -> str:
        return f"sys/{self.folders[name]}/{name}:1.{number}"


if __name__ == "__main__":
    print(f"# Recorded: {' '.join(sys.argv[1:])}")  # noqa: T201
    print(f"# Kernel: {' '.join(os.uname())}")  # noqa: T201
    print(written(record(Path("/"))))  # noqa: T201
