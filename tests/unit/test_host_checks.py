"""The checks of this computer, each on made-up trees of /proc, /sys, /etc and /run."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sysfs_trees import MadeUp

from usbprov.checks import CheckResult, Verdict
from usbprov.cli.main import run
from usbprov.errors import ExitCode
from usbprov.usb import host_checks, neighbours
from usbprov.usb.computer import Computer
from usbprov.usb.devices import DeviceFacts, SerialPort
from usbprov.usb.host_checks import Check, Subject, run_checks
from usbprov.usb.matching import UsbMatch
from usbprov.usb.neighbours import CHECKS
from usbprov.usb.udev_files import install
from usbprov.usb.udev_rules import rules_files

RULES = rules_files({"made": [UsbMatch(vendor_id=0x1209, product_id=1)]})
PASSWD = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n"
GROUP = "root:x:0:\ndialout:x:20:bob\nplugdev:x:46:alice,bob\n"
PLUGDEV, DIALOUT = 46, 20


@dataclass
class Made:
    """A computer as it is made up for a test: a desk with USB, and alice who is no root."""

    root: Path
    uid: int = 1000
    gids: frozenset[int] = frozenset({1000})
    environment: dict[str, str] = field(default_factory=dict)
    denied: bool = False
    phones: tuple[DeviceFacts, ...] = ()

    def write(self, name: str, text: str = "") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def process(self, pid: int, name: str, *held: str) -> None:
        self.write(f"proc/{pid}/comm", f"{name}\n")
        for number, target in enumerate(held):
            link = self.root / f"proc/{pid}/fd/{number}"
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(target)

    def sit(self, uid: int = 1000) -> None:
        self.write("run/systemd/seats/seat0", f"IS_SEAT0=1\nACTIVE=c1\nACTIVE_UID={uid}\n")

    def install(self) -> None:
        folder = self.root / "etc/udev/rules.d"
        folder.mkdir(parents=True)
        install(RULES, folder)

    def subject(self) -> Subject:
        computer = Computer(
            self.uid, self.gids, self.environment, self.root, lambda _node: not self.denied
        )
        return Subject(computer, RULES, self.phones)

    def see(self, check: Check) -> CheckResult:
        (result,) = check(self.subject())
        return result


@pytest.fixture
def made(tmp_path: Path) -> Made:
    desk = Made(tmp_path)
    desk.write("etc/passwd", PASSWD)
    desk.write("etc/group", GROUP)
    desk.write("proc/sys/kernel/osrelease", "6.1.0-49-amd64\n")
    (tmp_path / "dev/bus/usb").mkdir(parents=True)
    return desk


# --- USB, containers


def test_a_desk_with_usb(made: Made) -> None:
    assert made.see(host_checks.container).verdict is Verdict.GOOD


def test_a_computer_without_usb(made: Made) -> None:
    (made.root / "dev/bus/usb").rmdir()
    result = made.see(host_checks.container)
    assert (result.verdict, result.seen) == (Verdict.BAD, "there is no /dev/bus/usb")


@pytest.mark.parametrize(
    ("file", "text", "kind"),
    [
        (".dockerenv", "", "docker"),
        ("run/.containerenv", "", "podman"),
        ("run/systemd/container", "systemd-nspawn\n", "systemd-nspawn"),
        ("proc/1/environ", "PATH=/bin\0container=lxc\0", "lxc"),
        ("proc/1/cgroup", "4:devices:/docker/0123456789abcdef\n", "docker"),
        ("proc/1/cgroup", "0::/kubepods.slice/pod1\n", "kubernetes"),
        ("proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n", "wsl"),
    ],
)
def test_a_container_is_known_by_its_signs(made: Made, file: str, text: str, kind: str) -> None:
    made.write(file, text)
    result = made.see(host_checks.container)
    assert (result.verdict, f"({kind})" in result.seen) == (Verdict.NOTE, True)
    (made.root / "dev/bus/usb").rmdir()
    result = made.see(host_checks.container)
    assert result.verdict is Verdict.BAD
    words = {"docker": "docker run -v", "podman": "podman run -v", "wsl": "usbipd attach --wsl"}
    assert words.get(kind, "/dev/bus/usb") in result.remedy


# --- rules


def test_rules_are_looked_for(made: Made) -> None:
    assert {r.verdict for r in host_checks.rules(made.subject())} == {Verdict.BAD}
    made.install()
    assert {r.verdict for r in host_checks.rules(made.subject())} == {Verdict.GOOD}


def test_in_a_container_the_rules_outside_count(made: Made) -> None:
    made.write(".dockerenv")
    for result in host_checks.rules(made.subject()):
        assert result.verdict is Verdict.NOTE
        assert result.remedy == "There: sudo usbprov udev install"


# --- seat, groups


def test_who_sits_at_the_seat_has_rights(made: Made) -> None:
    made.sit()
    assert made.see(host_checks.seat).seen == "alice sits at seat0"
    made.environment["SSH_CONNECTION"] = "1 2 3 4"  # and works over SSH as well
    assert made.see(host_checks.seat).verdict is Verdict.GOOD


@pytest.mark.parametrize(
    ("environment", "words"),
    [({"SSH_CONNECTION": "1 2 3 4"}, "over SSH"), ({}, "in no session at a seat")],
)
def test_without_a_seat_the_groups_count(
    made: Made, environment: Mapping[str, str], words: str
) -> None:
    made.sit(uid=1001)
    made.environment.update(environment)
    result = made.see(host_checks.seat)
    assert result.verdict is Verdict.NOTE
    assert words in result.seen


def test_root_needs_neither(made: Made) -> None:
    made.uid = 0
    for check in (host_checks.seat, host_checks.groups):
        assert made.see(check).verdict is Verdict.GOOD


def test_in_both_groups(made: Made) -> None:
    made.gids = frozenset({1000, PLUGDEV, DIALOUT})
    result = made.see(host_checks.groups)
    assert (result.verdict, result.seen) == (Verdict.GOOD, "in plugdev; in dialout")


def test_a_group_that_this_session_does_not_know_yet(made: Made) -> None:
    made.gids = frozenset({1000, DIALOUT})
    result = made.see(host_checks.groups)
    assert result.verdict is Verdict.BAD
    assert "in plugdev, but this session began before" in result.seen
    assert result.remedy == "log out and in again"


def test_not_in_the_groups(made: Made) -> None:
    made.write("etc/group", GROUP.replace("alice,", ""))
    result = made.see(host_checks.groups)
    assert result.verdict is Verdict.BAD
    assert result.remedy == "sudo usermod -aG plugdev,dialout alice; log out and in again"


def test_at_the_seat_groups_are_only_worth_knowing(made: Made) -> None:
    made.sit()
    assert made.see(host_checks.groups).verdict is Verdict.NOTE


def test_a_distribution_with_other_groups(made: Made) -> None:
    made.write("etc/group", "uucp:x:14:\n")
    made.gids = frozenset({14})
    result = made.see(host_checks.groups)
    assert result.seen == "there is no group plugdev; in uucp"
    assert result.remedy.startswith("sudo groupadd --system plugdev; sudo usermod")


def test_a_user_who_is_not_in_the_file_of_users(made: Made) -> None:
    made.uid = 71000
    assert "usermod -aG plugdev,dialout 71000" in made.see(host_checks.groups).remedy
    made.environment["USER"] = "carol"
    assert "usermod -aG plugdev,dialout carol" in made.see(host_checks.groups).remedy


# --- neighbours


def test_no_neighbours(made: Made) -> None:
    for check in (neighbours.modemmanager, neighbours.usbguard, neighbours.brltty):
        assert made.see(check).verdict is Verdict.GOOD


def test_modemmanager_must_be_told_off_by_the_rules(made: Made) -> None:
    made.process(7, "ModemManager")
    result = made.see(neighbours.modemmanager)
    assert result.verdict is Verdict.BAD
    assert "process 7" in result.seen
    assert result.remedy.startswith("sudo usbprov udev install")
    made.install()
    assert made.see(neighbours.modemmanager).verdict is Verdict.GOOD


def test_brltty(made: Made) -> None:
    made.process(8, "brltty")
    assert made.see(neighbours.brltty).verdict is Verdict.NOTE


def desk_with_phones(*names: str) -> MadeUp:
    tree = MadeUp()
    tree.controller("devices/pci0000:00/0000:00:14.0", (1, 480, 8))
    for name in names:
        tree.phone(name)
    return tree


def test_usbguard_that_runs(made: Made) -> None:
    made.process(9, "usbguard-daemon")
    desk_with_phones("1-1").lay(made.root)
    result = made.see(neighbours.usbguard)
    assert result.verdict is Verdict.NOTE
    assert result.remedy == "sudo usbguard allow-device -p 'via-port \"PORT\"'"


def test_refused_devices_are_named_with_the_command_that_lets_them_in(made: Made) -> None:
    tree = desk_with_phones("1-1", "1-2")
    tree.change("1-2", authorized="0")
    tree.lay(made.root)
    result = made.see(neighbours.usbguard)
    assert result.verdict is Verdict.BAD
    assert result.remedy == "echo 1 | sudo tee /sys/bus/usb/devices/1-2/authorized"
    made.process(9, "usbguard-daemon")
    result = made.see(neighbours.usbguard)
    assert result.remedy == "sudo usbguard allow-device -p 'via-port \"1-2\"'"


# --- the kernel


def test_cdc_acm(made: Made) -> None:
    assert made.see(host_checks.serial_driver).verdict is Verdict.UNKNOWN
    made.write("lib/modules/6.1.0-49-amd64/modules.builtin", "kernel/fs/ext4/ext4.ko\n")
    assert made.see(host_checks.serial_driver).verdict is Verdict.BAD
    made.write(
        "lib/modules/6.1.0-49-amd64/modules.dep", "kernel/drivers/usb/class/cdc-acm.ko.xz:\n"
    )
    assert "will be loaded" in made.see(host_checks.serial_driver).seen
    made.write("etc/modprobe.d/mine.conf", "# no modems\nblacklist  cdc-acm\n")
    result = made.see(host_checks.serial_driver)
    assert result.verdict is Verdict.BAD
    assert "/etc/modprobe.d/mine.conf" in result.remedy
    (made.root / "sys/module/cdc_acm").mkdir(parents=True)
    assert made.see(host_checks.serial_driver).seen == "loaded"


PHONE = DeviceFacts("kernel", "1-1", 0x1209, 1)


@pytest.mark.parametrize(
    ("megabytes", "phones", "verdict"),
    [
        ("16", 256, Verdict.GOOD),
        ("16", 257, Verdict.BAD),
        ("0", 1000, Verdict.GOOD),
        ("x", 1, Verdict.UNKNOWN),
    ],
)
def test_memory_for_transfers(made: Made, megabytes: str, phones: int, verdict: Verdict) -> None:
    made.write("sys/module/usbcore/parameters/usbfs_memory_mb", f"{megabytes}\n")
    made.phones = (PHONE,) * phones
    result = made.see(host_checks.transfer_memory)
    assert result.verdict is verdict
    assert ("echo 32 | sudo tee" in result.remedy) is (verdict is Verdict.BAD)


def test_phones_that_may_be_put_to_sleep(made: Made) -> None:
    assert made.see(host_checks.autosuspend).verdict is Verdict.UNKNOWN
    tree = desk_with_phones("1-1", "1-2")
    tree.change("1-1", **{"power/control": "auto"})
    tree.change("1-2", **{"power/control": "on"})
    tree.lay(made.root)
    made.phones = (replace(PHONE, port_path="1-2"), replace(PHONE, port_path="1-9"))
    made.write("sys/module/usbcore/parameters/autosuspend", "2\n")
    assert made.see(host_checks.autosuspend).verdict is Verdict.GOOD
    made.phones += (PHONE,)
    result = made.see(host_checks.autosuspend)
    assert result.verdict is Verdict.NOTE
    assert result.remedy == "echo on | sudo tee /sys/bus/usb/devices/1-1/power/control"
    made.write("sys/module/usbcore/parameters/autosuspend", "-1\n")
    assert made.see(host_checks.autosuspend).verdict is Verdict.GOOD


# --- phones


@pytest.fixture
def attached(made: Made) -> Made:
    """The desk with a phone at 1-1 whose nodes are there."""
    desk_with_phones("1-1").lay(made.root)
    made.write("dev/bus/usb/001/002")
    made.write("dev/ttyACM0")
    made.phones = (replace(PHONE, serial_ports=(SerialPort("/dev/ttyACM0", 1),)),)
    return made


def of_phones(made: Made) -> list[CheckResult]:
    return list(neighbours.phones(made.subject()))


def test_a_phone_that_can_be_opened(attached: Made) -> None:
    assert [r.seen for r in of_phones(attached)] == [
        "/dev/bus/usb/001/002 can be opened",
        "/dev/ttyACM0 can be opened",
    ]


def test_a_phone_that_may_not_be_opened(attached: Made) -> None:
    attached.denied = True
    for result in of_phones(attached):
        assert (result.name, result.verdict) == ("phone 1-1", Verdict.BAD)
        assert result.remedy.startswith("sudo usbprov udev install")
    attached.install()
    assert {r.remedy for r in of_phones(attached)} == {"See seat and groups above."}


def test_who_holds_a_phone_is_named_with_what_ends_that(attached: Made) -> None:
    attached.process(7, "ModemManager", str(attached.root / "dev/ttyACM0"))
    attached.process(41, "minicom", str(attached.root / "dev/ttyACM0"))
    usb, tty = of_phones(attached)
    assert usb.verdict is Verdict.GOOD
    assert tty.seen == "/dev/ttyACM0 is held by ModemManager (process 7), minicom (process 41)"
    assert tty.remedy == "Let it finish, or: sudo systemctl stop ModemManager; kill 41"


def test_a_phone_that_has_gone(attached: Made) -> None:
    (attached.root / "dev/ttyACM0").unlink()
    assert [r.verdict for r in of_phones(attached)] == [Verdict.GOOD, Verdict.UNKNOWN]


# --- all together


def test_libusb(made: Made) -> None:
    result = made.see(host_checks.libusb)
    assert result.verdict is Verdict.GOOD
    assert result.seen.startswith("1.0.")


def test_no_libusb(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [("the system", "/nonexistent/libusb.so"), ("elsewhere", "libc.so.6")]
    monkeypatch.setattr("usbprov.usb.kernel_bus.libraries", lambda: iter(found))
    assert made.see(host_checks.libusb).verdict is Verdict.BAD


def test_all_checks_of_a_desk_in_good_order(attached: Made) -> None:
    attached.install()
    attached.sit()
    attached.gids = frozenset({PLUGDEV, DIALOUT})
    (attached.root / "sys/module/cdc_acm").mkdir(parents=True)
    attached.write("sys/module/usbcore/parameters/usbfs_memory_mb", "16\n")
    attached.write("sys/module/usbcore/parameters/autosuspend", "2\n")
    results = list(run_checks(attached.subject(), CHECKS))
    assert {result.name: result.verdict for result in results} == dict.fromkeys(
        [
            "libusb",
            "USB",
            "rules 60-usbprov.rules",
            "rules 70-usbprov.rules",
            "seat",
            "groups",
            "ModemManager",
            "usbguard",
            "brltty",
            "cdc_acm",
            "usbfs memory",
            "autosuspend",
            "phone 1-1",
        ],
        Verdict.GOOD,
    )


def test_an_empty_computer_raises_nothing(tmp_path: Path) -> None:
    computer = Computer(1000, frozenset(), {}, tmp_path / "nothing")
    results = list(run_checks(Subject(computer, RULES, (PHONE,)), CHECKS))
    assert all(result.remedy for result in results if result.verdict is Verdict.BAD)


def test_elsewhere_than_on_linux_only_libusb_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usbprov.usb.neighbours.sys.platform", "darwin")
    assert neighbours.applicable_checks() == (host_checks.libusb,)


def test_the_command(
    made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here: Callable[[], Computer] = lambda: made.subject().computer  # noqa: E731
    monkeypatch.setattr(Computer, "here", here)
    monkeypatch.setattr("usbprov.cli.commands.check_host._phones", lambda: made.phones)
    assert run(["check", "host", "--json"]) == ExitCode.CHECK
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] == "CHK-05"
    bad = [check for check in document["checks"] if check["verdict"] == "bad"]
    assert len(bad) == document["error"]["facts"]["failed"]
    assert {check["name"] for check in bad} >= {"rules 70-usbprov.rules", "groups"}


def test_the_command_on_this_computer(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "host"]) in {ExitCode.DONE, ExitCode.CHECK}
    assert "libusb" in capsys.readouterr().out
