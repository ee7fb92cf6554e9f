"""Which of the attached phones is meant: port path, ``serial:``, ``mac:``, or the only one."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from usbprov.errors import (
    AmbiguousPhone,
    NoDriver,
    NoPhone,
    NoSuchPhone,
    PhoneError,
    UsbError,
)
from usbprov.phone.contract import Driver, Phone
from usbprov.phone.registry import driver_for
from usbprov.usb.devices import AttachedDevice, Bus, DeviceFacts


@dataclass(frozen=True)
class Candidate:
    """A device on a bus, and the driver that speaks to it, if there is one."""

    device: AttachedDevice
    driver: Driver | None

    @property
    def facts(self) -> DeviceFacts:
        """Where the device is and what it says of itself."""
        return self.device.facts

    def open(self) -> Phone:
        """Open the phone; raises ``NoDriver`` and what ``Driver.open`` raises."""
        if self.driver is None:
            raise NoDriver(self.facts.name)
        return self.driver.open(self.device)


def candidates(devices: Iterable[AttachedDevice]) -> list[Candidate]:
    """Join every device with its driver."""
    return [Candidate(device, driver_for(device.facts)) for device in devices]


def select(found: Sequence[Candidate], selector: str | None, buses: Sequence[Bus]) -> Candidate:
    """Return the one phone that ``selector`` names, or the only one when it is None.

    Raises:
        NoPhone: No phone is attached.
        NoSuchPhone: The selector fits none.
        AmbiguousPhone: It fits several, or is None and several are attached.
    """
    phones = [candidate for candidate in found if candidate.driver is not None]
    fitting = phones if selector is None else _fitting(found, selector)
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and selector is not None and found:
        raise NoSuchPhone(selector, _listed(phones or found))
    if not fitting:
        raise NoPhone(", ".join(bus.uri for bus in buses))
    raise AmbiguousPhone(selector or "no PHONE was named, and the job", _listed(fitting))


def _listed(found: Sequence[Candidate]) -> tuple[str, ...]:
    return tuple(_describe(candidate.facts) for candidate in found)


def _describe(facts: DeviceFacts) -> str:
    words = [qualified(facts), facts.product or "unnamed device"]
    return "  ".join([*words, f"serial:{facts.serial}"] if facts.serial else words)


def qualified(facts: DeviceFacts) -> str:
    """Return the address that is unique over all buses: ``1-1``, or ``usbip://host:port/1-1``."""
    return facts.port_path if facts.bus == "kernel" else f"{facts.bus}/{facts.port_path}"


def _fitting(found: Sequence[Candidate], selector: str) -> list[Candidate]:
    prefix, colon, value = selector.partition(":")
    matcher = _MATCHERS.get(prefix.lower()) if colon else None
    if matcher is None:
        return [c for c in found if selector in (c.facts.port_path, qualified(c.facts))]
    return [c for c in found if matcher(c, value)]


def _has_serial(candidate: Candidate, serial: str) -> bool:
    return candidate.facts.serial == serial


def _has_mac(candidate: Candidate, mac: str) -> bool:
    """Ask the phone: its MAC is known only over its own protocol."""
    if candidate.driver is None or candidate.facts.problem:
        return False
    try:
        with contextlib.closing(candidate.open()) as phone:
            return _digits(phone.info().mac) == _digits(mac)
    except (UsbError, PhoneError):  # a neighbour's trouble is not the trouble of the one meant
        return False


def _digits(mac: str) -> str:
    return "".join(c for c in mac.lower() if c.isalnum())


_MATCHERS: Mapping[str, Callable[[Candidate, str], bool]] = {
    "serial": _has_serial,
    "mac": _has_mac,
}
