"""What is read from sysfs, of recorded and of made-up trees."""

import shutil
from pathlib import Path

import pytest
from sysfs_trees import MadeUp, lay_file

from usbprov.usb.sysfs import SysfsInterface, has_usb, read_device, read_tree

CONTROLLER = "devices/pci0000:00/0000:00:14.0"


@pytest.fixture
def made() -> MadeUp:
    tree = MadeUp()
    tree.controller(CONTROLLER, (1, 480, 16), (2, 10000, 8))
    tree.hub("1-4")
    tree.phone("1-4.2")
    tree.change("1-4.2", idVendor="1209", idProduct="0001", bcdDevice="0100", serial="EMU0001")
    return tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return read_tree(lay_file("qemu", tmp_path_factory.mktemp("qemu")))


class TestRecorded:
    """A tree of the real kernel, with three emulated phones on a vhci controller."""

    def test_root_hubs_come_first_then_all_by_place(self, tree):
        names = [device.name for device in tree]
        roots = [device.name for device in tree if device.is_root_hub]
        assert names[: len(roots)] == roots == [f"usb{n}" for n in range(1, len(roots) + 1)]
        assert names[len(roots) : len(roots) + 3] == ["1-1", "1-2", "1-3"]

    def test_phone(self, tree):
        phone = next(device for device in tree if device.name == "1-2")
        assert (phone.manufacturer, phone.product, phone.serial) == ("usbprov", "EP-100", "EMU0002")
        assert (phone.vendor_id, phone.product_id) == (0x1209, 0x0001)
        assert (phone.busnum, phone.devnum, phone.speed_mbps) == (1, 3, 480)
        assert (phone.configuration, phone.is_hub, phone.maxchild) == (1, False, 0)
        assert phone.interfaces[1] == SysfsInterface(
            1, 0, 2, 2, 0, phone.interfaces[1].name, "cdc_acm", 1, ("ttyACM1",)
        )
        assert [(i.cls, i.endpoints, i.driver) for i in phone.interfaces] == [
            (0xFF, 2, None),
            (0x02, 1, "cdc_acm"),
            (0x0A, 2, "cdc_acm"),
        ]
        assert (phone.endpoints, phone.tier, phone.parent) == (6, 2, "usb1")
        assert phone.controller == "platform-vhci_hcd.0"
        assert phone.node == "bus/usb/001/003"
        assert phone.descriptors[:2] == b"\x12\x01"

    def test_both_root_hubs_of_a_controller_are_of_the_same(self, tree):
        xhci = [d.name for d in tree if d.controller == "pci-0000:00:03.0" and d.is_root_hub]
        assert xhci == ["usb19", "usb20"]

    def test_hub_below_hub(self, tree):
        deepest = max((d for d in tree if d.is_hub), key=lambda d: d.tier)
        assert deepest.tier == 6
        assert deepest.parent in {d.name for d in tree}
        assert deepest.speed_mbps == 12


class TestMadeUp:
    def test_phone_behind_a_hub(self, made, tmp_path):
        phone = read_tree(made.lay(tmp_path))[-1]
        assert (phone.name, phone.parent, phone.tier) == ("1-4.2", "1-4", 3)
        assert (phone.controller_path, phone.controller) == (CONTROLLER, "pci-0000:00:14.0")
        assert (phone.vendor_id, phone.bcd_device, phone.serial) == (0x1209, 0x0100, "EMU0001")

    @pytest.mark.parametrize(
        ("path", "controller"),
        [
            ("devices/pci0000:00/0000:00:1c.4/0000:05:00.0", "pci-0000:05:00.0"),
            ("devices/platform/soc/fe980000.usb", "platform-fe980000.usb"),
            (
                "devices/platform/fd500000.pcie/pci0000:00/0000:00:00.0/0000:01:00.0",
                "platform-fd500000.pcie-pci-0000:01:00.0",
            ),
        ],
    )
    def test_controller(self, path, controller, tmp_path):
        made = MadeUp()
        made.controller(path, (1, 480, 4))
        assert read_tree(made.lay(tmp_path))[0].controller == controller

    def test_places_are_sorted_as_numbers(self, made, tmp_path):
        for name in ("1-10", "1-2", "1-4.11", "1-4.3"):
            made.phone(name)
        names = [device.name for device in read_tree(made.lay(tmp_path))]
        assert names[2:] == ["1-2", "1-4", "1-4.2", "1-4.3", "1-4.11", "1-10"]

    def test_attributes_of_power_and_rights(self, made, tmp_path):
        made.change("1-4.2", authorized="0", removable="fixed", bMaxPower="896mA")
        made.change("1-4.2", **{"power/control": "auto"})
        phone = read_tree(made.lay(tmp_path))[-1]
        assert (phone.authorized, phone.removable, phone.max_power_ma) == (False, "fixed", 896)
        assert phone.power_control == "auto"

    def test_port_of_a_usb_serial_adapter(self, made, tmp_path):
        made.phone("1-5", "bulk")
        interface = f"sys/{made.folders['1-5']}/1-5:1.0"
        made.values[f"{interface}/ttyUSB3/tty/ttyUSB3/dev"] = "188:3"
        phone = read_device("1-5", made.lay(tmp_path))
        assert phone is not None
        assert phone.interfaces[0].ttys == ("ttyUSB3",)

    def test_alternate_setting_in_force(self, made, tmp_path):
        made.values[f"sys/{made.folders['1-4.2']}/1-4.2:1.0/bAlternateSetting"] = " 1"
        phone = read_tree(made.lay(tmp_path))[-1]
        assert [i.alternate for i in phone.interfaces] == [1, 0, 0]

    def test_a_device_that_was_away_has_another_inode(self, made, tmp_path):
        root = made.lay(tmp_path)
        before = read_device("1-4.2", root)
        assert before is not None
        folder = root / made.folders["1-4.2"]
        folder.rename(tmp_path / "kept")  # so that the file system cannot use its inode again
        shutil.copytree(tmp_path / "kept", folder, symlinks=True)
        after = read_device("1-4.2", root)
        assert after is not None
        assert before.inode != after.inode


class TestHostile:
    @pytest.mark.parametrize(
        ("written", "shown"),
        [
            ("EMU\x1b[2J1", "EMU\ufffd[2J1"),
            ("a\nb", "a\ufffdb"),
            ("  padded  ", "padded"),
            ("\x00", None),
            ("", None),
            ("\xe2\x80\xae1", "\ufffd1"),
            ("\xff\xfe", "\ufffd\ufffd"),
        ],
    )
    def test_strings_are_made_fit_to_be_shown(self, made, tmp_path, written, shown):
        made.change("1-4.2", serial=written)
        assert read_tree(made.lay(tmp_path))[-1].serial == shown

    @pytest.mark.parametrize("value", ["", "none", "0x12", "-", "9" * 5000])
    def test_numbers_that_are_none(self, made, tmp_path, value):
        made.change("1-4.2", speed=value, idVendor="", bMaxPower=value, maxchild=value)
        phone = read_tree(made.lay(tmp_path))[-1]
        assert (phone.vendor_id, phone.max_power_ma, phone.maxchild) == (0, 0, 0)

    def test_device_without_address_is_left_out(self, made, tmp_path):
        made.change("1-4.2", devnum="")
        assert [d.name for d in read_tree(made.lay(tmp_path))] == ["usb1", "usb2", "1-4"]

    def test_device_that_vanishes_meanwhile_is_left_out(self, made, tmp_path):
        root = made.lay(tmp_path)
        shutil.rmtree(root / made.folders["1-4.2"])
        assert [d.name for d in read_tree(root)] == ["usb1", "usb2", "1-4"]

    def test_names_that_are_none(self, made, tmp_path):
        root = made.lay(tmp_path)
        for name in ("usbx", "foo", "1-", "1-4.2.0.0.0.0.0.0.0"):
            (root / "bus/usb/devices" / name).symlink_to(root / made.folders["1-4.2"])
        assert len(read_tree(root)) == 4

    @pytest.mark.parametrize("name", ["", ".", "..", "../..", "1-4.2/..", "1-4.2:1.0", "/", "1-9"])
    def test_read_device_reads_devices_only(self, made, tmp_path, name):
        assert read_device(name, made.lay(tmp_path)) is None


def test_where_there_is_no_usb(tmp_path: Path):
    assert read_tree(tmp_path) == ()
    assert not has_usb(tmp_path)
