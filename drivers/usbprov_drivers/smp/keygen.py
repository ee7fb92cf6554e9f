"""Key generation in the phone, waited for (PROTOCOL.md 4.1 and 4.2)."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from usbprov.errors import KeyGenerationFailed, ProtocolViolation
from usbprov.phone.contract import Progress
from usbprov.tape import clock
from usbprov_drivers.smp.messages import (
    JOB,
    KEYGEN,
    JobRequest,
    JobResponse,
    JobState,
    KeygenRequest,
    KeygenResponse,
    Rc,
)
from usbprov_drivers.smp.refusals import reason
from usbprov_drivers.smp.session import Refusal, Session

TIME_LIMIT = 15 * 60.0
"""Seconds that a phone may take for a key."""

_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.05, 0.5, 1.8
_LONGEST_FORESEEN = 1.0
"""Seconds between two questions while a phone tells how far it is."""
_PART_OF_REST = 0.7
"""Of the time that a phone seems to need yet: so its end is noticed soon, in a few questions."""

_MOST_RESTARTS = 4
"""How often a phone may forget its job, by restarting, before it is given up."""


class _JobLost(Exception):
    """Raised when the phone knows nothing of the job that it began."""


@dataclass(frozen=True)
class KeyMaker:
    """Has one phone make one key.

    Attributes:
        session: With the phone.
        progress: Told the percentage when it changes.
        sleep: Pauses for a number of seconds.
        clock: Monotonic seconds.
        limit: Seconds for everything.
    """

    session: Session
    progress: Progress
    sleep: Callable[[float], None] = clock.sleep
    clock: Callable[[], float] = clock.monotonic
    limit: float = TIME_LIMIT

    def make(self, request: KeygenRequest) -> bytes:
        """Return the digest of the pending key that ``request`` asks for, made now or before.

        Raises:
            Refusal: The phone refuses to begin.
            KeyGenerationFailed: The phone says so, restarts, or does not end in time.
        """
        pauses = _Pauses(self.clock)
        for _ in range(_MOST_RESTARTS):
            answer = self._begin(request, pauses)
            if answer.key is not None:
                self.progress(100)
                return answer.key
            with suppress(_JobLost):
                return self._wait(answer.job, request.nonce, pauses)
        raise self._failed(reason(Rc.NO_SUCH_JOB))

    def _begin(self, request: KeygenRequest, pauses: "_Pauses") -> KeygenResponse:
        """Send KEYGEN, after another job's end if there is one."""
        while True:
            try:
                return self.session.call(KEYGEN, request)
            except Refusal as refusal:
                if refusal.rc != Rc.BUSY:
                    raise
            self._pause(pauses)

    def _wait(self, job: int, nonce: bytes, pauses: "_Pauses") -> bytes:
        shown = -1
        while True:
            state = self._ask(job, nonce)
            if state is None:
                self._pause(pauses)
                continue
            if state.pct != shown:
                shown = state.pct
                self.progress(shown)
            pauses.told(state.pct)
            if state.state is JobState.DONE:
                return self._key_of(state)
            if state.state is JobState.FAILED:
                raise self._failed(reason(state.error or Rc.KEYGEN_FAILED))
            self._pause(pauses)

    def _ask(self, job: int, nonce: bytes) -> JobResponse | None:
        """Return the job's state, or None while the phone is too busy to tell.

        Raises:
            _JobLost: The phone has restarted and knows nothing of the job.
            KeyGenerationFailed: The phone refuses to tell.
        """
        try:
            state = self.session.call(JOB, JobRequest(job))
        except Refusal as refusal:
            if refusal.rc == Rc.BUSY:
                return None
            if refusal.rc == Rc.NO_SUCH_JOB:
                raise _JobLost from None
            raise self._failed(reason(refusal.rc)) from None
        if state.nonce != nonce:
            raise _JobLost
        return state

    def _key_of(self, state: JobResponse) -> bytes:
        if state.key is None:
            raise ProtocolViolation(self.session.link.name, "JOB: done without a key")
        return state.key

    def _pause(self, pauses: "_Pauses") -> None:
        """Wait until the next question; raise when the time is over."""
        if self.clock() >= pauses.began + self.limit:
            raise self._failed(f"it was not done within {self.limit:g} s")
        self.sleep(pauses.next())

    def _failed(self, why: str) -> KeyGenerationFailed:
        return KeyGenerationFailed(self.session.link.name, why)


class _Pauses:
    """How long it is waited before each question: ever longer, but not when the end is near.

    What a phone says of its progress is an estimate. It counts only when it has grown, so that a
    phone that stays at 99 % for minutes, or says now this and now that, is not asked in a hurry.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._most = 0
        self._next = _FIRST_PAUSE
        self._longest = _LONGEST_PAUSE
        self.began = clock()

    def told(self, percent: int) -> None:
        """Take in what the phone says of its progress."""
        if percent <= self._most:
            self._longest = _LONGEST_PAUSE
            return
        self._most, self._longest = percent, _LONGEST_FORESEEN
        # It says whole percents, so on average it is half of one further.
        rest = (self._clock() - self.began) * (99.5 - percent) / (percent + 0.5)
        self._next = min(self._next, max(_FIRST_PAUSE, _PART_OF_REST * rest))

    def next(self) -> float:
        """Return the seconds to wait now."""
        pause = min(self._next, self._longest)
        self._next = pause * _GROWTH
        return pause
