"""How many more phones fit in: counted in recorded and made-up trees."""

from pathlib import Path

import pytest
from sysfs_trees import MadeUp, lay_file

from usbprov.emulation.contract import PhoneSpec
from usbprov.emulation.registry import emulators
from usbprov.usb.capacity import KINDS, Capacity, PhoneKind, Resource, Room, kind_of, room, survey
from usbprov.usb.controllers import ControllerLimits, read_limits, usbfs_memory
from usbprov.usb.descriptors import DescriptorType, parse_configuration
from usbprov.usb.sysfs import SysfsDevice, read_tree

BULK, SERIAL, BOTH = KINDS["bulk"], KINDS["serial"], KINDS["both"]
PCI = "devices/pci0000:00/0000:00:14.0"
HASWELL = (0x8086, 0x8C31)


def surveyed(made_up: MadeUp, root: Path, kind: PhoneKind = BOTH) -> Capacity:
    sys = made_up.lay(root)
    tree = read_tree(sys)
    return survey(tree, kind, read_limits(tree, sys), usbfs_memory(sys))


def haswell(slots: int | None = 32) -> MadeUp:
    """Make up a desk computer of 2013: one xHCI with 14 ports."""
    tree = MadeUp()
    tree.controller(PCI, (1, 480, 14), (2, 5000, 6), pci_id=HASWELL, slots=slots)
    return tree


def sixteen_ports(tree: MadeUp, at: str) -> list[str]:
    """Plug in a hub of 16 ports, which is five chips; returns its ports."""
    tree.hub(at, ports=4)
    for chip in range(1, 5):
        tree.hub(f"{at}.{chip}", ports=4)
    return [f"{at}.{chip}.{port}" for chip in range(1, 5) for port in range(1, 5)]


def tree_of(made_up: MadeUp, root: Path) -> tuple[SysfsDevice, ...]:
    return read_tree(made_up.lay(root))


def budget(capacity: Capacity, resource: Resource) -> tuple[int, int]:
    found = next(b for b in capacity.controllers[0].budgets if b.resource is resource)
    return found.used, found.limit.value


@pytest.mark.parametrize("name", ["bulk", "serial", "both"])
def test_the_kinds_are_what_the_emulated_phone_is_made_of(name: str, tmp_path: Path) -> None:
    spec = PhoneSpec(1, tmp_path / "phone.state", (), {})
    device = emulators()["smp"].make(spec)
    configuration = parse_configuration(device.descriptors.get(DescriptorType.CONFIGURATION, 0))
    settings = [alternates[0] for alternates in configuration.interfaces]
    vendor = [s for s in settings if s.bInterfaceClass == 0xFF]
    cdc = [s for s in settings if s.bInterfaceClass in {0x02, 0x0A}]
    there = {"bulk": vendor, "serial": cdc, "both": [*vendor, *cdc]}[name]
    assert KINDS[name].endpoints == 1 + sum(len(s.endpoints) for s in there)
    assert KINDS[name].serial_ports == sum(s.bInterfaceClass == 0x02 for s in there)


def test_both_root_hubs_of_an_xhci_are_one_controller(tmp_path: Path) -> None:
    (controller,) = surveyed(haswell(), tmp_path).controllers
    assert controller.name == "pci-0000:00:14.0"
    assert controller.driver == "xhci_hcd"
    assert controller.buses == (1, 2)
    assert controller.free_ports == 14  # not the SuperSpeed bus's too


@pytest.mark.parametrize(
    ("kind", "phones"),
    # 14 ports; beyond those 4-port hubs of 1 slot and 2 endpoints, each of which adds 3 ports.
    [(BULK, 28), (SERIAL, 22), (BOTH, 15)],
)
def test_endpoints_end_first_on_an_intel_controller(
    kind: PhoneKind, phones: int, tmp_path: Path
) -> None:
    found = surveyed(haswell(slots=64), tmp_path, kind).room
    assert found == Room(phones, Resource.ENDPOINTS)


def test_without_hubs_96_endpoints_are_32_phones_with_a_vendor_interface(tmp_path: Path) -> None:
    tree = MadeUp()
    tree.controller(PCI, (1, 480, 40), pci_id=HASWELL, slots=64)
    assert surveyed(tree, tmp_path, BULK).room == Room(32, Resource.ENDPOINTS)


def test_slots_end_first_where_there_are_few(tmp_path: Path) -> None:
    tree = MadeUp()
    tree.controller(PCI, (1, 480, 40), pci_id=HASWELL, slots=16)
    assert surveyed(tree, tmp_path, BULK).room == Room(16, Resource.SLOTS)


def test_what_is_attached_is_counted(tmp_path: Path) -> None:
    tree = haswell()
    tree.hub("1-1", ports=7)
    for port in range(1, 6):
        tree.phone(f"1-1.{port}", "serial")
    tree.phone("1-2", "bulk")
    capacity = surveyed(tree, tmp_path)
    assert budget(capacity, Resource.ADDRESSES) == (8, 127)  # the root hub's included
    assert budget(capacity, Resource.SLOTS) == (7, 32)
    assert budget(capacity, Resource.ENDPOINTS) == (2 + 5 * 4 + 3, 96)
    assert capacity.controllers[0].free_ports == 14 - 2 + 7 - 5
    assert capacity.controllers[0].tiers == 3


def test_a_hub_of_sixteen_ports_takes_five_addresses(tmp_path: Path) -> None:
    tree = haswell()
    ports = sixteen_ports(tree, "1-1")
    capacity = surveyed(tree, tmp_path, BULK)
    assert budget(capacity, Resource.ADDRESSES) == (6, 127)
    assert budget(capacity, Resource.ENDPOINTS) == (10, 96)
    assert capacity.controllers[0].free_ports == 13 + len(ports)
    # 86 endpoints are left for phones of 3; 29 ports are free.
    assert capacity.room == Room(27, Resource.SLOTS)


def test_a_hundred_phones_on_sixteen_port_hubs_are_too_many_addresses(tmp_path: Path) -> None:
    tree = MadeUp()
    tree.controller("devices/platform/soc", (1, 480, 15), driver="ehci-platform")
    sockets = [port for hub in range(1, 8) for port in sixteen_ports(tree, f"1-{hub}")]
    for port in sockets[:100]:
        tree.phone(port, "bulk")
    capacity = surveyed(tree, tmp_path)
    assert budget(capacity, Resource.ADDRESSES) == (1 + 7 * 5 + 100, 127)
    assert capacity.room == Room(0, Resource.ADDRESSES)


def test_a_super_speed_hub_takes_twice(tmp_path: Path) -> None:
    tree = haswell()
    tree.hub("1-1")
    tree.hub("2-1", speed=5000, protocol=3)
    capacity = surveyed(tree, tmp_path)
    assert budget(capacity, Resource.SLOTS) == (2, 32)
    assert budget(capacity, Resource.ADDRESSES) == (2, 127)


def test_a_super_speed_device_takes_a_socket(tmp_path: Path) -> None:
    tree = haswell()
    tree.phone("2-1", speed=5000)
    assert surveyed(tree, tmp_path).controllers[0].free_ports == 13


def test_without_a_free_port_there_is_no_room_for_a_hub_either(tmp_path: Path) -> None:
    tree = MadeUp()
    tree.controller(PCI, (1, 480, 1), pci_id=HASWELL, slots=64)
    tree.phone("1-1")
    assert surveyed(tree, tmp_path).room == Room(0, Resource.PORTS)


def test_below_five_hubs_only_phones_go_in(tmp_path: Path) -> None:
    tree = MadeUp()
    tree.controller(PCI, (1, 480, 1), pci_id=HASWELL, slots=64)
    for depth in range(5):
        tree.hub("1-1" + ".1" * depth, ports=1 if depth < 4 else 4)
    capacity = surveyed(tree, tmp_path, BULK)
    assert capacity.controllers[0].tiers == 6
    assert not capacity.controllers[0].takes_hubs
    assert capacity.room == Room(4, Resource.PORTS)


def test_controllers_add_up(tmp_path: Path) -> None:
    tree = haswell(slots=64)
    for card in range(4):
        path = f"devices/pci0000:00/0000:00:1c.0/0000:0{card + 1}:00.0"
        tree.controller(path, (3 + card, 480, 2), pci_id=(0x1912, 0x0014), slots=32)
    capacity = surveyed(tree, tmp_path, BULK)
    assert [c.room.phones for c in capacity.controllers] == [28, 24, 24, 24, 24]
    assert capacity.room.phones == 28 + 4 * 24


def test_serial_ports_end_for_the_whole_computer(tmp_path: Path) -> None:
    tree = MadeUp()
    for number in range(1, 4):
        path = f"devices/platform/soc{number}"
        tree.controller(path, (number, 480, 15), driver="ehci-platform")
    tree.phone("1-1", "serial")
    assert surveyed(tree, tmp_path, SERIAL).room == Room(255, Resource.SERIAL_PORTS)
    assert surveyed(tree, tmp_path / "again", BULK).room.phones > 255


def test_little_usbfs_memory_ends_first(tmp_path: Path) -> None:
    tree = haswell()
    tree.values["sys/module/usbcore/parameters/usbfs_memory_mb"] = "0"
    assert surveyed(tree, tmp_path / "a").room.bound is Resource.ENDPOINTS  # 0: no limit
    assert survey(tree_of(tree, tmp_path / "b"), BULK, {}, usbfs_mib=16).shared[0].used == 0


def test_ports_in_software_are_not_counted_beside_real_ones(tmp_path: Path) -> None:
    tree = MadeUp()
    tree.controller("devices/platform/vhci_hcd.0", (1, 480, 8), (2, 5000, 8), driver="vhci_hcd")
    alone = surveyed(tree, tmp_path / "alone")
    assert alone.room == Room(8, Resource.PORTS)
    assert not alone.controllers[0].aside
    tree.controller(PCI, (3, 480, 14), pci_id=HASWELL, slots=64)
    beside = surveyed(tree, tmp_path / "beside")
    assert [bool(c.aside) for c in beside.controllers] == [False, True]
    assert beside.room == Room(15, Resource.ENDPOINTS)


def test_slow_controllers_are_not_counted_beside_fast_ones(tmp_path: Path) -> None:
    tree = MadeUp()
    path = "devices/pci0000:00/0000:00:1d.0"
    tree.controller(path, (1, 12, 2), driver="uhci_hcd")
    assert surveyed(tree, tmp_path / "alone").room.phones > 0
    tree.controller("devices/pci0000:00/0000:00:1d.7", (2, 480, 6), driver="ehci_hcd")
    capacity = surveyed(tree, tmp_path / "beside")
    fast, slow = capacity.controllers
    assert (fast.driver, slow.driver) == ("ehci_hcd", "uhci_hcd")
    assert capacity.room == fast.room


def test_no_usb_at_all() -> None:
    assert survey((), BOTH, {}).room == Room(0, Resource.PORTS)


def test_the_kind_is_what_all_attached_phones_are(tmp_path: Path) -> None:
    tree = haswell()
    tree.phone("1-1", "serial")
    tree.phone("1-2", "serial")
    tree.phone("1-3", "bulk")
    phones = [device for device in tree_of(tree, tmp_path) if device.product == "EP-100"]
    assert kind_of(phones[:2]) == PhoneKind("as attached", 4, 1)
    assert kind_of(phones) is None
    assert kind_of([]) is None


def test_a_phone_without_a_configuration_says_nothing_of_its_kind(tmp_path: Path) -> None:
    tree = haswell()
    tree.phone("1-1", "serial")
    tree.phone("1-2", "bulk")
    tree.change("1-2", bConfigurationValue="")
    phones = [device for device in tree_of(tree, tmp_path) if device.product == "EP-100"]
    assert kind_of(phones) == PhoneKind("as attached", 4, 1)


def test_limits_that_are_not_known_are_assumed_by_the_driver(tmp_path: Path) -> None:
    tree = tree_of(haswell(), tmp_path)
    assert room(tree, BULK) == room(tree, BULK, read_limits(tree, tmp_path / "nothing"))
    assert room(tree, BULK, {PCI: ControllerLimits()}).bound is Resource.ADDRESSES


def test_a_recorded_tree(tmp_path: Path) -> None:
    sys = lay_file("qemu", tmp_path)
    tree = read_tree(sys)
    phones = [device for device in tree if device.product == "EP-100"]
    kind = kind_of(phones)
    assert kind == PhoneKind("as attached", BOTH.endpoints, BOTH.serial_ports)
    capacity = survey(tree, kind, read_limits(tree, sys), usbfs_memory(sys))
    ehci, empty, chain, vhci, *more_vhci, uhci = capacity.controllers
    assert (ehci.driver, uhci.driver, vhci.driver) == ("ehci_hcd", "uhci_hcd", "vhci_hcd")
    assert len(more_vhci) == 7
    assert empty.room == Room(14, Resource.ENDPOINTS)
    assert [hub.name for hub in chain.hubs][-1] == "21-1.2.1.1.1"
    assert chain.tiers == 7
    used = {b.resource: (b.used, b.limit.value) for b in chain.budgets}
    assert used[Resource.SLOTS] == (8, 64)  # five hubs, mouse, keyboard, tablet
    assert used[Resource.ENDPOINTS] == (8 * 2, 96)
    assert [device.name for device in vhci.devices] == ["1-1", "1-2", "1-3"]
    assert capacity.shared[0].used == 3
