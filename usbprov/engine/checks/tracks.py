"""Checks side by side: each in a thread of its own, and none waits for a slow one."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from usbprov.checks import CheckResult, Verdict
from usbprov.engine.checks.sequence import Told

Track = Callable[[Told], None]
"""Makes checks, and tells each as it comes."""


@dataclass(frozen=True)
class _Ended:
    """A track has come to its end; ``error`` is a bug that ended it."""

    group: str
    error: BaseException | None = None


@dataclass
class Tracks:
    """Tracks that run at the same time. One that does not end in time is left behind.

    Attributes:
        seconds: How long each may take, from its own beginning.
    """

    seconds: float
    _told: "queue.SimpleQueue[CheckResult | _Ended]" = field(default_factory=queue.SimpleQueue)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ends: dict[str, float] = field(default_factory=dict)

    def start(self, group: str, track: Track) -> None:
        """Begin a track; any thread may, and a track may begin others."""
        with self._lock:
            self._ends[group] = time.monotonic() + self.seconds
        # A daemon: the program ends when the rest has been told, whatever this one waits for.
        threading.Thread(target=self._run, args=(group, track), name=group, daemon=True).start()

    def _run(self, group: str, track: Track) -> None:
        error: BaseException | None = None
        try:
            track(lambda result: self._told.put(replace(result, group=group)))
        except BaseException as bug:
            error = bug
        self._told.put(_Ended(group, error))

    def results(self, told: Told) -> tuple[CheckResult, ...]:
        """Wait until every track has ended or used its time up; returns what they told.

        Args:
            told: Is called with each result as it comes, by this thread.
        """
        found: list[CheckResult] = []

        def tell(result: CheckResult) -> None:
            found.append(result)
            told(result)

        while self._ends:
            self._await_one(tell)
        return tuple(found)

    def _await_one(self, tell: Told) -> None:
        """Take the next result or end, or give up the track whose time is over first."""
        with self._lock:
            group = min(self._ends, key=self._ends.__getitem__)
            left = self._ends[group] - time.monotonic()
        try:
            event = self._told.get(timeout=max(left, 0.0))
        except queue.Empty:
            self._drop(group)
            tell(_unfinished(group, self.seconds))
            return
        if isinstance(event, CheckResult):
            if event.group in self._ends:  # what comes after its end was told is too late
                tell(event)
            return
        self._drop(event.group)
        if event.error is not None:
            raise event.error

    def _drop(self, group: str) -> None:
        with self._lock:
            self._ends.pop(group, None)


def _unfinished(group: str, seconds: float) -> CheckResult:
    words = f"not at its end after {seconds:g} s, and left behind"
    return CheckResult(
        "time-limit",
        Verdict.UNKNOWN,
        words,
        "A server, a name server or a phone does not answer, or slowly.",
        "Look at what was found up to here, or repeat with a longer --limit-seconds.",
        ms=round(seconds * 1000),
        group=group,
    )
