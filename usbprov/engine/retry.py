"""Repeats: what may pass is tried again, within bounds, and everybody can see it.

Only calls that a step hands over are repeated, and only for errors of servers that may pass by
themselves. A call that sends a PIN, password or other credential is never handed over:
accounts lock, and a request that was taken cannot be told from one that was not.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from usbprov.errors import CallError, ServerBusy
from usbprov.tape import clock as job_clock

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """The bounds of repeating one call.

    Attributes:
        attempts: How often it is tried at most, the first time included.
        seconds: After so long, from the first attempt on, none is begun any more. One that was
            begun may take its own time limit.
        first_wait: The longest first wait in seconds; each later one may be twice as long.
        longest_wait: No wait is longer than this, but for a wish of the server.
    """

    attempts: int = 5
    seconds: float = 60.0
    first_wait: float = 1.0
    longest_wait: float = 20.0


@dataclass(frozen=True)
class Retry:
    """A repeat that is to come.

    Attributes:
        wait: Seconds until then.
        attempt: Which one it will be; the first repeat is attempt 2.
        attempts: How many there are at most.
        error: Why.
    """

    wait: float
    attempt: int
    attempts: int
    error: CallError

    def __str__(self) -> str:
        seconds = f"{self.wait:.0f}" if self.wait >= 1 else f"{self.wait:.1f}"
        return f"in {seconds} s again ({self.attempt} of {self.attempts}): {self.error}"


class Repeats(Protocol):
    """Makes a call, again if need be."""

    def __call__(self, call: Callable[[], T], /) -> T:
        """Return what the call returns."""
        ...


def once(call: Callable[[], T], /) -> T:
    """Make a call and repeat nothing."""
    return call()


class Retrier:
    """Makes a call again while its error may pass and the policy allows it.

    The waits are exponential with full jitter: any time from none to the longest, which doubles.
    Phones of a bench that failed together so do not come back together. A server's ``Retry-After``
    is kept, as far as the time allows. Ctrl-C ends a wait at once.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        tell: Callable[[Retry], None],
        *,
        sleep: Callable[[float], None] = job_clock.sleep,
        clock: Callable[[], float] = job_clock.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Prepare.

        Args:
            policy: The bounds.
            tell: Is told of each repeat, before the wait.
            sleep: Waits so many seconds, and lets an interruption through.
            clock: Seconds of a clock that is never set.
            chance: A number from 0 to 1.
        """
        self._policy = policy
        self._tell = tell
        self._sleep = sleep
        self._clock = clock
        self._chance = chance

    def __call__(self, call: Callable[[], T], /) -> T:
        """Make the call.

        Raises:
            CallError: The last error, which knows the number of ``attempts``.
        """
        ends = self._clock() + self._policy.seconds
        attempt = 1
        while True:
            try:
                return call()
            except CallError as error:
                wait = self._wait(error, attempt, ends)
                if wait is None:
                    error.attempts = attempt
                    raise
                retry = Retry(wait, attempt + 1, self._policy.attempts, error)
            logger.info("%s", retry)
            self._tell(retry)
            self._sleep(wait)
            attempt += 1

    def _wait(self, error: CallError, attempt: int, ends: float) -> float | None:
        """Return the seconds until the next attempt, or None where there is none."""
        policy, left = self._policy, ends - self._clock()
        if not error.retryable or attempt >= policy.attempts or left <= 0:
            return None
        longest = min(policy.first_wait * 2.0 ** (attempt - 1), policy.longest_wait)
        wish = error.retry_after or 0.0 if isinstance(error, ServerBusy) else 0.0
        return min(wish + longest * self._chance(), left)
