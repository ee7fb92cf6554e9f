"""What all workers may share of what a server says to everybody: asked once, kept for a while."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT_SECONDS = 60.0
"""How long the chain that a server presents is taken for what it would present again."""


class Kept(Generic[T]):
    """A value that one worker asks for, and the others wait for. Thread-safe.

    If the one who asks gets an error, it is that one's own, and each of the others asks for
    itself: a server that does not answer is then waited for by all of them at the same time.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep what was given for so many seconds, by a clock that is never set."""
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._asking: threading.Event | None = None
        self._value: tuple[T, float] | None = None

    def get(self, ask: Callable[[], T]) -> T:
        """Return the value that is kept, or ask for it."""
        with self._lock:
            if (kept := self._fresh()) is not None:
                return kept[0]
            other = self._asking
            mine = threading.Event()
            if other is None:
                self._asking = mine
        if other is None:
            return self._ask(ask, mine)
        other.wait()
        with self._lock:
            kept = self._fresh()
        return kept[0] if kept is not None else self._keep(ask())

    def _ask(self, ask: Callable[[], T], asked: threading.Event) -> T:
        try:
            return self._keep(ask())
        finally:
            with self._lock:
                self._asking = None
            asked.set()

    def _keep(self, value: T) -> T:
        with self._lock:
            self._value = (value, self._clock() + self._seconds)
        return value

    def _fresh(self) -> tuple[T, float] | None:
        kept = self._value
        return kept if kept is not None and self._clock() < kept[1] else None
