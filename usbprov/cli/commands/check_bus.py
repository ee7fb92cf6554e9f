"""``usbprov check bus``: room for more phones?"""

from typing import TYPE_CHECKING

import click

from usbprov.cli.options import json_option

if TYPE_CHECKING:
    from usbprov.checks import CheckResult
    from usbprov.cli.documents import Document
    from usbprov.usb.capacity import Budget, Capacity, Controller, PhoneKind, Resource, Room
    from usbprov.usb.sysfs import SysfsDevice

_ASSUMED = "* assumed, or reported by users; as root more is read from the controllers."


@click.command("bus")
@click.option(
    "--kind",
    type=click.Choice(["bulk", "serial", "both"]),
    help="The interfaces of the phones to come; by default as of those that are attached.",
)
@click.option(
    "--phones",
    type=click.IntRange(min=1),
    help="How many more phones there must be room for.",
)
@json_option
def check_bus(kind: str | None, phones: int | None, as_json: bool) -> None:
    """Check how many more phones the USB controllers of this computer have room for.

    Counted are addresses, device slots, endpoints, tiers, ports and power, from what Linux tells in
    /sys. A controller does not tell how many endpoints it has room for: what is assumed is said.

    \b
    Examples:
      usbprov check bus
      usbprov check bus --kind serial --phones 40
      sudo usbprov check bus --json
    """
    from usbprov.cli.checks import show_checks
    from usbprov.usb import bus_checks

    tree, capacity = _survey(kind)
    if capacity.controllers and not as_json:
        click.echo(_table(capacity) + "\n")
    show_checks(
        bus_checks.check_bus(tree, capacity, phones),
        as_json=as_json,
        more=_document(capacity),
    )


def bus_results() -> "list[CheckResult]":
    """Make the checks of the controllers, for phones like those that are attached."""
    from usbprov.usb import bus_checks

    return list(bus_checks.check_bus(*_survey(None), None))


def _survey(kind: str | None) -> "tuple[tuple[SysfsDevice, ...], Capacity]":
    from usbprov.usb.capacity import survey
    from usbprov.usb.controllers import read_limits, usbfs_memory
    from usbprov.usb.sysfs import read_tree

    tree = read_tree()
    return tree, survey(tree, _kind(kind, tree), read_limits(tree), usbfs_memory())


def _kind(name: str | None, tree: "tuple[SysfsDevice, ...]") -> "PhoneKind":
    """Return what was asked for, else what the attached phones are, else a phone with both."""
    from usbprov.usb.capacity import KINDS, kind_of

    if name:
        return KINDS[name]
    return kind_of(device for device in tree if _is_phone(device)) or KINDS["both"]


def _is_phone(device: "SysfsDevice") -> bool:
    from usbprov.phone.registry import driver_for
    from usbprov.usb.buses import DEFAULT_BUS
    from usbprov.usb.linux_bus import facts_of

    driver = driver_for(facts_of(device, DEFAULT_BUS))
    return driver is not None and not driver.detects_only


def _table(capacity: "Capacity") -> str:
    from usbprov.cli.text import table
    from usbprov.usb.capacity import MAX_TIER, Resource

    counted = (Resource.ADDRESSES, Resource.SLOTS, Resource.ENDPOINTS)
    heads = ("CONTROLLER", "DEVICES", "HUBS", "TIERS", "ADDRESSES", "SLOTS", "ENDPOINTS", "ROOM")
    rows = [
        (
            controller.name,
            str(len(controller.devices)),
            str(len(controller.hubs)),
            f"{controller.tiers}/{MAX_TIER}",
            *(_share(controller, resource) for resource in counted),
            f"({controller.room.phones})" if controller.aside else str(controller.room.phones),
        )
        for controller in capacity.controllers
    ]
    text = table(heads, rows)
    return f"{text}\n{_ASSUMED}" if "*" in text else text


def _share(controller: "Controller", resource: "Resource") -> str:
    from usbprov.usb.controllers import Basis

    budget = next((b for b in controller.budgets if b.resource is resource), None)
    if budget is None:
        return "-"
    unsure = budget.limit.basis in {Basis.ASSUMED, Basis.REPORTED}
    return f"{budget.used}/{budget.limit.value}{'*' if unsure else ''}"


def _document(capacity: "Capacity") -> "Document":
    return {
        "kind": dict(vars(capacity.kind)),
        "room": _room(capacity.room),
        "shared": [_budget(budget) for budget in capacity.shared],
        "controllers": [
            {
                "name": controller.name,
                "driver": controller.driver,
                "buses": list(controller.buses),
                "hubs": [hub.name for hub in controller.hubs],
                "devices": [device.name for device in controller.devices],
                "tiers": controller.tiers,
                "free_ports": controller.free_ports,
                "takes_hubs": controller.takes_hubs,
                "budgets": [_budget(budget) for budget in controller.budgets],
                "room": _room(controller.room),
                "aside": controller.aside or None,
            }
            for controller in capacity.controllers
        ],
    }


def _room(room: "Room") -> "Document":
    return {"phones": room.phones, "bound_by": room.bound.value}


def _budget(budget: "Budget") -> "Document":
    return {
        "what": budget.resource.value,
        "used": budget.used,
        "limit": budget.limit.value,
        "basis": budget.limit.basis.value,
        "per_phone": budget.phone,
    }
