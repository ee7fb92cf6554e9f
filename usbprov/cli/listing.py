"""What ``usbprov list`` says of a device: a row, a line, a document."""

from collections.abc import Iterator, Mapping
from typing import Any

from usbprov.cli import documents
from usbprov.phone.candidates import address_of
from usbprov.phone.contract import Driver
from usbprov.phone.registry import driver_for
from usbprov.usb.devices import DeviceFacts, LinkKind

HEADS = ("PHONE", "PRODUCT", "SERIAL", "USB ID", "DRIVER", "LINK", "NOTE")

_VENDOR_CLASS = 0xFF
_HELPLESS = "cannot be provisioned over USB"


def row(facts: DeviceFacts) -> tuple[str, ...]:
    """Return what stands under ``HEADS``."""
    driver = driver_for(facts)
    return (
        address_of(facts),
        facts.product or "-",
        facts.serial or "-",
        f"{facts.vendor_id:04x}:{facts.product_id:04x}",
        driver.family if driver else "-",
        ", ".join(_links(facts, driver)) or "-",
        _note(facts, driver),
    )


def line(facts: DeviceFacts) -> str:
    """Return address, product, serial number, and the note if there is one."""
    words = row(facts)
    return "  ".join([*words[:3], *filter(None, words[-1:])])


def document(facts: DeviceFacts) -> Mapping[str, Any]:
    """Return what docs/json.md says of ``list``."""
    return documents.listed(facts, driver_for(facts))


def _links(facts: DeviceFacts, driver: Driver | None) -> Iterator[str]:
    """Yield the ways to the device: the interface that its driver would claim, and the ports."""
    matches = driver.matches if driver and not driver.detects_only else ()
    if any(
        m.interface and m.interface[0] == _VENDOR_CLASS and m.interface_of(facts) for m in matches
    ):
        yield LinkKind.BULK
    for port in facts.serial_ports:
        yield f"{LinkKind.SERIAL} {port.path}"


def _note(facts: DeviceFacts, driver: Driver | None) -> str:
    if facts.problem:
        return facts.problem
    return _HELPLESS if driver and driver.detects_only else ""
