"""``usbprov check host``: is this computer ready to open phones?"""

from typing import TYPE_CHECKING

import click

from usbprov.cli.checks import show_checks
from usbprov.cli.options import json_option

if TYPE_CHECKING:
    from usbprov.checks import CheckResult
    from usbprov.usb.devices import DeviceFacts


@click.command("host")
@json_option
def check_host(as_json: bool) -> None:
    """Check this computer: libusb, rights, neighbours that grab phones, limits.

    Every check says what it saw and, where something is wrong, the command that mends it. Only
    root sees which process of another user holds a phone.

    \b
    Examples:
      usbprov check host
      sudo usbprov check host --json
    """
    show_checks(host_results(), as_json=as_json)


def host_results() -> "tuple[CheckResult, ...]":
    """Make the checks of this computer."""
    from usbprov.cli.rules import rules
    from usbprov.usb.computer import Computer
    from usbprov.usb.host_checks import Subject, run_checks
    from usbprov.usb.neighbours import applicable_checks

    subject = Subject(Computer.here(), rules(), _phones())
    return tuple(run_checks(subject, applicable_checks()))


def _phones() -> "tuple[DeviceFacts, ...]":
    """Return the facts of the phones that are attached to this computer, if it can be searched."""
    from usbprov.errors import UsbError
    from usbprov.phone.registry import driver_for
    from usbprov.usb.buses import DEFAULT_BUS, open_bus

    try:
        found = [device.facts for device in open_bus(DEFAULT_BUS).devices()]
    except UsbError:
        return ()
    drivers = [(facts, driver_for(facts)) for facts in found]
    return tuple(f for f, driver in drivers if driver is not None and not driver.detects_only)
