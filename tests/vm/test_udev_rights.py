"""What a user without rights may do with a phone: nothing without the rules, all with them."""

import os
import stat
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel_usb import DEVICES, Desk, node, settle, shell, ttys
from technician import Workplace, hand_over, let_in, make_user, rights_of, user_id

SEAT = Path("/run/systemd/seats/seat0")
INSTALLED = Path("/etc/udev/rules.d")
FILES = ("60-usbprov.rules", "70-usbprov.rules")

_ACL_USER = 0x02
_ACL_READ_WRITE = 0x06


@pytest.fixture(scope="session")
def plain_user(lab) -> None:
    make_user()
    authority = Path(lab.facts["ca_file"])
    let_in(authority.parent)
    authority.chmod(0o644)


@pytest.fixture
def place(plain_user, workplace: Workplace, desk: Desk) -> Iterator[str]:
    """One phone, no rules as yet, nobody at the seat; all is so again afterwards."""
    hand_over(workplace.folder / "home")
    for name in FILES:
        (INSTALLED / name).unlink(missing_ok=True)
    SEAT.unlink(missing_ok=True)
    shell("udevadm", "control", "--reload")
    workplace.plug(1)
    (plugged,) = desk.plug("1-1")
    yield plugged
    workplace.rights = ()
    workplace.run("udev", "uninstall")
    SEAT.unlink(missing_ok=True)


def install(workplace: Workplace) -> None:
    """Install the rules as an administrator does, with the phone attached."""
    workplace.rights = ()
    ended = workplace.run("udev", "install")
    assert ended.code == 0, ended.err
    settle()


def sit_down(user: int) -> None:
    """Have the user at the seat, as far as udev is concerned: it reads this file of logind's."""
    SEAT.parent.mkdir(parents=True, exist_ok=True)
    SEAT.write_text(f"ACTIVE=c1\nACTIVE_UID={user}\n")


def acl_users(path: str) -> dict[int, int]:
    """Return whom the ACL of a file names, with what they may do (acl(5), linux/posix_acl.h)."""
    try:
        raw = os.getxattr(path, "system.posix_acl_access")
    except OSError:
        return {}
    entries = struct.iter_unpack("<HHI", raw[4:])
    return {user: rights for tag, rights, user in entries if tag == _ACL_USER}


def refusal_of(workplace: Workplace) -> str:
    """Try to reach the phone over both cables; both are refused with the same error."""
    codes = set()
    for link in ("bulk", "serial"):
        workplace.variables["USBPROV_LINK"] = link
        ended = workplace.run("info", "--json")
        assert ended.code == 3, ended.out
        codes.add(ended.document["error"]["code"])
    (code,) = codes
    return str(code)


def serials_of(workplace: Workplace) -> list[str]:
    """Reach the phone over both cables; returns the serial number that each told."""
    told = []
    for link in ("bulk", "serial"):
        workplace.variables["USBPROV_LINK"] = link
        ended = workplace.run("info", "--json")
        assert ended.code == 0, ended.err
        told.append(ended.document["serial"])
    return told


def test_without_the_rules_a_plain_user_is_refused_and_told_what_to_do(
    workplace: Workplace, place: str
) -> None:
    workplace.rights = rights_of()
    assert refusal_of(workplace) == "USB-06"
    del workplace.variables["USBPROV_LINK"]
    (row,) = workplace.run("list", "--json").document
    assert (row["port_path"], row["serial"], row["driver"]) == (place, "EMU0001", "smp")
    assert row["problem"] == "no permission to open it"
    refused = workplace.provision()
    assert refused.code == 3
    assert "USB-06" in refused.err
    assert "usbprov udev install" in refused.err


def test_with_the_rules_the_group_may(workplace: Workplace, place: str) -> None:
    install(workplace)
    device = node(place).stat()
    assert stat.S_IMODE(device.st_mode) == 0o660
    assert node(place).group() == "plugdev"
    workplace.rights = rights_of()
    assert refusal_of(workplace) == "USB-06"
    workplace.rights = rights_of("plugdev", "dialout")
    assert serials_of(workplace) == ["EMU0001", "EMU0001"]
    workplace.variables["USBPROV_LINK"] = "bulk"
    ended = workplace.provision("--json")
    assert ended.code == 0, ended.err
    assert ended.document["outcome"] == "provisioned"


def test_with_the_rules_the_user_at_the_seat_may(
    workplace: Workplace, place: str, desk: Desk
) -> None:
    sit_down(user_id())
    (tty,) = ttys(place)
    assert user_id() not in acl_users(str(node(place)))
    install(workplace)
    for path in (str(node(place)), tty):
        assert acl_users(path) == {user_id(): _ACL_READ_WRITE}, path
    workplace.rights = rights_of()
    assert serials_of(workplace) == ["EMU0001", "EMU0001"]
    desk.unplug(place)
    desk.plug("1-1")  # not only what was attached when they were installed
    assert acl_users(str(node(place))) == {user_id(): _ACL_READ_WRITE}
    workplace.variables["USBPROV_LINK"] = "serial"
    ended = workplace.provision("--json")
    assert ended.code == 0, ended.err
    assert ended.document["outcome"] == "provisioned"


def test_the_rules_are_what_udev_takes_them_for(workplace: Workplace, place: str) -> None:
    install(workplace)
    checked = workplace.run("udev", "check")
    assert checked.code == 0, checked.out
    (tty,) = ttys(place)
    for device, properties in {
        str(node(place)): {"ID_MM_DEVICE_IGNORE=1", "MTP_NO_PROBE=1"},
        tty: {"ID_MM_PORT_IGNORE=1"},
    }.items():
        told = shell("udevadm", "info", "--query=all", device)
        assert properties <= {line.removeprefix("E: ") for line in told.splitlines()}, told
        assert ":uaccess:" in told
    told = udevadm_test(DEVICES / place)
    named = [line for line in told.splitlines() if "usbprov.rules" in line]
    assert [line for line in named if "MODE 0660" in line], told
    bad = ("Invalid", "Unknown", "Failed", "ignoring", "syntax error")
    assert not [line for line in named if any(word in line for word in bad)]


def udevadm_test(device: Path) -> str:
    """Have udev say what its rules make of the device; it says so on both streams."""
    ended = subprocess.run(
        ["udevadm", "test", "--action=add", str(device)],
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout + ended.stderr
