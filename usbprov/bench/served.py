"""Whom a roster's jobs serve, on all benches: read once whole, then only what was written since.

A shift may have thousands of jobs, so of one that is done no more stays than that its user has one
phone more.
"""

from collections import Counter
from collections.abc import Callable

from usbprov.bench.roster import RosterEntry
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import COUNTING, UNFINISHED, Served


class ServedSoFar:
    """What is known of the roster's jobs. Not thread-safe.

    Attributes:
        phones: How many phones a user got, by ``RosterEntry.key``; nobody has 0.
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
        self._unfinished: dict[int, str | None] = {}
        self.phones: dict[str, int] = {}

    @property
    def done(self) -> int:
        """How many users have their phone."""
        unfinished = Counter(user for user in self._unfinished.values() if user)
        return len(self.phones) - sum(self.phones[u] == n for u, n in unfinished.items())

    def look(self) -> None:
        """Learn what was written since the last look; ``phones`` changes with it.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        news = self._ledger.served_since(self._roster, self._number)
        if news.begun is not None and not all(self._follows(job, news.begun) for job in news.jobs):
            news = self._ledger.served_since(self._roster, 0)
        if news.begun is None:
            self.phones.clear()
            self._unfinished.clear()
        for job in news.jobs:
            self._take(job)
        self._number = news.number

    def _follows(self, job: Served, begun: frozenset[int]) -> bool:
        """Say whether it is known what a job did before; it is not, once a job has ended."""
        return job.job in self._unfinished or job.job in begun

    def _take(self, job: Served) -> None:
        """Count a job as it is now, and no more as it was."""
        self._count(self._unfinished.pop(job.job, None), -1)
        if job.state not in COUNTING:
            return
        entry = self._entry_of(job.user, job.extension)
        user = entry.key if entry else None  # he is no longer on the roster
        self._count(user, 1)
        if job.state in UNFINISHED:
            self._unfinished[job.job] = user

    def _count(self, user: str | None, phones: int) -> None:
        if user is None:
            return
        self.phones[user] = self.phones.get(user, 0) + phones
        if not self.phones[user]:
            del self.phones[user]
