"""What USB host controllers can carry: read from them where they tell, else from a table.

An xHCI controller has a number of device slots, which it tells (HCSPARAMS1, xHCI 1.2, 5.3.3), and
room for a number of endpoints, which no register tells: it refuses the one too many (Resource
Error, xHCI 1.2, 4.6.6). Older controllers keep endpoints in the computer's memory and have neither
limit.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from usbprov.usb.sysfs import SYSFS, SysfsDevice

_DEBUG = Path("kernel/debug/usb/xhci")
_HCSPARAMS1 = re.compile(r"^HCSPARAMS1 = 0x([0-9a-f]{8})$", re.ASCII | re.MULTILINE)
_MAX_SLOTS = 0xFF  # HCSPARAMS1, bits 7..0 (xHCI 1.2, table 5-9)

_USBFS_MEMORY = Path("module/usbcore/parameters/usbfs_memory_mb")

XHCI = "xhci_hcd"
INTEL = 0x8086


class Basis(StrEnum):
    """How a limit is known, in words."""

    STANDARD = "by the standard"
    CONTROLLER = "read from the controller"
    KERNEL = "set by the kernel"
    REPORTED = "reported by users"
    ASSUMED = "assumed"


@dataclass(frozen=True)
class Limit:
    """How much there is of something, and how that is known."""

    value: int
    basis: Basis


@dataclass(frozen=True)
class ControllerLimits:
    """What one controller can carry.

    Attributes:
        slots: Devices, hubs included and root hubs not; None: no limit of its own.
        endpoints: Endpoints, each device's endpoint 0 included; None likewise.
        takes_hubs: False of one that exists in software only, whose ports are all there is.
    """

    slots: Limit | None = None
    endpoints: Limit | None = None
    takes_hubs: bool = True


_SLOTS: Mapping[tuple[int, int], Limit] = {
    (0x1106, 0x3483): Limit(32, Basis.REPORTED),  # VL805: raspberrypi/linux, issue 3366
}
_ENDPOINTS: Mapping[tuple[int, int], Limit] = {
    (INTEL, 0x1E31): Limit(64, Basis.KERNEL),  # Panther Point: XHCI_EP_LIMIT_QUIRK of xhci-pci.c
}
"""By PCI vendor and device id."""

_ASSUMED_SLOTS = Limit(32, Basis.ASSUMED)
"""What phone farms met on several chips (openstf/stf, issue 966); newer ones have 64."""

_ASSUMED_ENDPOINTS = Limit(96, Basis.ASSUMED)
"""Intel's 8 series, by Microchip's knowledge base; the BIOS may give it less."""

_IN_SOFTWARE = frozenset({"dummy_hcd", "vhci_hcd"})


def driver_of(root_hub: SysfsDevice) -> str:
    """Return the controller's driver: the last word of the string that Linux gives a root hub."""
    words = (root_hub.manufacturer or "").split()
    return words[-1].replace("-", "_") if words else ""


def is_in_software(driver: str) -> bool:
    """Say whether a controller is no hardware: its ports are all that there is."""
    return driver in _IN_SOFTWARE


def limits_of(
    driver: str, pci_id: tuple[int, int] | None = None, slots: int | None = None
) -> ControllerLimits:
    """Return what a controller can carry.

    Args:
        driver: As ``driver_of`` returns it.
        pci_id: Vendor and device id, where it is a PCI device and they are known.
        slots: What the controller itself says.
    """
    if is_in_software(driver):
        return ControllerLimits(takes_hubs=False)
    if driver != XHCI:
        return ControllerLimits()
    key = pci_id or (0, 0)
    told = Limit(slots, Basis.CONTROLLER) if slots else _SLOTS.get(key, _ASSUMED_SLOTS)
    return ControllerLimits(told, _ENDPOINTS.get(key, _ASSUMED_ENDPOINTS))


def read_limits(tree: Sequence[SysfsDevice], root: Path = SYSFS) -> Mapping[str, ControllerLimits]:
    """Return what each controller of the tree can carry, by its ``controller_path``.

    How many slots it has is read from debugfs, which is root's only.

    Args:
        tree: As ``read_tree`` returns it.
        root: Where sysfs is mounted, or a folder that holds a copy.
    """
    return {
        hub.controller_path: limits_of(
            driver_of(hub),
            _pci_id(root / hub.controller_path),
            _slots(root / _DEBUG / Path(hub.controller_path).name / "reg-cap"),
        )
        for hub in tree
        if hub.is_root_hub
    }


def usbfs_memory(root: Path = SYSFS) -> int | None:
    """Return the MiB that all programs together may use for transfers; None: no limit, or unknown.

    Args:
        root: Where sysfs is mounted, or a folder that holds a copy.
    """
    with suppress(OSError, ValueError):
        return int((root / _USBFS_MEMORY).read_text("ascii")) or None
    return None


def _pci_id(folder: Path) -> tuple[int, int] | None:
    with suppress(OSError, ValueError):
        vendor, device = ((folder / name).read_text("ascii") for name in ("vendor", "device"))
        return int(vendor, 16), int(device, 16)
    return None


def _slots(registers: Path) -> int | None:
    with suppress(OSError, ValueError):
        found = _HCSPARAMS1.search(registers.read_text("ascii"))
        return int(found[1], 16) & _MAX_SLOTS if found else None
    return None
