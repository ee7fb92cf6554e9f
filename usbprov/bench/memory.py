"""The C library's heaps: few of them for many threads, or a bench grows by what lies idle."""

import contextlib
import ctypes
import os

_ARENA_MAX = -8
"""``M_ARENA_MAX`` of mallopt(3)."""

_HEAPS = 2
"""Python lets one thread at a time make objects; the second is for what runs beside it."""


def share_heaps() -> None:
    """Have all threads that begin after this share two heaps; does nothing without glibc.

    glibc gives threads heaps of their own, up to eight a processor, and what a phone's thread
    needed at most stays with its heap. With a thread for each phone all of them grow to that.
    The environment variable MALLOC_ARENA_MAX, which says the same, is left its way.
    """
    if "MALLOC_ARENA_MAX" in os.environ or not _is_glibc():
        return
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, _HEAPS)


def _is_glibc() -> bool:
    ask = getattr(os, "confstr", None)  # Windows has none
    try:
        return bool(ask and ask("CS_GNU_LIBC_VERSION"))
    except (ValueError, OSError):  # macOS, musl
        return False
