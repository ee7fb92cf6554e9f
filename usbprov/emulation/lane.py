"""Runs what the device model owes its functions, in order and outside its lock."""

import threading
from collections import deque
from collections.abc import Callable


class Lane:
    """Actions that run one after another, in the order posted, on whichever thread comes.

    A thread that finds another one at work leaves its action to that one.
    """

    def __init__(self) -> None:
        self._actions: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._running = False

    def post(self, action: Callable[[], None]) -> None:
        """Add an action; it runs at the next ``run``."""
        self._actions.append(action)

    def run(self) -> None:
        """Run what is there, unless another thread (or this one, further up) is at it."""
        while (action := self._next()) is not None:
            try:
                action()
            finally:
                self._running = False

    def _next(self) -> Callable[[], None] | None:
        if not self._actions:
            return None
        with self._lock:
            if self._running or not self._actions:
                return None
            self._running = True
            return self._actions.popleft()
