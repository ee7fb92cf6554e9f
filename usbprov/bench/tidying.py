"""Memory that is free is given back to the system, where the C library keeps it (glibc)."""

import ctypes
import threading
import time
from collections.abc import Callable
from contextlib import suppress

_EVERY = 1.0
"""Seconds between two times at least: it takes a millisecond or two."""


def _trim() -> None:
    with suppress(OSError, AttributeError, TypeError):  # another C library, or another system
        ctypes.CDLL(None).malloc_trim(0)


class Tidier:
    """Tidies up after workers. Thread-safe.

    What XML and TLS take for a phone is free when the phone is done, but in pieces, of which glibc
    gives nothing back by itself: with 64 phones at once that was 18 MiB.
    """

    def __init__(self, trim: Callable[[], None] = _trim) -> None:
        self._trim = trim
        self._lock = threading.Lock()
        self._due = 0.0

    def tidy(self) -> None:
        """Give memory back, if that was not done just now."""
        now = time.monotonic()
        with self._lock:
            if now < self._due:
                return
            self._due = now + _EVERY
        self._trim()
