"""How fast the bench is: phones an hour, and what is left."""

import threading
import time
from collections import deque
from collections.abc import Callable

WINDOW = 900.0
"""Seconds that the rate looks back."""

_LEAST = 5.0
"""Seconds below which a rate says nothing."""


class Rates:
    """Counts the phones that are done. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin now, by a clock that is never set (seconds)."""
        self._clock = clock
        self._began = clock()
        self._lock = threading.Lock()
        self._times: deque[float] = deque()

    def note_done(self) -> None:
        """Count a phone that was done just now."""
        with self._lock:
            self._times.append(self._clock())

    def per_hour(self) -> float | None:
        """Return the phones an hour over the last quarter of an hour, or None at first."""
        now = self._clock()
        with self._lock:
            while self._times and self._times[0] < now - WINDOW:
                self._times.popleft()
            count = len(self._times)
        passed = min(now - self._began, WINDOW)
        return count * 3600 / passed if count and passed >= _LEAST else None

    def left(self, phones: int) -> float | None:
        """Return the seconds that so many phones will take at this rate, or None."""
        rate = self.per_hour()
        return phones * 3600 / rate if rate else None
