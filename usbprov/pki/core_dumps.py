"""Core dumps are off while a private key is in memory.

Called before the first private key is made or read, and never undone: what a key's bytes were
written to is free afterwards, but not overwritten. A process that never has a private key, because
the phones make theirs, stays as it was.
"""

import contextlib
import ctypes
import functools
import sys

_PR_SET_DUMPABLE = 4
"""``prctl(2)``."""


@functools.cache
def no_core_dumps() -> None:
    """Keep this process from leaving its memory anywhere when it crashes; once is enough.

    The limit alone does not do: where ``core_pattern`` is a pipe (systemd-coredump, apport), Linux
    hands the memory to that program whatever the limit is. So the process is also made one that is
    not dumped at all. That makes its files in ``/proc`` root's: another process of the same user
    can no longer read its memory, either, nor its open files, nor attach a debugger.

    Where neither is to be had (Windows) nothing is done.
    """
    _limit()
    if sys.platform == "linux":
        _not_dumpable()


def _limit() -> None:
    """Set the soft limit; child processes inherit it, too."""
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return
    with contextlib.suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def _not_dumpable() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
