"""Whom a roster's jobs serve, on all benches: read once whole, then only what was written since."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from usbprov.bench.roster import RosterEntry
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState, Served
from usbprov.phone.contract import PhoneIdentity

_SERVING = frozenset({JobState.DONE, JobState.OPEN, JobState.STUCK})
"""A job in one of these states serves its user; an unfinished one will, when its phone is back."""


@dataclass(frozen=True)
class _Service:
    """What a job does: for which user (``RosterEntry.key``), with which phone, and if done."""

    user: str
    phone: PhoneIdentity
    done: bool


class ServedSoFar:
    """What is known of the roster's jobs. Not thread-safe.

    Attributes:
        phones: The phones that a user got, by ``RosterEntry.key`` and the job's number.
        users: Whose each phone is (``RosterEntry.key``), by its newest job.
    """

    def __init__(
        self,
        ledger: Ledger,
        roster: str,
        entry_of: Callable[[str | None, str | None], RosterEntry | None],
    ) -> None:
        """Know nothing yet.

        Args:
            ledger: Where the jobs are.
            roster: The roster's key.
            entry_of: Finds the roster's line by a job's user and extension, if it has one.
        """
        self._ledger = ledger
        self._roster = roster
        self._entry_of = entry_of
        self._number = 0
        self._services: dict[int, _Service] = {}
        self._of_phone: dict[PhoneIdentity, dict[int, str]] = {}
        self._done: dict[str, set[int]] = {}
        self.phones: dict[str, dict[int, PhoneIdentity]] = {}
        self.users: dict[PhoneIdentity, str] = {}

    @property
    def done(self) -> int:
        """How many users have their phone."""
        return len(self._done)

    def look(self) -> None:
        """Learn what was written since the last look; what was given out changes with it.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        news = self._ledger.served_since(self._roster, self._number)
        for number in news.gone(self._services):
            self._forget(number)
        for job in news.jobs:
            service = self._service(job)
            if service is not None:
                self._take(job.job, service)
        self._number = news.number

    def _service(self, job: Served) -> _Service | None:
        """Return what a job does; None: nothing, or its user is no longer on the roster."""
        entry = self._entry_of(job.user, job.extension) if job.state in _SERVING else None
        if entry is None:
            return None
        phone = PhoneIdentity(job.phone_serial, job.phone_mac)
        return _Service(entry.key, phone, job.state is JobState.DONE)

    def _take(self, number: int, service: _Service) -> None:
        self._services[number] = service
        self.phones.setdefault(service.user, {})[number] = service.phone
        self._of_phone.setdefault(service.phone, {})[number] = service.user
        if service.done:
            self._done.setdefault(service.user, set()).add(number)
        self._decide(service.phone)

    def _forget(self, number: int) -> None:
        service = self._services.pop(number, None)
        if service is None:
            return
        del self.phones[service.user][number], self._of_phone[service.phone][number]
        self._done.get(service.user, set()).discard(number)
        for of in (self.phones, self._done):
            if not of.get(service.user, True):
                del of[service.user]
        self._decide(service.phone)

    def _decide(self, phone: PhoneIdentity) -> None:
        """Say whose a phone is now."""
        jobs: Mapping[int, str] = self._of_phone.get(phone, {})
        if jobs:
            self.users[phone] = jobs[max(jobs)]
        else:
            self._of_phone.pop(phone, None)
            self.users.pop(phone, None)
