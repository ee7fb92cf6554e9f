"""Puts off what happens on an endpoint, without changing its order."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from time import monotonic


class Delays:
    """Timers by endpoint; what was put off first happens first.

    All methods are called with the lock held.
    """

    def __init__(self, lock: AbstractContextManager[bool], after: Callable[[], None]) -> None:
        """Set up.

        Args:
            lock: Held while an action runs.
            after: Called, without the lock, when an action has run.
        """
        self._lock = lock
        self._after = after
        self._actions: dict[int, deque[Callable[[], None]]] = defaultdict(deque)
        self._timers: dict[threading.Timer, int] = {}
        self._last: dict[int, float] = {}

    def later(self, endpoint: int, seconds: float, action: Callable[[], None]) -> None:
        """Have ``action`` run after ``seconds``, and not before what was put off earlier."""
        now = monotonic()
        due = max(now + seconds, self._last[endpoint]) if self.waiting(endpoint) else now + seconds
        self._last[endpoint] = due
        timer = threading.Timer(due - now, lambda: self._fire(timer))
        timer.daemon = True
        self._timers[timer] = endpoint
        self._actions[endpoint].append(action)
        timer.start()

    def waiting(self, endpoint: int) -> bool:
        """Say whether something is still put off on ``endpoint``."""
        return bool(self._actions[endpoint])

    def cancel(self, endpoint: int | None = None) -> None:
        """Drop what was put off on one endpoint, or on all."""
        for timer, place in list(self._timers.items()):
            if endpoint in (None, place):
                timer.cancel()
                del self._timers[timer]
                self._actions[place].clear()

    def _fire(self, timer: threading.Timer) -> None:
        with self._lock:
            endpoint = self._timers.pop(timer, None)
            if endpoint is None:
                return
            # Timers for the same moment go off in any order; the oldest action is the one due.
            self._actions[endpoint].popleft()()
        self._after()
