"""What ``usbprov check bus`` finds: in made-up trees that have one thing wrong each."""

from pathlib import Path

import pytest
from sysfs_trees import MadeUp, lay_file

from usbprov.checks import CheckResult, Verdict
from usbprov.usb.bus_checks import check_bus
from usbprov.usb.capacity import KINDS, survey
from usbprov.usb.controllers import read_limits
from usbprov.usb.sysfs import read_tree

PCI = "devices/pci0000:00/0000:00:14.0"


@pytest.fixture
def tree() -> MadeUp:
    made_up = MadeUp()
    made_up.controller(PCI, (1, 480, 14), (2, 5000, 6), pci_id=(0x8086, 0x8C31), slots=32)
    return made_up


def checked(
    made_up: MadeUp, root: Path, wanted: int | None = None, kind: str = "both"
) -> dict[str, CheckResult]:
    return results(made_up.lay(root), wanted, kind)


def results(sys: Path, wanted: int | None = None, kind: str = "both") -> dict[str, CheckResult]:
    tree = read_tree(sys)
    found = check_bus(tree, survey(tree, KINDS[kind], read_limits(tree, sys)), wanted)
    return {result.name: result for result in found}


def test_nothing_is_wrong(tree: MadeUp, tmp_path: Path) -> None:
    tree.hub("1-1")
    tree.phone("1-1.1", milliamps=500)
    found = checked(tree, tmp_path)
    assert {result.verdict for result in found.values()} == {Verdict.GOOD}
    assert "most is asked of the hub at 1-1: 500 mA" in found["power"].seen
    assert found["tiers"].seen == "3 of 7 are in use"


def test_room_and_what_ends_it(tree: MadeUp, tmp_path: Path) -> None:
    found = checked(tree, tmp_path)
    seen = found["room on pci-0000:00:14.0"].seen
    assert seen == "for 15 more phones; endpoints end first: 0 of 96 (assumed) are taken"
    assert found["room in all"].seen == "for 15 more phones of this kind (both, 6 endpoints each)"


@pytest.mark.parametrize(("wanted", "verdict"), [(15, Verdict.GOOD), (16, Verdict.BAD)])
def test_more_phones_than_there_is_room_for(
    wanted: int, verdict: Verdict, tree: MadeUp, tmp_path: Path
) -> None:
    found = checked(tree, tmp_path, wanted)["room in all"]
    assert found.verdict is verdict
    assert ("16 are asked for" in found.seen) is (verdict is Verdict.BAD)
    assert ("another controller" in found.remedy) is (verdict is Verdict.BAD)


@pytest.mark.parametrize(
    ("ports", "slots", "phones", "remedy"),
    [
        (1, 64, 1, "in place of a phone"),
        (20, 5, 5, "USB 2.0 hubs leave more"),
        (20, 64, 16, "devices that are no phones"),
    ],
)
def test_a_full_controller_says_what_to_do(
    ports: int, slots: int, phones: int, remedy: str, tmp_path: Path
) -> None:
    tree = MadeUp()
    tree.controller(PCI, (1, 480, ports), pci_id=(0x8086, 0x8C31), slots=slots)
    for port in range(1, phones + 1):
        tree.phone(f"1-{port}")
    found = checked(tree, tmp_path)["room on pci-0000:00:14.0"]
    assert found.verdict is Verdict.NOTE
    assert found.seen.startswith("for 0 more phones")
    assert remedy in found.remedy


def test_more_than_was_assumed(tmp_path: Path) -> None:
    tree = MadeUp()
    tree.controller(PCI, (1, 480, 40), pci_id=(0x1234, 0x5678))
    for port in range(1, 41):
        tree.phone(f"1-{port}", "bulk")
    found = checked(tree, tmp_path)
    assert "40 are in use, though 32" in found["device slots of pci-0000:00:14.0"].seen
    assert "120 are in use, though 96" in found["endpoints of pci-0000:00:14.0"].seen
    assert found["room in all"].verdict is Verdict.NOTE


def test_five_hubs_in_a_row_are_the_last_that_work(tree: MadeUp, tmp_path: Path) -> None:
    for depth in range(5):
        tree.hub("1-1" + ".1" * depth)
    found = checked(tree, tmp_path / "five")["tiers"]
    assert found.verdict is Verdict.NOTE
    assert "into the one at 1-1.1.1.1.1" in found.seen
    tree.hub("1-1.1.1.1.1.1")
    found = checked(tree, tmp_path / "six")["tiers"]
    assert found.verdict is Verdict.BAD
    assert "the hub at 1-1.1.1.1.1.1 is beyond" in found.seen
    assert "nearer" in found.remedy


@pytest.mark.parametrize(
    ("protocol", "speed", "phones", "verdict"),
    [
        (1, 12, 2, Verdict.NOTE),
        (1, 12, 1, Verdict.GOOD),
        (2, 12, 2, Verdict.GOOD),  # one for each port
        (1, 480, 2, Verdict.GOOD),  # needs none
    ],
)
def test_full_speed_phones_that_share_a_translator(
    protocol: int, speed: float, phones: int, verdict: Verdict, tree: MadeUp, tmp_path: Path
) -> None:
    tree.hub("1-1", protocol=protocol)
    for port in range(1, phones + 1):
        tree.phone(f"1-1.{port}", speed=speed)
    found = checked(tree, tmp_path)["transaction translators"]
    assert found.verdict is verdict
    if verdict is Verdict.NOTE:
        assert "1-1 (1-1.1, 1-1.2)" in found.seen
        assert "multi-TT" in found.remedy


def test_a_full_speed_hub_hands_on_to_the_translator_above(tree: MadeUp, tmp_path: Path) -> None:
    tree.hub("1-1", protocol=1)
    tree.hub("1-1.1", speed=12, protocol=0)
    tree.phone("1-1.1.1", speed=12)
    tree.phone("1-1.2", speed=12)
    assert "1-1 (1-1.1.1, 1-1.2)" in checked(tree, tmp_path)["transaction translators"].seen


def test_super_speed_hubs_cost_twice(tree: MadeUp, tmp_path: Path) -> None:
    tree.hub("1-1")
    tree.hub("2-1", speed=5000, protocol=3)
    found = checked(tree, tmp_path)["USB 3 hubs"]
    assert found.verdict is Verdict.NOTE
    assert "2-1" in found.seen
    assert "USB 2.0 hubs" in found.remedy


@pytest.mark.parametrize(("own_supply", "verdict"), [(False, Verdict.BAD), (True, Verdict.GOOD)])
def test_a_hub_without_a_supply(
    own_supply: bool, verdict: Verdict, tree: MadeUp, tmp_path: Path
) -> None:
    tree.hub("1-1", own_supply=own_supply)
    tree.phone("1-1.1", milliamps=100)
    tree.phone("1-1.2", milliamps=500)
    found = checked(tree, tmp_path)["power"]
    assert found.verdict is verdict
    if verdict is Verdict.BAD:
        assert "by 1-1.2" in found.seen
        assert "supply of their own" in found.remedy


def test_a_hub_whose_descriptors_are_damaged_is_not_judged(tree: MadeUp, tmp_path: Path) -> None:
    tree.hub("1-1", own_supply=False)
    tree.phone("1-1.1", milliamps=500)
    tree.change("1-1", descriptors="\x00" * 18 + "\x09\x02\xff")
    assert checked(tree, tmp_path)["power"].verdict is Verdict.GOOD


def test_a_phone_that_found_no_resources(tree: MadeUp, tmp_path: Path) -> None:
    tree.phone("1-1")
    tree.change("1-1", bConfigurationValue="")
    found = checked(tree, tmp_path)["configuration"]
    assert found.verdict is Verdict.BAD
    assert "1-1" in found.seen
    assert "dmesg" in found.remedy


def test_a_phone_that_is_not_let_in(tree: MadeUp, tmp_path: Path) -> None:
    tree.phone("1-1")
    tree.change("1-1", authorized="0", bConfigurationValue="")
    found = checked(tree, tmp_path)["configuration"]
    assert found.verdict is Verdict.BAD
    assert "usbguard" in found.remedy


def test_what_is_not_counted_is_said(tree: MadeUp, tmp_path: Path) -> None:
    tree.controller("devices/platform/vhci_hcd.0", (3, 480, 8), driver="vhci_hcd")
    found = checked(tree, tmp_path)
    assert found["not counted"].seen.startswith("platform-vhci_hcd.0: in software only")
    assert "room on platform-vhci_hcd.0" not in found


def test_where_there_is_no_sysfs(tmp_path: Path) -> None:
    (found,) = results(tmp_path).values()
    assert found.verdict is Verdict.UNKNOWN
    assert "docs/platforms.md" in found.remedy


def test_a_recorded_tree(tmp_path: Path) -> None:
    found = results(lay_file("qemu", tmp_path))
    assert found["tiers"].verdict is Verdict.NOTE  # five hubs in a row, and a keyboard below
    assert "21-1.2.1.1.1" in found["tiers"].seen
    assert found["power"].verdict is Verdict.GOOD
    assert found["configuration"].verdict is Verdict.GOOD
    assert not [result for result in found.values() if result.verdict is Verdict.BAD]
