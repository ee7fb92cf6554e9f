"""Checks of the USB tree: what keeps phones out, or makes them slow, and what to do about it.

Pure: it looks at what ``usbprov.usb.sysfs.read_tree`` and ``usbprov.usb.capacity.survey`` found.
"""

from collections.abc import Iterator, Sequence

from usbprov.checks import CheckResult, Verdict
from usbprov.usb.capacity import MAX_TIER, Budget, Capacity, Controller, PhoneKind, Resource
from usbprov.usb.controllers import Basis
from usbprov.usb.descriptors import MalformedDescriptor, parse_configuration, total_length
from usbprov.usb.sysfs import SysfsDevice

_FULL_SPEED = 12
_HIGH_SPEED = 480
_SUPER_SPEED = 5000
_SINGLE_TT = 1
"""bDeviceProtocol of a high-speed hub with one transaction translator (USB 2.0, 11.23.1)."""

_BUS_POWERED_PORT_MA = 100
"""What each port of a hub without a supply of its own may give (USB 2.0, 7.2.1.1)."""

_DEVICE_DESCRIPTOR = 18
_SELF_POWERED = 0x40  # bmAttributes, bit 6 (USB 2.0, table 9-10)

_ANOTHER_CONTROLLER = (
    "Plug them into another controller: a PCIe card that has one of its own for each socket."
)
_REMEDIES = {
    Resource.ADDRESSES: _ANOTHER_CONTROLLER,
    Resource.SLOTS: f"{_ANOTHER_CONTROLLER} Hubs take device slots, USB 3 hubs two for each chip: "
    "few large USB 2.0 hubs leave more to the phones.",
    Resource.ENDPOINTS: f"{_ANOTHER_CONTROLLER} Keep devices that are no phones away from it.",
    Resource.PORTS: "Plug in a USB 2.0 hub with a supply of its own, in place of a phone.",
    Resource.SERIAL_PORTS: "Use phones with a vendor interface, which need no serial port.",
    Resource.USBFS_MEMORY: "echo 1000 | sudo tee /sys/module/usbcore/parameters/usbfs_memory_mb",
}


def check_bus(
    tree: Sequence[SysfsDevice], capacity: Capacity, wanted: int | None = None
) -> list[CheckResult]:
    """Check the tree and the room in it.

    Args:
        tree: All devices, as ``read_tree`` returns them.
        capacity: What ``survey`` found in it.
        wanted: How many more phones there must be room for.
    """
    if not capacity.controllers:
        return [_no_controllers()]
    return [
        *(_controller_room(c, capacity.kind) for c in capacity.controllers if not c.aside),
        *_aside(capacity),
        _whole_room(capacity, wanted),
        *_exceeded(capacity),
        _tiers(tree),
        _translators(tree),
        *_super_speed_hubs(tree),
        _power(tree),
        _configured(tree),
    ]


def _no_controllers() -> CheckResult:
    return CheckResult(
        "USB controllers",
        Verdict.UNKNOWN,
        "none to be seen in /sys/bus/usb",
        "This is not Linux, it has no USB, or it is a container that is not shown it.",
        "Count with the system's own tool (docs/platforms.md), or run this on the host itself.",
    )


def _controller_room(controller: Controller, kind: PhoneKind) -> CheckResult:
    bound = controller.room.bound
    name = f"room on {controller.name}"
    budget = next((b for b in controller.budgets if b.resource is bound), None)
    seen = f"{_phones(controller.room.phones)}; {_ends_first(controller, bound, budget)}"
    if controller.room.phones:
        return CheckResult(name, Verdict.GOOD, seen)
    return CheckResult(
        name,
        Verdict.NOTE,
        seen,
        f"A phone of this kind ({kind.name}) takes {kind.endpoints} endpoints.",
        _REMEDIES[bound],
    )


def _ends_first(controller: Controller, bound: Resource, budget: Budget | None) -> str:
    if budget is None:
        return f"then the {controller.free_ports} free ports are taken"
    basis = "" if budget.limit.basis is Basis.STANDARD else f" ({budget.limit.basis})"
    return f"{bound} end first: {budget.used} of {budget.limit.value}{basis} are taken"


def _aside(capacity: Capacity) -> Iterator[CheckResult]:
    for reason in dict.fromkeys(c.aside for c in capacity.controllers if c.aside):
        names = ", ".join(c.name for c in capacity.controllers if c.aside == reason)
        yield CheckResult("not counted", Verdict.NOTE, f"{names}: {reason}")


def _whole_room(capacity: Capacity, wanted: int | None) -> CheckResult:
    room, kind = capacity.room, capacity.kind
    seen = f"{_phones(room.phones)} of this kind ({kind.name}, {kind.endpoints} endpoints each)"
    if wanted is None or wanted <= room.phones:
        return CheckResult("room in all", Verdict.GOOD if room.phones else Verdict.NOTE, seen)
    return CheckResult(
        "room in all",
        Verdict.BAD,
        f"{seen}, but {wanted} are asked for",
        f"{room.bound.capitalize()} end first.",
        _REMEDIES[room.bound],
    )


def _phones(number: int) -> str:
    return f"for {number} more phone{'' if number == 1 else 's'}"


def _exceeded(capacity: Capacity) -> Iterator[CheckResult]:
    for controller in capacity.controllers:
        for budget in controller.budgets:
            if budget.used > budget.limit.value:
                yield CheckResult(
                    f"{budget.resource} of {controller.name}",
                    Verdict.NOTE,
                    f"{budget.used} are in use, though {budget.limit.value} are all that was "
                    f"thought to be there ({budget.limit.basis})",
                    "This controller carries more than is known of its like.",
                    "`usbprov check bus --json` shows what it has: please report it.",
                )


def _tiers(tree: Sequence[SysfsDevice]) -> CheckResult:
    last = max(device.tier for device in tree)
    too_deep = [d.name for d in tree if d.is_hub and d.tier >= MAX_TIER]
    full = [d.name for d in tree if d.is_hub and d.tier == MAX_TIER - 1]
    seen = f"{last} of {MAX_TIER} are in use"
    if too_deep:
        seen += f"; the hub at {', '.join(too_deep)} is beyond the last but one and does not work"
        cause = "Only five hubs may be in a row; a hub of many ports is two or three of them."
        return CheckResult("tiers", Verdict.BAD, seen, cause, "Plug it in nearer to the computer.")
    if full:
        seen += f"; no further hub can be plugged into the one at {', '.join(full)}"
        return CheckResult("tiers", Verdict.NOTE, seen)
    return CheckResult("tiers", Verdict.GOOD, seen)


def _translators(tree: Sequence[SysfsDevice]) -> CheckResult:
    """Look for full-speed devices that share the one transaction translator of a hub."""
    crowded = []
    for hub in tree:
        if _is_high_speed_hub(hub) and hub.protocol == _SINGLE_TT:
            sharing = [d.name for d in tree if _translated_by(hub, d, tree)]
            crowded += [f"{hub.name} ({', '.join(sharing)})"] if len(sharing) > 1 else []
    name = "transaction translators"
    if not crowded:
        return CheckResult(name, Verdict.GOOD, "no full-speed devices share one")
    return CheckResult(
        name,
        Verdict.NOTE,
        f"full-speed devices share that of the hub at {'; '.join(crowded)}",
        "A hub with a single transaction translator gives them 12 Mbit/s between them.",
        "Use a hub with one for each port (multi-TT), or spread them over several hubs.",
    )


def _translated_by(hub: SysfsDevice, device: SysfsDevice, tree: Sequence[SysfsDevice]) -> bool:
    """Say whether ``hub`` is the high-speed hub that is nearest above a full-speed device."""
    if device.is_hub or not 0 < device.speed_mbps <= _FULL_SPEED:
        return False
    by_name = {d.name: d for d in tree}
    above = by_name.get(device.parent)
    while above is not None and not above.is_root_hub and above.speed_mbps < _HIGH_SPEED:
        above = by_name.get(above.parent)
    return above == hub


def _is_high_speed_hub(device: SysfsDevice) -> bool:
    return device.is_hub and not device.is_root_hub and device.speed_mbps == _HIGH_SPEED


def _super_speed_hubs(tree: Sequence[SysfsDevice]) -> Iterator[CheckResult]:
    hubs = [d.name for d in tree if _is_plugged_hub(d) and d.speed_mbps >= _SUPER_SPEED]
    if hubs:
        yield CheckResult(
            "USB 3 hubs",
            Verdict.NOTE,
            f"those at {', '.join(hubs)} take device slots and endpoints a second time",
            "A USB 3 hub is two hubs, one for each bus; phones use the USB 2.0 one only.",
            "USB 2.0 hubs in their place leave room for more phones.",
        )


def _is_plugged_hub(device: SysfsDevice) -> bool:
    return device.is_hub and not device.is_root_hub


def _power(tree: Sequence[SysfsDevice]) -> CheckResult:
    asked = {
        hub.name: [d for d in tree if d.parent == hub.name] for hub in tree if _is_plugged_hub(hub)
    }
    weak = {hub.name for hub in tree if _is_plugged_hub(hub) and _is_bus_powered(hub)}
    over = [d.name for name in weak for d in asked[name] if d.max_power_ma > _BUS_POWERED_PORT_MA]
    if over:
        return CheckResult(
            "power",
            Verdict.BAD,
            f"more than {_BUS_POWERED_PORT_MA} mA is asked for by {', '.join(sorted(over))}",
            f"The hub at {', '.join(sorted(weak))} has no supply of its own.",
            "Use hubs with a supply of their own, and plug the supply in.",
        )
    sums = {name: sum(d.max_power_ma for d in below) for name, below in asked.items()}
    most = max(sums, key=lambda name: sums[name], default=None)
    seen = "no hub without a supply is asked for more than it may give"
    if most and sums[most]:
        seen += f"; most is asked of the hub at {most}: {sums[most]} mA"
    return CheckResult("power", Verdict.GOOD, seen)


def _is_bus_powered(hub: SysfsDevice) -> bool:
    """Say whether a hub's active configuration says that it has no supply of its own."""
    rest = hub.descriptors[_DEVICE_DESCRIPTOR:]
    try:
        while rest:
            configuration = parse_configuration(rest)
            if configuration.bConfigurationValue == hub.configuration:
                return not configuration.bmAttributes & _SELF_POWERED
            rest = rest[max(1, total_length(rest)) :]
    except MalformedDescriptor:
        return False
    return False


def _configured(tree: Sequence[SysfsDevice]) -> CheckResult:
    refused = [d.name for d in tree if not d.authorized]
    idle = [d.name for d in tree if d.authorized and not d.configuration]
    if refused:
        return CheckResult(
            "configuration",
            Verdict.BAD,
            f"not let in: {', '.join(refused)}",
            "A program that guards USB (usbguard), or this kernel's own setting, keeps them out.",
            f"sudo usbguard allow-device -p 'via-port \"{refused[0]}\"' (see `usbprov check host`)",
        )
    if idle:
        return CheckResult(
            "configuration",
            Verdict.BAD,
            f"without a configuration: {', '.join(idle)}",
            "The controller had no endpoints or bandwidth left, or the hub not enough power.",
            f"sudo dmesg | grep -e 'usb {idle[0]}:' -e 'not enough host controller resources'",
        )
    return CheckResult("configuration", Verdict.GOOD, "every device has one")
