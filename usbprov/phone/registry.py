"""The drivers that are installed, found by entry point; nothing here knows a family by name."""

import logging
from functools import cache
from importlib.metadata import entry_points

from usbprov.phone.contract import Driver
from usbprov.usb.devices import DeviceFacts

GROUP = "usbprov.drivers"

logger = logging.getLogger(__name__)


@cache
def drivers() -> tuple[Driver, ...]:
    """Load every driver, in the order of their names; one that cannot be loaded is left out."""
    found: list[Driver] = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            found.append(entry.load())
        except Exception:  # a foreign package's fault must not stop the other drivers
            logger.exception("driver %s (%s) cannot be loaded", entry.name, entry.value)
    return tuple(found)


def driver_for(facts: DeviceFacts) -> Driver | None:
    """Return the first driver that recognises the device, or None."""
    return next((driver for driver in drivers() if recognises(driver, facts)), None)


def recognises(driver: Driver, facts: DeviceFacts) -> bool:
    """Say whether a row of the driver's table fits the device."""
    return any(match.fits(facts) for match in driver.matches)
