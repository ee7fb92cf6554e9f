"""Can the bench begin with this roster: has every line what the chosen ways of working need?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from usbprov.bench.assignment import AssignBy
from usbprov.bench.portmap import PortMap
from usbprov.bench.roster import Roster, RosterEntry
from usbprov.bench.rosterfile.findings import Finding, errors_of
from usbprov.bench.rosterfile.reading import RosterReading
from usbprov.bench.secrets import FilePins, Secrets
from usbprov.errors import RosterInvalid


@dataclass(frozen=True)
class Choices:
    """How the bench is to work.

    Attributes:
        by: How a phone's user is found.
        secrets: By what users are proved.
        keyed_in: Whether PINs that no file has are keyed in while the bench runs.
        port_map: What the ports are called, or None where there is no map.
    """

    by: AssignBy
    secrets: Secrets
    keyed_in: bool = False
    port_map: PortMap | None = None


def ready(reading: RosterReading, choices: Choices) -> Roster:
    """Return the roster, if nothing is wrong with it and nothing is missing.

    Raises:
        RosterInvalid: Something is; it has all of it.
    """
    findings = errors_of([*reading.findings, *shortcomings(reading.roster, choices)])
    if findings:
        problems = tuple(map(str, findings))
        raise RosterInvalid(str(reading.path), len(problems), problems[0], problems)
    return reading.roster


def shortcomings(roster: Roster, choices: Choices) -> Iterator[Finding]:
    """Yield what the roster lacks, line after line, then what is worth knowing."""
    for entry in roster.entries:
        yield from _ASSIGNED[choices.by](entry, choices)
        yield from _proved(entry, choices)
    yield from _strangers(roster, choices.secrets)


def _needs_phone(entry: RosterEntry, _choices: Choices) -> Iterator[Finding]:
    if not entry.is_bound:
        yield Finding(entry.line, "", "--assign serial needs a serial number or MAC address")


def _needs_port(entry: RosterEntry, choices: Choices) -> Iterator[Finding]:
    if not entry.port:
        yield Finding(entry.line, "", "--assign port needs a port")
    elif choices.port_map is not None and choices.port_map.address_of(entry.port) is None:
        yield Finding(entry.line, "", f"the port map has no port {entry.port}")


def _needs_nothing(_entry: RosterEntry, _choices: Choices) -> Iterator[Finding]:
    return iter(())


_ASSIGNED: Mapping[AssignBy, Callable[[RosterEntry, Choices], Iterator[Finding]]] = {
    AssignBy.SERIAL: _needs_phone,
    AssignBy.PORT: _needs_port,
    AssignBy.NEXT: _needs_nothing,
    AssignBy.SCAN: _needs_nothing,
}


def _proved(entry: RosterEntry, choices: Choices) -> Iterator[Finding]:
    if choices.secrets.account is not None:
        if entry.sip_uri is None:
            yield Finding(entry.line, "", _NOT_WHOSE)
    elif not entry.extension:
        yield Finding(entry.line, "", "there is no extension, and a PIN goes with one")
    elif choices.secrets.lacks(entry):
        yield _without_pin(entry, choices)


_NOT_WHOSE = "with one account for all (--login) every line needs a SIP address"


def _without_pin(entry: RosterEntry, choices: Choices) -> Finding:
    if choices.keyed_in:
        return Finding(entry.line, "", "there is no PIN: it is keyed in", is_error=False)
    remedy = "Add it to the secrets file (--secrets), or run with --key-in-pins."
    return Finding(entry.line, "", "there is no PIN", remedy=remedy)


def _strangers(roster: Roster, secrets: Secrets) -> Iterator[Finding]:
    files: Sequence[FilePins] = [pins for pins in secrets.pins if isinstance(pins, FilePins)]
    for pins in files:
        count = len(pins.strangers(roster))
        if count:
            words = f"{pins.path.name} has {count} PINs of extensions that are not on the roster"
            yield Finding(0, "", words, is_error=False)
