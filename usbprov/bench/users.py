"""Who gets which phone: assignment, claims and what was done before, brought together."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from usbprov.bench.admission import Already, Past, Rules, admit, free_users, is_free
from usbprov.bench.assignment import Assigner, Refuse, Wait
from usbprov.bench.leases import Lease, Leases
from usbprov.bench.roster import Roster, RosterEntry
from usbprov.bench.scanning import ByScan
from usbprov.bench.served import ServedSoFar
from usbprov.errors import ClaimedElsewhere, NoUserForPhone, UsageError
from usbprov.ledger.claims import ClaimKind
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobRecord
from usbprov.phone.contract import PhoneIdentity


@dataclass
class Given:
    """A user who was given a phone, and the claim on that user while it is worked on."""

    entry: RosterEntry
    lease: Lease | None


class Users:
    """The roster at work. Thread-safe: one phone after the other is given its user.

    A user stays with a phone that failed, or was pulled, as long as the ledger or this object
    knows of it; and one whose credential was refused is given no other phone by itself.
    """

    def __init__(
        self, roster: Roster, assigner: Assigner, rules: Rules, ledger: Ledger, leases: Leases
    ) -> None:
        self.roster = roster
        self._assigner = assigner
        self._rules = rules
        self._ledger = ledger
        self._leases = leases
        self._lock = threading.RLock()
        self._given: dict[PhoneIdentity, Given] = {}
        self._refused: set[str] = set()
        self._by_name = _names(roster)
        self._served = ServedSoFar(ledger, roster.key, self._entry)

    def give(self, phone: PhoneIdentity, holds: str | None, label: str) -> Given | Wait:
        """Return who gets a phone, claimed; or what a hand must do first.

        Args:
            phone: Which phone it is.
            holds: Whose certificate it has, as ``admission.admit`` takes it.
            label: Its port's label.

        Raises:
            NoUserForPhone: Nobody does.
            ClaimedElsewhere: The user whose phone it is already is claimed by another worker.
        """
        with self._lock:
            mine = self._given.get(phone)
            if mine is not None and mine.lease is not None:
                return mine
            record = self._ledger.latest_of_phone(phone.serial, phone.mac)
            if record is not None and record.roster == self.roster.key:
                return self._give(phone, self._of_earlier(phone, record), label)
            whose = None if record is None else self._whose(phone)
            verdict = admit(whose, holds, self._rules)
            if isinstance(verdict, Refuse):
                raise NoUserForPhone(str(phone), verdict.why)
            if isinstance(verdict, Already):
                return self._give(phone, self._by_name[verdict.user], label)
            return self._assign(phone, label, mine.entry if mine else None)

    def finished(self, phone: PhoneIdentity, also: Lease | None = None) -> None:
        """Note that the phone is done: the ledger says for good who has it.

        Args:
            phone: Which one.
            also: A claim that is given back in the same go, which spares a commit.
        """
        with self._lock:
            given = self._given.pop(phone, None)
        self._leases.release(given.lease if given else None, also)

    def pulled(self, phone: PhoneIdentity) -> None:
        """Note that the phone has gone before it was done: another bench may go on with it."""
        with self._lock:
            given = self._given.get(phone)
            lease = given.lease if given else None
            if given is not None:
                given.lease = None
        self._leases.release(lease)

    def given_up(self, phone: PhoneIdentity) -> None:
        """Note that the phone is given up: the user may have another, unless it has begun."""
        self.finished(phone)
        if isinstance(self._assigner, ByScan):
            with self._lock:
                self._assigner.given_up(phone)

    def refused(self, phone: PhoneIdentity) -> None:
        """Note that the credential of the phone's user was refused: nobody tries it by itself."""
        with self._lock:
            given = self._given.get(phone)
            if given is not None:
                self._refused.add(given.entry.key)

    def try_again(self, phone: PhoneIdentity) -> None:
        """Note that the operator wants the phone's user tried again."""
        with self._lock:
            given = self._given.get(phone)
            if given is not None:
                self._refused.discard(given.entry.key)

    def unplugged(self, label: str) -> None:
        """Note that nothing is at a port any more."""
        if isinstance(self._assigner, ByScan):
            with self._lock:
                self._assigner.unplugged(label)

    def scan(self, text: str) -> str:
        """Take a scan in; returns what it did, in words.

        Raises:
            ScanError: It leads to nothing.
            UsageError: This bench does not assign by scan.
        """
        if not isinstance(self._assigner, ByScan):
            raise UsageError("nothing is to be scanned: this bench does not run with --assign scan")
        with self._lock:
            return self._assigner.scan(text, time.monotonic(), self._free(None))

    def done(self) -> int:
        """Return how many users of the roster have their phone, on all benches."""
        with self._lock:
            self._served.look()
            return self._served.done

    # --- with the lock held

    def _of_earlier(self, phone: PhoneIdentity, record: JobRecord) -> RosterEntry:
        """Return whose the phone is already, or is becoming, by its last job, of this roster."""
        entry = self._entry(record.user, record.extension)
        if entry is None:
            raise NoUserForPhone(str(phone), _no_longer(record))
        return entry

    def _whose(self, phone: PhoneIdentity) -> str | None:
        """Return whose a phone is by this roster, though its last job was not of it."""
        record = self._ledger.latest_of_phone(phone.serial, phone.mac, self.roster.key)
        entry = record and self._entry(record.user, record.extension)
        return entry.key if entry else None

    def _assign(self, phone: PhoneIdentity, label: str, before: RosterEntry | None) -> Given | Wait:
        past = self._past(phone)
        elsewhere: dict[str, ClaimedElsewhere] = {}
        while True:
            users = free_users(self.roster, past, self._rules)
            free = [entry for entry in users if entry.key not in elsewhere]
            again = before if before is not None and before in free else None
            answer = again or self._assigner.assign(phone, label, free)
            before = None
            if isinstance(answer, Wait):
                return answer
            if isinstance(answer, Refuse):
                raise _nobody(phone, answer, elsewhere)
            try:
                given = self._give(phone, answer, label)
            except ClaimedElsewhere as error:
                elsewhere[answer.key] = error
                continue
            past = self._past(phone)
            if is_free(answer, past, self._rules):
                return given
            self.finished(phone)  # another bench was quicker, and is done

    def _give(self, phone: PhoneIdentity, entry: RosterEntry, label: str) -> Given:
        lease = self._leases.take(ClaimKind.USER, entry.key, label, str(entry))
        given = self._given[phone] = Given(entry, lease)
        return given

    def _free(self, phone: PhoneIdentity | None) -> list[RosterEntry]:
        return free_users(self.roster, self._past(phone), self._rules)

    def _past(self, phone: PhoneIdentity | None) -> Past:
        """Return what was done, and who has a phone in work here, other than this one."""
        taken = {given.entry.key for its, given in self._given.items() if its != phone}
        self._served.look()
        return Past(self._served.phones, taken | self._refused)

    def _entry(self, user: str | None, extension: str | None) -> RosterEntry | None:
        """Return the roster's line of a job's user."""
        return self._by_name.get((user or "").lower()) or self._by_name.get(extension or "")


def _names(roster: Roster) -> Mapping[str, RosterEntry]:
    """Return the roster's lines by all the names that a user has."""
    names: dict[str, RosterEntry] = {}
    for entry in roster.entries:
        for name in (entry.key, entry.sip_uri, entry.extension):
            if name:
                names.setdefault(name, entry)
    return names


def _nobody(
    phone: PhoneIdentity, answer: Refuse, elsewhere: Mapping[str, ClaimedElsewhere]
) -> NoUserForPhone | ClaimedElsewhere:
    """Tell a roster that is served from one whose last users are claimed, perhaps by the dead."""
    if elsewhere:
        return next(iter(elsewhere.values()))
    return NoUserForPhone(str(phone), answer.why)


def _no_longer(record: JobRecord) -> str:
    whose = record.user or f"extension {record.extension}"
    return f"job {record.id} of this roster was for {whose}, who is no longer on it"
