"""The roster of a bench: who is to get a phone, and which one, if that is settled."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from usbprov.phone.contract import PhoneIdentity


@dataclass(frozen=True)
class RosterEntry:
    """One user of the roster. There is never a PIN in it.

    Attributes:
        line: Its line in the file, from 1, or its row in the workbook.
        extension: Extension or phone number that goes with a PIN: digits, perhaps with a plus; ""
            where the roster has none.
        sip_uri: ``sip:alice@contoso.com``, in lower case; None: the ticket names the user.
        serial: Serial number of the one phone that this user gets, or None.
        mac: Its MAC address, lower-case hex with colons, or None.
        port: Label of the port at which it is plugged in, or None.
        display_name: What people call the user, or None.
    """

    line: int
    extension: str
    sip_uri: str | None = None
    serial: str | None = None
    mac: str | None = None
    port: str | None = None
    display_name: str | None = None

    @property
    def key(self) -> str:
        """The user's name in the ledger's claims, the same whatever line he is on."""
        return self.sip_uri or f"extension:{self.extension}"

    @property
    def name(self) -> str:
        """What a board calls the user."""
        return self.display_name or self.extension or (self.sip_uri or "")

    def __str__(self) -> str:
        return self.sip_uri or f"extension {self.extension}"

    @property
    def is_bound(self) -> bool:
        """Whether the roster says which phone the user gets."""
        return bool(self.serial or self.mac)

    def agrees(self, phone: PhoneIdentity) -> bool:
        """Say whether everything that the roster says of the user's phone is true of this one."""
        return all(mine == its for mine, its in self._compared(phone))

    def names(self, phone: PhoneIdentity) -> bool:
        """Say whether the roster names this phone by at least one of its two numbers."""
        return any(mine == its for mine, its in self._compared(phone))

    def _compared(self, phone: PhoneIdentity) -> Iterator[tuple[str, str]]:
        if self.serial:
            yield self.serial.casefold(), phone.serial.casefold()
        if self.mac:
            yield self.mac, phone.mac.lower()


@dataclass(frozen=True)
class Roster:
    """All users that are to be served.

    Attributes:
        key: The roster's stable name in the ledger. By default the file's name without folder and
            ending, in lower case: a choice, so that a roster that was edited, or lies in another
            folder on another bench, goes on where it was.
        entries: In the file's order.
    """

    key: str
    entries: tuple[RosterEntry, ...]
    _pins: Mapping[int, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def holds_pins(self) -> bool:
        """Whether the roster itself has PINs, so that its file is a secret."""
        return bool(self._pins)

    def pin_of(self, entry: RosterEntry) -> str | None:
        """Return the PIN that stands in the user's line, if one does."""
        return self._pins.get(entry.line)
