"""Core dumps are off while a private key, or another secret, is in memory.

Called before the first secret is made or read, and never undone: what its bytes were written to is
free afterwards, but not overwritten. A process that never has one stays as it was.
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


@functools.cache
def no_core_files() -> None:
    """Keep this process from leaving a core file: it has a PIN, a password, or a ticket.

    Those are worth less than a private key, so its files in ``/proc`` stay as they were: whoever
    runs a bench may look at what it costs. One byte is less than any core file has, and the limit
    at which Linux starts no program at a pipe, either (``fs/coredump.c``).
    """
    _limit(1)


def _limit(most_bytes: int = 0) -> None:
    """Set the soft limit, unless it is lower; child processes inherit it, too."""
    if sys.platform != "win32":  # there is no such limit there
        with contextlib.suppress(ImportError, OSError, ValueError):
            import resource  # noqa: PLC0415

            soft, most = resource.getrlimit(resource.RLIMIT_CORE)
            if soft == resource.RLIM_INFINITY or soft > most_bytes:
                resource.setrlimit(resource.RLIMIT_CORE, (most_bytes, most))


def _not_dumpable() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
