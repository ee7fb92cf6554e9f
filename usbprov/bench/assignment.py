"""Who gets the phone that was just plugged in: by its number, its port, or the next in line.

Pure: an assigner is asked, and answers; it does no I/O, has no clock and no thread. Claims and
what was done before are the ledger's; what is free is handed in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from usbprov.bench.roster import Roster, RosterEntry
from usbprov.phone.contract import PhoneIdentity


class AssignBy(StrEnum):
    """The ways to find a phone's user, as ``--assign`` names them."""

    SERIAL = "serial"
    """The roster names the phone, by serial number or MAC address."""
    PORT = "port"
    """The roster names the port."""
    NEXT = "next"
    """The next on the roster."""
    SCAN = "scan"
    """Someone scans the phone, then the badge of its user."""


@dataclass(frozen=True)
class Wait:
    """It is not known yet.

    Attributes:
        hand: What a hand must do at the phone.
    """

    hand: str


@dataclass(frozen=True)
class Refuse:
    """This phone gets no user.

    Attributes:
        why: The reason, for the board.
        remedy: What to do.
    """

    why: str
    remedy: str = ""


Assignment = RosterEntry | Wait | Refuse


class Assigner(Protocol):
    """Finds a phone's user. Not thread-safe: the bench asks one question after the other."""

    def assign(self, phone: PhoneIdentity, label: str, free: Sequence[RosterEntry]) -> Assignment:
        """Say who gets a phone.

        Args:
            phone: Which phone it is, as it says itself.
            label: The label of its port.
            free: Who may get a phone now, in the order in which they are to be served.
        """
        ...


@dataclass(frozen=True)
class BySerial:
    """The roster names the phone by serial number, MAC address or both."""

    roster: Roster

    def assign(self, phone: PhoneIdentity, label: str, free: Sequence[RosterEntry]) -> Assignment:
        """Return the one user whose line names this phone."""
        lines = [entry for entry in self.roster.entries if entry.names(phone)]
        if not lines:
            return Refuse(f"no line of the roster names {phone}", _ADD_PHONE)
        if len(lines) > 1 or not lines[0].agrees(phone):
            return _contradiction(phone, lines)
        return _if_free(lines[0], free)


@dataclass(frozen=True)
class ByPort:
    """The roster names the port."""

    roster: Roster

    def assign(self, phone: PhoneIdentity, label: str, free: Sequence[RosterEntry]) -> Assignment:
        """Return the user whose line names this port, unless it is to be another phone."""
        lines = [e for e in self.roster.entries if e.port and e.port.casefold() == label.casefold()]
        if not lines:
            return Refuse(f"no line of the roster names port {label}", _ADD_PORT)
        other = reserved(lines[0], phone, self.roster)
        return other or _if_free(lines[0], free)


@dataclass(frozen=True)
class Next:
    """The next on the roster who is not kept for another phone."""

    roster: Roster

    def assign(self, phone: PhoneIdentity, label: str, free: Sequence[RosterEntry]) -> Assignment:
        """Return who is named together with this phone, else the first whose line names none."""
        named = [entry for entry in self.roster.entries if entry.names(phone)]
        if named:
            return BySerial(self.roster).assign(phone, label, free)
        unbound = next((entry for entry in free if not entry.is_bound), None)
        return unbound or Refuse("everybody on the roster has a phone or is getting one", _NO_MORE)


_ADD_PHONE = "Put this phone aside, or add its serial number or MAC address to a user's line."
_ADD_PORT = "Plug it in at another port, or add this port to a user's line."
_NO_MORE = "Put this phone aside; it is one too many."
_HAS_ONE = "Put this phone aside, or run with --again if a user is to get a second phone."


def reserved(entry: RosterEntry, phone: PhoneIdentity, roster: Roster) -> Refuse | None:
    """Say why a user must not get this phone, by what the roster says; None: nothing is said."""
    if entry.is_bound and not entry.agrees(phone):
        words = f"line {entry.line} keeps {entry} for another phone than {phone}"
        return Refuse(words, "Plug in that phone, or correct the roster.")
    for other in roster.entries:
        if other.key != entry.key and other.names(phone):
            words = f"line {other.line} keeps this phone ({phone}) for {other}"
            return Refuse(words, "Give it to that user, or correct the roster.")
    return None


def _contradiction(phone: PhoneIdentity, lines: Sequence[RosterEntry]) -> Refuse:
    where = " and ".join(f"line {entry.line}" for entry in lines)
    words = f"serial number and MAC address do not agree: the phone says {phone}; see {where}"
    return Refuse(words, "Compare with the phone's label, and correct the roster.")


def _if_free(entry: RosterEntry, free: Sequence[RosterEntry]) -> Assignment:
    if entry in free:
        return entry
    return Refuse(f"{entry} has a phone already, or is getting one", _HAS_ONE)


STEADY: Mapping[AssignBy, Callable[[Roster], Assigner]] = {
    AssignBy.SERIAL: BySerial,
    AssignBy.PORT: ByPort,
    AssignBy.NEXT: Next,
}
"""The ways that need nobody's hand; ``usbprov.bench.scanning`` has the other."""
