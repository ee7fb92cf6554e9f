"""Claims as workers hold them: renewed by one thread, and noticed when they are lost."""

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from usbprov.errors import ClaimedElsewhere, ClaimLost, LedgerError
from usbprov.ledger.claims import Claim, ClaimKind, Claims, Worker

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
"""How long the claims of a bench that died stand in the way of others."""

_RENEWALS = 4
"""How often in that time they are renewed."""


class Lease:
    """A claim of a worker. Thread-safe.

    Attributes:
        claim: What the ledger has of it.
        what: What is claimed, in words.
    """

    def __init__(self, claim: Claim, what: str, good_until: float) -> None:
        self.claim = claim
        self.what = what
        self._good_until = good_until
        self._lost = False

    def check(self) -> None:
        """See that it still holds, before something is written.

        Raises:
            ClaimLost: It does not, or it is not known: it was not renewed in time.
        """
        if self._lost or time.monotonic() >= self._good_until:
            raise ClaimLost(self.what)

    def renewed(self, good_until: float) -> None:
        """Note that it is good until a time of the monotonic clock."""
        self._good_until = good_until

    def lose(self) -> None:
        """Note that somebody else has it."""
        self._lost = True


class Leases:
    """The claims of one bench; a context manager."""

    def __init__(self, claims: Claims, bench: str, seconds: float = LEASE_SECONDS) -> None:
        """Prepare; the thread begins with the block.

        Args:
            claims: The ledger's.
            bench: The bench's name.
            seconds: How long a claim lasts that is not renewed.
        """
        self._claims = claims
        self._bench = bench
        self._seconds = seconds
        self._lock = threading.Lock()
        self._held: dict[str, Lease] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
        self.beat: Callable[[], None] = lambda: None
        """Called with each renewal; for whatever else has to say that the bench lives."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def take(self, kind: ClaimKind, key: str, worker: str, what: str) -> Lease:
        """Claim a user or a phone.

        Args:
            kind: Which of them.
            key: By what the ledger knows it.
            worker: The port's label.
            what: The same in words.

        Raises:
            ClaimedElsewhere: Somebody has it.
        """
        until = time.monotonic() + self._seconds
        claimed = self._claims.claim(kind, key, Worker(self._bench, worker, self._seconds))
        if not isinstance(claimed, Claim):
            raise ClaimedElsewhere(what, f"bench {claimed.bench}, port {claimed.worker}")
        lease = Lease(claimed, what, until)
        with self._lock:
            self._held[claimed.token] = lease
        return lease

    def release(self, *leases: Lease | None) -> None:
        """Give claims back; one that is None or was given back already is passed over.

        A ledger that is not reached is no reason to stop: the claims end by themselves.
        """
        with self._lock:
            mine = [lease for lease in leases if lease and self._held.pop(lease.claim.token, None)]
        if not mine:
            return
        try:
            self._claims.release([lease.claim for lease in mine])
        except LedgerError as error:
            logger.warning("claims are not given back: %s", error)

    def renew(self) -> None:
        """Renew all of them now; those that others have taken are lost."""
        with self._lock:
            held = list(self._held.values())
        until = time.monotonic() + self._seconds
        lost = {c.token for c in self._claims.renew([lease.claim for lease in held], self._seconds)}
        for lease in held:
            if lease.claim.token in lost:
                lease.lose()
            else:
                lease.renewed(until)

    def _run(self) -> None:
        while not self._ended.wait(self._seconds / _RENEWALS):
            try:
                self.renew()
                self.beat()
            except LedgerError as error:
                logger.warning("claims are not renewed: %s", error)
