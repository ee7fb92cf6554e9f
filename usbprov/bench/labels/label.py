"""What stands on a label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from usbprov.bench.report.facts import PhoneLine, Standing
from usbprov.bench.roster import RosterEntry


@dataclass(frozen=True)
class Label:
    """The words of one label.

    Attributes:
        name: What people call the user; his address where nobody has said.
        extension: Extension, or "" where the ledger has none.
        address: The user's SIP address without its scheme.
        mac: MAC address, twelve digits in upper-case hex: what both codes hold.
    """

    name: str
    extension: str
    address: str
    mac: str

    @property
    def mac_shown(self) -> str:
        """The MAC address in pairs, as it is read out."""
        return ":".join(self.mac[at : at + 2] for at in range(0, len(self.mac), 2))


@dataclass(frozen=True)
class Size:
    """A label's width and height in millimetres."""

    width: float
    height: float


SMALLEST, LARGEST = Size(50, 20), Size(200, 280)
"""Bar codes on smaller ones could not be read; larger ones are no labels."""


def labels_of(phones: Iterable[PhoneLine], roster: Sequence[RosterEntry] = ()) -> list[Label]:
    """Make a label for each phone that is done and has a MAC address, sorted by extension and name.

    Args:
        phones: Those of the report.
        roster: Whose display names are used.
    """
    made = [
        _label(phone, roster) for phone in phones if phone.standing is Standing.DONE and phone.mac
    ]
    return sorted(made, key=lambda label: (len(label.extension), label.extension, label.name))


def _label(phone: PhoneLine, roster: Sequence[RosterEntry]) -> Label:
    address = (phone.user or "").removeprefix("sip:")
    extension = phone.extension or ""
    entry = next((entry for entry in roster if _is_of(entry, phone)), None)
    name = (entry and entry.display_name) or address or extension
    return Label(name, extension, address, phone.mac.replace(":", "").upper())


def _is_of(entry: RosterEntry, phone: PhoneLine) -> bool:
    if entry.sip_uri and phone.user:
        return entry.sip_uri.lower() == phone.user.lower()
    return bool(entry.extension) and entry.extension == phone.extension
