"""The udev rules of the drivers that are installed."""

from usbprov.phone.registry import drivers
from usbprov.usb.udev_rules import RulesFile, rules_files


def rules() -> tuple[RulesFile, ...]:
    """Make the rules of every driver that can give its phones something.

    Nobody needs to write to the phones of a driver that only detects, so they get no rights.
    """
    return rules_files({d.family: d.matches for d in drivers() if not d.detects_only})
