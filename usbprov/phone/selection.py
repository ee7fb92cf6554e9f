"""Which of the attached phones is meant: port path, ``serial:``, ``mac:``, or the only one."""

from collections.abc import Callable, Mapping, Sequence

from usbprov.errors import (
    AmbiguousPhone,
    NoPhone,
    NoSuchPhone,
    PhoneError,
    UsbError,
)
from usbprov.phone.candidates import Candidate
from usbprov.phone.holding import hold
from usbprov.usb.devices import Bus


def select(found: Sequence[Candidate], selector: str | None, buses: Sequence[Bus]) -> Candidate:
    """Return the one phone that ``selector`` names, or the only one when it is None.

    Phones that can only be detected count as long as no other is attached.

    Raises:
        NoPhone: No phone is attached.
        NoSuchPhone: The selector fits none.
        AmbiguousPhone: It fits several, or is None and several are attached.
    """
    phones = [candidate for candidate in found if candidate.driver is not None]
    fitting = _likely(phones) if selector is None else _fitting(found, selector)
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and selector is not None and found:
        raise NoSuchPhone(selector, _listed(phones or found))
    if not fitting:
        raise NoPhone(", ".join(bus.uri for bus in buses))
    raise AmbiguousPhone(selector or "no PHONE was named, and the job", _listed(fitting))


def _likely(phones: Sequence[Candidate]) -> Sequence[Candidate]:
    able = [c for c in phones if c.driver is not None and not c.driver.detects_only]
    return able or phones


def _listed(found: Sequence[Candidate]) -> tuple[str, ...]:
    return tuple(_describe(candidate) for candidate in found)


def _describe(candidate: Candidate) -> str:
    facts = candidate.facts
    words = [candidate.address, facts.product or "unnamed device"]
    return "  ".join([*words, f"serial:{facts.serial}"] if facts.serial else words)


def _fitting(found: Sequence[Candidate], selector: str) -> list[Candidate]:
    prefix, colon, value = selector.partition(":")
    matcher = _MATCHERS.get(prefix.lower()) if colon else None
    if matcher is None:
        return [c for c in found if selector in (c.facts.port_path, c.address)]
    return [c for c in found if matcher(c, value)]


def _has_serial(candidate: Candidate, serial: str) -> bool:
    return candidate.facts.serial == serial


def _has_mac(candidate: Candidate, mac: str) -> bool:
    """Ask the phone: its MAC is known only over its own protocol."""
    if candidate.driver is None or candidate.facts.problem:
        return False
    try:
        with hold(candidate) as held:
            return _digits(held.phone.identity().mac) == _digits(mac)
    except (UsbError, PhoneError):  # a neighbour's trouble is not the trouble of the one meant
        return False


def _digits(mac: str) -> str:
    return "".join(c for c in mac.lower() if c.isalnum())


_MATCHERS: Mapping[str, Callable[[Candidate, str], bool]] = {
    "serial": _has_serial,
    "mac": _has_mac,
}
