"""Whether and when a phone's job is tried again by itself, after it failed."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from usbprov.engine.order import CredentialOrder
from usbprov.errors import (
    CallError,
    ClaimedElsewhere,
    JobBusy,
    PhoneBusy,
    RegistrarUnavailable,
    ServerBusy,
    ServerFailed,
    ServerUnreachable,
    StoreUnreachable,
    UsbprovError,
)
from usbprov.net.credentials import Way

_UNTRIED = (RegistrarUnavailable, ServerBusy, ServerFailed, StoreUnreachable)
"""Answers that say nothing about a secret: the server did not judge it."""

_OCCUPIED = (ClaimedElsewhere, JobBusy, PhoneBusy)
"""Nothing has failed: somebody else must end first. It does not count as an attempt."""

_HARMLESS = frozenset({Way.CERTIFICATE, Way.KERBEROS})
"""Ways of which a repeat locks nobody out."""


@dataclass(frozen=True)
class Patience:
    """The bounds of trying a job again.

    Attributes:
        seconds: After so long without any progress it is given up, and waits for the operator.
        first_wait: The longest first wait in seconds; each later one may be twice as long.
        longest_wait: No wait is longer than this.
        occupied_wait: The longest wait where somebody else must end first.
    """

    seconds: float = 900.0
    first_wait: float = 2.0
    longest_wait: float = 60.0
    occupied_wait: float = 1.0


class Again:
    """Counts the attempts at one phone's job. The waits have full jitter, as the engine's have."""

    def __init__(
        self,
        patience: Patience,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._patience = patience
        self._clock = clock
        self._chance = chance
        self.reset()

    def reset(self) -> None:
        """Begin to count anew: the job has come further, or the operator wants it."""
        self._ends = self._clock() + self._patience.seconds
        self._failed = 0

    @property
    def attempt(self) -> int:
        """Which attempt the next one is, from 1."""
        return self._failed + 1

    def wait(self, error: UsbprovError, *, secret_used: bool) -> float | None:
        """Return after how many seconds it is tried again, or None where it is not.

        Args:
            error: What stopped the job.
            secret_used: Whether a PIN or password was taken for it in this attempt, and no
                ticket earned.
        """
        patience = self._patience
        if not error.retryable or (secret_used and not _says_nothing(error)):
            return None
        if self._clock() >= self._ends:
            return None
        if isinstance(error, _OCCUPIED):
            return patience.occupied_wait * self._chance()
        longest = min(patience.first_wait * 2.0**self._failed, patience.longest_wait)
        self._failed += 1
        wish = error.retry_after or 0.0 if isinstance(error, ServerBusy) else 0.0
        return wish + longest * self._chance()


def locks_nobody(credential: CredentialOrder) -> bool:
    """Say whether a credential may be sent again whatever has become of it."""
    return set(credential.ways) <= _HARMLESS


def _says_nothing(error: UsbprovError) -> bool:
    """Say whether the secret that was sent, if it was, cannot have counted as a wrong try."""
    if not isinstance(error, CallError):
        return True
    if isinstance(error, ServerUnreachable):
        return not error.connected
    return isinstance(error, _UNTRIED)
