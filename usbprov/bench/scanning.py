"""Assignment by scan: a bar code of the phone, then the badge of its user. Pure, no I/O, no clock.

A scanner is a keyboard: a scan is a line of text. What it is shows by what is known: the phones
that are plugged in, the numbers on the roster, the users. A MAC address that nobody knows is taken
for a phone that will be plugged in later; any other unknown text is refused, since boxes carry many
bar codes.

What was scanned is never repeated as it is, unless it is known: it may be a PIN, keyed in at the
wrong moment.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from usbprov.bench.assignment import Assignment, Refuse, Wait, reserved
from usbprov.bench.roster import Roster, RosterEntry
from usbprov.bench.rosterfile import values
from usbprov.errors import ScanOutOfTurn, ScanRefused, ScanUnknown
from usbprov.phone.contract import PhoneIdentity

PATIENCE = 60.0
"""Seconds between the scan of a phone and that of the badge; then the first is forgotten."""

_LONGEST = 256
_AIM = re.compile(r"\][A-Za-z]\d")
"""The mark of the kind of bar code that some scanners send first (ISO/IEC 15424)."""

_SAID = re.compile(
    r"(?:MAC(?: ID| ADDRESS)?|S/?N|SERIAL(?: NO\.?| NUMBER)?)\s*[:=#]\s*", re.IGNORECASE
)
"""What labels print before a number: ``MAC:``, ``S/N:``."""

_PHONE_FIRST = "scan this phone, then the badge of its user"
_BADGE_NOW = "scan the badge of its user"


@dataclass(frozen=True)
class PhoneCode:
    """A phone as far as it is known: by the one number that was scanned, or, plugged in, by both.

    Attributes:
        serial: In small letters, or "".
        mac: Lower-case hex with colons, or "".
    """

    serial: str = ""
    mac: str = ""

    @classmethod
    def of(cls, phone: PhoneIdentity) -> "PhoneCode":
        """Return the code of a phone that is plugged in."""
        return cls(phone.serial.casefold(), phone.mac.lower())

    def fits(self, phone: PhoneIdentity) -> bool:
        """Say whether all that is known of it is true of this phone."""
        its = PhoneCode.of(phone)
        return self.serial in ("", its.serial) and self.mac in ("", its.mac)

    def shares(self, other: "PhoneCode") -> bool:
        """Say whether both have a number in common, and none in which they differ."""
        pairs = [(self.serial, other.serial), (self.mac, other.mac)]
        both = [(one, another) for one, another in pairs if one and another]
        return bool(both) and all(one == another for one, another in both)

    def __str__(self) -> str:
        return f"MAC {self.mac}" if self.mac else f"serial {self.serial}"


@dataclass(frozen=True)
class _Scanned:
    """The phone that was scanned last: what it is, how it is called, and when that was."""

    code: PhoneCode
    words: str
    at: float


@dataclass(frozen=True)
class _Pair:
    """Phone and user as two scans brought them together."""

    code: PhoneCode
    entry: RosterEntry


class ByScan:
    """Knows what was scanned, and which phone gets which user by that: ``--assign scan``.

    Not thread-safe. The bench tells what is plugged in by asking ``assign``, and what is unplugged.
    """

    def __init__(self, roster: Roster, patience: float = PATIENCE) -> None:
        """Begin with nothing scanned.

        Args:
            roster: Whose badges are known.
            patience: Seconds from a phone's scan to the badge's.
        """
        self._roster = roster
        self._patience = patience
        self._plugged: dict[str, PhoneIdentity] = {}
        self._scanned: _Scanned | None = None
        self._pairs: list[_Pair] = []
        self._begun: dict[PhoneIdentity, RosterEntry] = {}

    def assign(self, phone: PhoneIdentity, label: str, free: Sequence[RosterEntry]) -> Assignment:
        """Return who was scanned for this phone, or what a hand must scan now."""
        self._plugged[label] = phone
        begun = self._begun.get(phone)
        if begun is not None and begun in free:
            return begun
        self._begun.pop(phone, None)
        pair = self._last_scanned(phone)
        if pair is None:
            is_scanned = self._scanned is not None and self._scanned.code.fits(phone)
            return Wait(_BADGE_NOW if is_scanned else _PHONE_FIRST)
        refusal = reserved(pair.entry, phone, self._roster)
        if refusal is not None:
            return refusal
        if pair.entry not in free:
            words = f"{pair.entry} has got a phone since the badge was scanned"
            return Refuse(words, "Scan this phone again, then another badge.")
        self._begun[phone] = pair.entry
        return pair.entry

    def unplugged(self, label: str) -> None:
        """Note that nothing is at a port any more; what was scanned stays."""
        self._plugged.pop(label, None)

    def given_up(self, phone: PhoneIdentity) -> None:
        """Note that the phone's job has ended without effect: it may be scanned for another."""
        self._begun.pop(phone, None)

    def scan(self, text: str, now: float, free: Sequence[RosterEntry]) -> str:
        """Take a scan in; returns what it did, in words.

        Args:
            text: The line that the scanner sent.
            now: When that was, in seconds of any clock that only goes forward.
            free: Who may get a phone now.

        Raises:
            ScanUnknown: It is neither a phone nor a user that is known.
            ScanOutOfTurn: It is a badge, and no phone was scanned, or too long ago.
            ScanRefused: Phone or user must not be had.
        """
        said = _cleaned(text)
        late = self._forget_late(now)
        phone, user = self._phone(said), self._user(said)
        if user is not None and (self._scanned is not None or phone is None):
            return self._take_badge(user, free, late)
        if phone is not None:
            return self._take_phone(phone, now)
        raise ScanUnknown(_unknown(said))

    def expecting(self, now: float) -> str:
        """Return what is to be scanned now, in words."""
        if self._scanned is None or self._is_late(self._scanned, now):
            return "a phone"
        return f"the badge for {self._scanned.words}"

    def _last_scanned(self, phone: PhoneIdentity) -> _Pair | None:
        """Take out what was scanned for a phone; the last holds, if it was under two numbers."""
        found = [pair for pair in self._pairs if pair.code.fits(phone)]
        self._pairs = [pair for pair in self._pairs if pair not in found]
        return found[-1] if found else None

    def _is_late(self, scanned: _Scanned, now: float) -> bool:
        return now - scanned.at > self._patience

    def _forget_late(self, now: float) -> _Scanned | None:
        """Forget a phone that was scanned too long ago; returns it."""
        scanned = self._scanned
        if scanned is None or not self._is_late(scanned, now):
            return None
        self._scanned = None
        return scanned

    def _take_phone(self, code: PhoneCode, now: float) -> str:
        labels = [at for at, phone in self._plugged.items() if code.fits(phone)]
        if len(labels) > 1:
            where = " and ".join(labels)
            raise ScanRefused(f"the phones at {where} both say this number: scan the other one")
        label = labels[0] if labels else ""
        exact = PhoneCode.of(self._plugged[label]) if label else code
        self._refuse_begun(exact)
        words = f"the phone at {label}" if label else f"the phone with {code}"
        before, self._scanned = self._scanned, _Scanned(exact, words, now)
        instead = f" instead of {before.words}" if before and before.words != words else ""
        later = "" if label else ", which is not plugged in yet"
        return f"{words}{later}{instead}: now {_BADGE_NOW}"

    def _refuse_begun(self, code: PhoneCode) -> None:
        begun = next((e for p, e in self._begun.items() if code.fits(p)), None)
        if begun is not None:
            raise ScanRefused(f"the job of this phone has begun, for {begun}")

    def _take_badge(
        self, entry: RosterEntry, free: Sequence[RosterEntry], late: _Scanned | None
    ) -> str:
        scanned = self._scanned
        if scanned is None:
            raise ScanOutOfTurn(self._no_phone(entry, late))
        self._refuse_user(entry, scanned, free)
        self._scanned = None
        self._pairs = [pair for pair in self._pairs if not self._is_same(pair.code, scanned.code)]
        self._pairs.append(_Pair(scanned.code, entry))
        later = "" if self._label_of(scanned.code) else " as soon as it is plugged in"
        return f"{entry} gets {scanned.words}{later}"

    def _no_phone(self, entry: RosterEntry, late: _Scanned | None) -> str:
        if late is not None:
            return f"{late.words} was scanned too long ago, and is forgotten: scan it again"
        return f"this is the badge of {entry}, and no phone was scanned"

    def _refuse_user(
        self, entry: RosterEntry, scanned: _Scanned, free: Sequence[RosterEntry]
    ) -> None:
        if entry not in free:
            raise ScanRefused(f"{entry} has a phone already, or is getting one")
        if self._is_waited_for(entry, scanned.code):
            raise ScanRefused(f"{entry} was scanned for another phone")
        phone = next((p for p in self._plugged.values() if scanned.code.fits(p)), None)
        refusal = reserved(entry, phone, self._roster) if phone else None
        if refusal is not None:
            raise ScanRefused(refusal.why)

    def _is_waited_for(self, entry: RosterEntry, code: PhoneCode) -> bool:
        others = (pair for pair in self._pairs if not self._is_same(pair.code, code))
        return any(pair.entry.key == entry.key for pair in others)

    def _is_same(self, one: PhoneCode, other: PhoneCode) -> bool:
        """Say whether two codes are one phone's, as far as is known."""
        known = [phone for phone in self._plugged.values() if one.fits(phone)]
        return one.shares(other) or any(other.fits(phone) for phone in known)

    def _label_of(self, code: PhoneCode) -> str:
        return next((at for at, phone in self._plugged.items() if code.fits(phone)), "")

    def _phone(self, said: str) -> PhoneCode | None:
        """Return the phone that a scan means: known by either number, or unknown with a MAC."""
        codes = list(_codes(said))
        known = (code for code in codes if self._is_known(code))
        # Twelve digits without any letter are as well the article number on the box (UPC-A).
        mac = (code for code in codes if code.mac and not said.isdigit())
        return next(known, None) or next(mac, None)

    def _is_known(self, code: PhoneCode) -> bool:
        numbers = {(entry.serial or "").casefold() for entry in self._roster.entries}
        numbers |= {entry.mac or "" for entry in self._roster.entries}
        return bool(self._label_of(code)) or (code.mac or code.serial) in numbers

    def _user(self, said: str) -> RosterEntry | None:
        keys = {read(said) for read in _USER_READERS if _reads(read, said)}
        entries = self._roster.entries
        return next((e for e in entries if e.extension in keys or e.sip_uri in keys), None)


_USER_READERS: Sequence[Callable[[str], str]] = (values.extension, values.sip_uri)


def _reads(read: Callable[[str], str], said: str) -> bool:
    with suppress(ValueError):
        return bool(read(said))
    return False


def _cleaned(text: str) -> str:
    """Take off what scanners and labels put around a number."""
    bare = _AIM.sub("", "".join(c for c in text[:_LONGEST] if c.isprintable()).strip(), count=1)
    return _SAID.sub("", bare, count=1).strip() if _SAID.match(bare) else bare


def _codes(said: str) -> Iterator[PhoneCode]:
    """Yield the phones that a text may be the number of."""
    with suppress(ValueError):
        yield PhoneCode(serial=values.serial(said).casefold())
    with suppress(ValueError):
        yield PhoneCode(mac=values.mac(said))


def _unknown(said: str) -> str:
    if "@" in said:
        return "nobody on the roster has that address"
    if said.isdigit():
        return f"{len(said)} digits that are nobody's extension and no known phone's number"
    return f"{len(said)} signs that are neither a known phone's number nor a user's"
