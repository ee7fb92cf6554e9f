"""What controllers can carry: told by them, or from the table."""

from pathlib import Path

import pytest
from sysfs_trees import MadeUp, lay_file

from usbprov.usb import bulk
from usbprov.usb.capacity import USBFS_KIB_PER_PHONE
from usbprov.usb.controllers import (
    Basis,
    ControllerLimits,
    Limit,
    limits_of,
    read_limits,
    usbfs_memory,
)
from usbprov.usb.sysfs import read_tree

PCI = "devices/pci0000:00/0000:00:14.0"
REGISTERS = f"sys/kernel/debug/usb/xhci/{Path(PCI).name}/reg-cap"


def one(made_up: MadeUp, root: Path) -> ControllerLimits:
    sys = made_up.lay(root)
    (limits,) = read_limits(read_tree(sys), sys).values()
    return limits


def test_the_controller_tells_its_slots(tmp_path: Path) -> None:
    tree = MadeUp()
    tree.controller(PCI, (1, 480, 4), slots=64)
    assert one(tree, tmp_path).slots == Limit(64, Basis.CONTROLLER)


@pytest.mark.parametrize("registers", ["", "HCSPARAMS1 = 0x", "HCSPARAMS1 = 0x08001000", "\xff"])
def test_registers_that_tell_nothing(registers: str, tmp_path: Path) -> None:
    tree = MadeUp()
    tree.controller(PCI, (1, 480, 4))
    tree.values[REGISTERS] = registers
    assert one(tree, tmp_path).slots == Limit(32, Basis.ASSUMED)


@pytest.mark.parametrize(
    ("pci_id", "slots", "endpoints"),
    [
        ((0x8086, 0x8C31), Limit(32, Basis.ASSUMED), Limit(96, Basis.ASSUMED)),
        ((0x8086, 0x1E31), Limit(32, Basis.ASSUMED), Limit(64, Basis.KERNEL)),
        ((0x1106, 0x3483), Limit(32, Basis.REPORTED), Limit(96, Basis.ASSUMED)),
        (None, Limit(32, Basis.ASSUMED), Limit(96, Basis.ASSUMED)),
    ],
)
def test_controllers_that_are_known(
    pci_id: tuple[int, int] | None, slots: Limit, endpoints: Limit, tmp_path: Path
) -> None:
    tree = MadeUp()
    tree.controller(PCI, (1, 480, 4), pci_id=pci_id)
    assert one(tree, tmp_path) == ControllerLimits(slots, endpoints)


@pytest.mark.parametrize("driver", ["ehci-pci", "ohci_hcd", "dwc2", ""])
def test_older_controllers_have_no_such_limits(driver: str) -> None:
    assert limits_of(driver) == ControllerLimits()


@pytest.mark.parametrize("driver", ["vhci_hcd", "dummy_hcd"])
def test_controllers_in_software_have_their_ports_only(driver: str) -> None:
    assert limits_of(driver) == ControllerLimits(takes_hubs=False)


@pytest.mark.parametrize(("text", "memory"), [("16", 16), ("0", None), ("many", None)])
def test_usbfs_memory(text: str, memory: int | None, tmp_path: Path) -> None:
    tree = MadeUp()
    tree.values["sys/module/usbcore/parameters/usbfs_memory_mb"] = text
    assert usbfs_memory(tree.lay(tmp_path)) == memory


def test_what_a_phone_takes_of_usbfs_memory_is_enough_for_our_reads() -> None:
    assert bulk._READ_SIZE <= USBFS_KIB_PER_PHONE * 1024 / 2


def test_recorded_controllers(tmp_path: Path) -> None:
    sys = lay_file("qemu", tmp_path)
    limits = read_limits(read_tree(sys), sys)
    assert limits["devices/pci0000:00/0000:00:08.0"].slots == Limit(64, Basis.CONTROLLER)
    assert limits["devices/pci0000:00/0000:00:06.0"] == ControllerLimits()
    assert not limits["devices/platform/vhci_hcd.0"].takes_hubs
    assert usbfs_memory(sys) == 16
