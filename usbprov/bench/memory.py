"""The C library's memory (glibc): few heaps for many threads, and what is free is given back."""

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Callable

_ARENA_MAX = -8
"""``M_ARENA_MAX`` of mallopt(3)."""

_HEAPS = 2
"""Python lets one thread at a time make objects; the second is for what runs beside it."""

_EVERY = 1.0
"""Seconds between two times that memory is given back at least: it takes a millisecond or two."""


def share_heaps() -> None:
    """Have all threads that begin after this share two heaps; does nothing without glibc.

    glibc gives threads heaps of their own, up to eight a processor, and what a phone's thread
    needed at most stays with its heap. With a thread for each phone all of them grow to that.
    The environment variable MALLOC_ARENA_MAX, which says the same, is left its way.
    """
    if "MALLOC_ARENA_MAX" not in os.environ and _is_glibc():
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(_ARENA_MAX, _HEAPS)


def trim() -> None:
    """Give what is free back to the system; does nothing without glibc."""
    if _is_glibc():
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)


class Tidier:
    """Gives memory back after workers. Thread-safe.

    What XML and TLS take for a phone is free when the phone is done, but in pieces, of which glibc
    gives nothing back by itself: with 64 phones at once that was 18 MiB.
    """

    def __init__(self, trim: Callable[[], None] = trim) -> None:
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


def _is_glibc() -> bool:
    ask = getattr(os, "confstr", None)  # Windows has none
    try:
        return bool(ask and ask("CS_GNU_LIBC_VERSION"))
    except (ValueError, OSError):  # macOS, musl
        return False
