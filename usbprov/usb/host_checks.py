"""``check host``: may this user open phones here, and does the kernel let it?

Every check is a function that looks and tells; none changes anything. All stand in ``CHECKS``.
"""

import ctypes
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from usbprov.checks import CheckResult, Verdict
from usbprov.usb.capacity import USBFS_KIB_PER_PHONE
from usbprov.usb.computer import Computer
from usbprov.usb.devices import DeviceFacts
from usbprov.usb.sysfs import read_device
from usbprov.usb.udev_files import INSTALL, SEARCHED, check_rules
from usbprov.usb.udev_rules import GROUP, RulesFile
from usbprov.usb.udev_rules import RIGHTS as RIGHTS_FILE

logger = logging.getLogger(__name__)

SERIAL_GROUPS = ("dialout", "uucp")
"""Who may open serial ports: on Debian, Fedora, SUSE; on Arch, Gentoo."""

_DEFAULT_MB = 16


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    Attributes:
        computer: The computer.
        rules: The udev rules that there must be.
        phones: The phones that are attached to it and can be provisioned.
    """

    computer: Computer
    rules: Sequence[RulesFile]
    phones: Sequence[DeviceFacts] = ()


Check = Callable[[Subject], Iterable[CheckResult]]


def run_checks(subject: Subject, checks: Sequence[Check]) -> Iterator[CheckResult]:
    """Make the checks, one after the other, and note how long each took."""
    for check in checks:
        results = iter(check(subject))
        while True:
            started = time.monotonic()
            result = next(results, None)
            if result is None:
                break
            yield replace(result, ms=round((time.monotonic() - started) * 1000))


_GET_LIBUSB = {"linux": "sudo apt install libusb-1.0-0", "darwin": "brew install libusb"}


def libusb(_subject: Subject) -> Iterator[CheckResult]:
    """Which libusb is used, and its version."""
    from usbprov.usb.kernel_bus import libraries  # noqa: PLC0415  (heavy)

    for where, path in libraries():
        version = _libusb_version(path)
        if version is not None:
            yield CheckResult("libusb", Verdict.GOOD, f"{version}, of {where}")
            return
    cause = "Neither the system nor the package libusb-package has one for this computer."
    remedy = _GET_LIBUSB.get(sys.platform, "python -m pip install --force-reinstall libusb-package")
    yield CheckResult("libusb", Verdict.BAD, "there is none that can be loaded", cause, remedy)


class _Version(ctypes.Structure):
    """``struct libusb_version``, as far as it is read."""

    _fields_ = tuple((name, ctypes.c_uint16) for name in ("major", "minor", "micro", "nano"))


def _libusb_version(path: str) -> str | None:
    try:
        get = ctypes.CDLL(path).libusb_get_version
    except (OSError, AttributeError) as failure:
        logger.debug("%s: %s", path, failure)
        return None
    get.restype = ctypes.POINTER(_Version)
    version = get().contents
    return f"{version.major}.{version.minor}.{version.micro}"


def container(subject: Subject) -> Iterator[CheckResult]:
    """Whether USB devices can be seen here at all."""
    computer = subject.computer
    kind = computer.container()
    has_usb = computer.path("dev/bus/usb").is_dir()
    if kind is None and has_usb:
        yield CheckResult("USB", Verdict.GOOD, "the kernel has USB, and this is no container")
    elif kind is None:
        cause = "The computer, or the virtual machine, has no USB controller, or its kernel no USB."
        remedy = "Give the virtual machine a USB controller (xHCI), or use a kernel with USB."
        yield CheckResult("USB", Verdict.BAD, "there is no /dev/bus/usb", cause, remedy)
    elif has_usb:
        seen = f"this is a container ({kind}) that has /dev/bus/usb"
        cause = "Rules, groups and modules are those of the computer around it."
        yield CheckResult("USB", Verdict.NOTE, seen, cause, "Check the computer itself, too.")
    else:
        seen = f"this is a container ({kind}) without /dev/bus/usb"
        cause = "The container was not given the USB devices of the computer around it."
        yield CheckResult("USB", Verdict.BAD, seen, cause, _GIVE_USB.get(kind, _GIVE_USB[""]))


_DOCKER = (
    "run -v /dev/bus/usb:/dev/bus/usb --device-cgroup-rule 'c 189:* rmw'"
    " --device-cgroup-rule 'c 166:* rmw' …"
)
_GIVE_USB = {
    "docker": f"docker {_DOCKER}",
    "podman": f"podman {_DOCKER}",
    "wsl": "In Windows: usbipd list; usbipd bind --busid ID; usbipd attach --wsl --busid ID",
    "": "Bind /dev/bus/usb into the container and allow the character devices 189:* and 166:*.",
}


def rules(subject: Subject) -> Iterator[CheckResult]:
    """Whether the udev rules are installed and current."""
    inside = subject.computer.container()
    for result in installed_rules(subject):
        if inside and result.verdict is Verdict.BAD:
            cause = "In a container the rules of the computer around it count."
            yield replace(result, verdict=Verdict.NOTE, cause=cause, remedy=f"There: {INSTALL}")
        else:
            yield result


def rules_are_right(subject: Subject) -> bool:
    """Say whether the rules that give rights are installed and current."""
    results = [result for result in installed_rules(subject) if result.name.endswith(RIGHTS_FILE)]
    return any(result.verdict is Verdict.GOOD for result in results)


def installed_rules(subject: Subject) -> Iterator[CheckResult]:
    """Compare the rules of this computer with what they must be."""
    computer = subject.computer
    folders = [computer.path(str(folder.relative_to("/"))) for folder in SEARCHED]
    return check_rules(subject.rules, folders)


def seat(subject: Subject) -> Iterator[CheckResult]:
    """Whether the tag ``uaccess`` gives this user anything."""
    computer = subject.computer
    at = computer.seat()
    if computer.is_root:
        yield CheckResult("seat", Verdict.GOOD, "root needs none")
    elif at is not None:
        yield CheckResult("seat", Verdict.GOOD, f"{computer.user()} sits at {at}")
    else:
        why = "over SSH" if "SSH_CONNECTION" in computer.environment else "in no session at a seat"
        cause = "The rules open phones to whoever sits at the computer; others need the group."
        yield CheckResult(
            "seat", Verdict.NOTE, f"{computer.user()} works {why}", cause, "See groups."
        )


def groups(subject: Subject) -> Iterator[CheckResult]:
    """Whether the user is in the groups that may open phones, and this session knows it."""
    computer = subject.computer
    if computer.is_root:
        yield CheckResult("groups", Verdict.GOOD, "root needs none")
        return
    serial = next((name for name in SERIAL_GROUPS if computer.group(name)), SERIAL_GROUPS[0])
    states = {name: _membership(computer, name) for name in (GROUP, serial)}
    seen = "; ".join(_SEEN[state].format(name) for name, state in states.items())
    if set(states.values()) == {_Membership.IN}:
        yield CheckResult("groups", Verdict.GOOD, seen)
        return
    needed = computer.seat() is None
    cause = "Without a seat, only the groups give rights." if needed else _NOT_NEEDED
    verdict = Verdict.BAD if needed else Verdict.NOTE
    yield CheckResult("groups", verdict, seen, cause, _joining(states, computer.user()))


class _Membership(Enum):
    IN = "in"
    LATER = "later"
    OUT = "out"
    NONE = "none"


_SEEN = {
    _Membership.IN: "in {}",
    _Membership.LATER: "in {}, but this session began before",
    _Membership.OUT: "not in {}",
    _Membership.NONE: "there is no group {}",
}
_NOT_NEEDED = "At the seat they are not needed; over SSH they would be."


def _membership(computer: Computer, name: str) -> _Membership:
    group = computer.group(name)
    if group is None:
        return _Membership.NONE
    if group.gid in computer.gids:
        return _Membership.IN
    return _Membership.LATER if computer.user() in group.members else _Membership.OUT


def _joining(states: Mapping[str, _Membership], user: str) -> str:
    """Return the commands that make the user a member of all groups."""
    steps = [f"sudo groupadd --system {n}" for n, s in states.items() if s is _Membership.NONE]
    outside = {_Membership.OUT, _Membership.NONE}
    if join := ",".join(name for name, state in states.items() if state in outside):
        steps.append(f"sudo usermod -aG {join} {user}")
    return "; ".join([*steps, "log out and in again"])


def serial_driver(subject: Subject) -> Iterator[CheckResult]:
    """Whether the kernel can make serial ports of phones (cdc_acm)."""
    computer = subject.computer
    name = "cdc_acm"
    if computer.path("sys/module/cdc_acm").is_dir():
        yield CheckResult(name, Verdict.GOOD, "loaded")
        return
    forbidden = _forbidding(computer)
    if forbidden is not None:
        cause = "Somebody does not want this driver here."
        remedy = f"Remove the line from {forbidden}; sudo modprobe cdc_acm"
        yield CheckResult(name, Verdict.BAD, f"blacklisted in {forbidden}", cause, remedy)
        return
    release = (computer.text("proc/sys/kernel/osrelease") or "").strip()
    folder = f"lib/modules/{release}"
    lists = [computer.text(f"{folder}/{file}") for file in ("modules.dep", "modules.builtin")]
    if any("cdc-acm.ko" in (text or "") for text in lists):
        yield CheckResult(name, Verdict.GOOD, "will be loaded when a phone is plugged in")
    elif all(text is None for text in lists):
        yield CheckResult(name, Verdict.UNKNOWN, f"there is no /{folder} to look into")
    else:
        cause = "A kernel made small, for clouds for instance. Phones can still be reached by bulk."
        remedy = "Use the distribution's standard kernel: sudo apt install linux-image-amd64"
        yield CheckResult(name, Verdict.BAD, f"the kernel {release} has none", cause, remedy)


def _forbidding(computer: Computer) -> str | None:
    """Return the file of /etc/modprobe.d that keeps cdc_acm from being loaded."""
    for path in sorted(computer.path("etc/modprobe.d").glob("*.conf")):
        text = computer.text(f"etc/modprobe.d/{path.name}") or ""
        words = [line.split() for line in text.replace("-", "_").splitlines()]
        if ["blacklist", "cdc_acm"] in [line[:2] for line in words]:
            return f"/etc/modprobe.d/{path.name}"
    return None


def transfer_memory(subject: Subject) -> Iterator[CheckResult]:
    """Whether the memory that all programs share for USB transfers is enough."""
    name = "usbfs memory"
    megabytes = subject.computer.number("sys/module/usbcore/parameters/usbfs_memory_mb")
    if megabytes is None:
        yield CheckResult(name, Verdict.UNKNOWN, "the kernel does not say")
        return
    room = megabytes * 1024 // USBFS_KIB_PER_PHONE
    seen = f"{megabytes} MB, enough for {room} phones at once" if megabytes else "no limit"
    if megabytes == 0 or room >= max(len(subject.phones), 1):
        yield CheckResult(name, Verdict.GOOD, seen)
        return
    needed = max(_DEFAULT_MB, 2 * megabytes)
    cause = f"{len(subject.phones)} phones are attached; transfers fail when it is used up."
    remedy = f"echo {needed} | sudo tee /sys/module/usbcore/parameters/usbfs_memory_mb"
    yield CheckResult(name, Verdict.BAD, seen, cause, remedy)


def autosuspend(subject: Subject) -> Iterator[CheckResult]:
    """Whether the kernel may put phones to sleep."""
    computer = subject.computer
    seconds = computer.number("sys/module/usbcore/parameters/autosuspend")
    devices = [read_device(facts.port_path, computer.path("sys")) for facts in subject.phones]
    asleep = [d.name for d in devices if d is not None and d.power_control == "auto"]
    if seconds is None:
        yield CheckResult("autosuspend", Verdict.UNKNOWN, "the kernel does not say")
    elif not asleep or seconds < 0:
        yield CheckResult("autosuspend", Verdict.GOOD, "of no phone here")
    else:
        seen = f"after {seconds} s without traffic: {', '.join(asleep)}"
        cause = "A power-saving tool (TLP, powertop) switched it on. Some phones do not wake up."
        files = " ".join(f"/sys/bus/usb/devices/{name}/power/control" for name in asleep)
        remedy = f"echo on | sudo tee {files}"
        yield CheckResult("autosuspend", Verdict.NOTE, seen, cause, remedy)


PORTABLE: tuple[Check, ...] = (libusb,)
RIGHTS: tuple[Check, ...] = (container, rules, seat, groups)
KERNEL: tuple[Check, ...] = (serial_driver, transfer_memory, autosuspend)
