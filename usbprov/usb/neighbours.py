"""``check host``, second half: the programs that get at phones before us, and who has one now."""

import sys
from collections.abc import Iterator, Mapping

from usbprov.checks import CheckResult, Verdict
from usbprov.usb.computer import Computer
from usbprov.usb.devices import DeviceFacts
from usbprov.usb.holders import Holder, holders_of, processes_named
from usbprov.usb.host_checks import KERNEL, PORTABLE, RIGHTS, Check, Subject, rules_are_right
from usbprov.usb.sysfs import read_device, read_tree
from usbprov.usb.udev_files import INSTALL


def modemmanager(subject: Subject) -> Iterator[CheckResult]:
    """Whether ModemManager will try phones for modems."""
    name = "ModemManager"
    running = processes_named(name, subject.computer.path("proc"))
    if not running:
        yield CheckResult(name, Verdict.GOOD, "does not run")
    elif rules_are_right(subject):
        yield CheckResult(name, Verdict.GOOD, "runs, and the rules keep it off phones")
    else:
        cause = "It sends modem commands to every new serial port, for up to 30 seconds."
        remedy = f"{INSTALL} (or: sudo systemctl stop ModemManager)"
        seen = f"runs ({_listed(running)}), and no rules keep it off phones"
        yield CheckResult(name, Verdict.BAD, seen, cause, remedy)


def usbguard(subject: Subject) -> Iterator[CheckResult]:
    """Whether this computer refuses USB devices."""
    computer = subject.computer
    runs = bool(processes_named("usbguard-daemon", computer.path("proc")))
    blocked = [d.name for d in read_tree(computer.path("sys")) if not d.authorized]
    who = "runs" if runs else "does not run"
    if blocked:
        seen = f"usbguard {who}; refused: {', '.join(blocked)}"
        cause = "New devices are refused until somebody allows them."
        remedy = "; ".join(_allow(name, usbguard_runs=runs) for name in blocked)
        yield CheckResult("usbguard", Verdict.BAD, seen, cause, remedy)
    elif runs:
        cause = "A phone that is plugged in may be refused, and is then not listed by its name."
        remedy = _allow("PORT", usbguard_runs=True)
        yield CheckResult("usbguard", Verdict.NOTE, "runs; no device is refused", cause, remedy)
    else:
        yield CheckResult("usbguard", Verdict.GOOD, "does not run; no device is refused")


def _allow(port: str, *, usbguard_runs: bool) -> str:
    if usbguard_runs:
        return f"sudo usbguard allow-device -p 'via-port \"{port}\"'"
    return f"echo 1 | sudo tee /sys/bus/usb/devices/{port}/authorized"


def brltty(subject: Subject) -> Iterator[CheckResult]:
    """Whether the driver of Braille displays takes serial adapters."""
    running = processes_named("brltty", subject.computer.path("proc"))
    if not running:
        yield CheckResult("brltty", Verdict.GOOD, "does not run")
        return
    cause = "It takes serial adapters (CH340, CP210x, FTDI) for Braille displays."
    remedy = "If nobody needs Braille here: sudo systemctl stop brltty.service"
    yield CheckResult("brltty", Verdict.NOTE, f"runs ({_listed(running)})", cause, remedy)


def phones(subject: Subject) -> Iterator[CheckResult]:
    """Whether each attached phone could be opened now, and if not, why not."""
    for facts in subject.phones:
        for node in _nodes(subject.computer, facts):
            yield _node(subject, facts, node)


def _nodes(computer: Computer, facts: DeviceFacts) -> Iterator[str]:
    device = read_device(facts.port_path, computer.path("sys"))
    if device is not None:
        yield f"dev/{device.node}"
    for port in facts.serial_ports:
        yield port.path.lstrip("/")


def _node(subject: Subject, facts: DeviceFacts, node: str) -> CheckResult:
    computer = subject.computer
    name, path = f"phone {facts.port_path}", computer.path(node)
    holders = holders_of(str(path), computer.path("proc"))
    if not path.exists():
        return CheckResult(name, Verdict.UNKNOWN, f"/{node} is not there")
    if not computer.may_open(path):
        seen = f"no permission to open /{node}"
        if rules_are_right(subject):
            cause = "The rules are there, but this session has neither seat nor group."
            return CheckResult(name, Verdict.BAD, seen, cause, "See seat and groups above.")
        cause = "The rules that let users open phones are missing."
        return CheckResult(name, Verdict.BAD, seen, cause, f"{INSTALL}; then see seat and groups")
    if holders:
        seen = f"/{node} is held by {_listed(holders)}"
        cause = "Only one program at a time can work with a phone."
        return CheckResult(name, Verdict.BAD, seen, cause, _release(holders))
    return CheckResult(name, Verdict.GOOD, f"/{node} can be opened")


_SERVICES: Mapping[str, str] = {
    "ModemManager": "sudo systemctl stop ModemManager",
    "brltty": "sudo systemctl stop brltty.service",
}
"""How a program is stopped that would be started again if it were only killed."""


def _release(holders: tuple[Holder, ...]) -> str:
    ways = [_SERVICES.get(holder.name, f"kill {holder.pid}") for holder in holders]
    return "Let it finish, or: " + "; ".join(dict.fromkeys(ways))


def _listed(processes: tuple[Holder, ...]) -> str:
    return ", ".join(map(str, processes))


NEIGHBOURS: tuple[Check, ...] = (modemmanager, usbguard, brltty)
CHECKS: tuple[Check, ...] = (*PORTABLE, *RIGHTS, *NEIGHBOURS, *KERNEL, phones)
"""All checks of Linux, in the order in which their remedies are best followed."""


def applicable_checks() -> tuple[Check, ...]:
    """Return the checks that say something on this platform."""
    return CHECKS if sys.platform == "linux" else PORTABLE
