"""A small disk of the worker's own: a file system in memory, which can be full and read-only.

It is mounted where only this process and its children see it, and gone with them.
"""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

SIZE = 6 << 20
"""Bytes: enough for a job, and soon filled."""

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_READ_ONLY, _REMOUNT, _REC, _PRIVATE = 0x1, 0x20, 0x4000, 0x40000


def leave() -> bool:
    """Go where mounts are this process' own; for one without threads. False: it is not allowed.

    It is tried by another process first: what is allowed by half cannot be taken back.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(0 if _leave() else 1)
    _, status = os.waitpid(pid, 0)
    return status == 0 and _leave()


def _leave() -> bool:
    user, group = os.getuid(), os.getgid()
    if user == 0 and _unshared(_NEW_MOUNTS):
        return _private()
    if not _unshared(_NEW_MOUNTS | _NEW_USER):
        return False
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError:
        return False
    return _private()


def mount(folder: Path) -> bool:
    """Have a small disk at a folder; False where that cannot be."""
    return _mount("tmpfs", folder, 0, f"size={SIZE},mode=0700")


def set_read_only(folder: Path, *, on: bool) -> None:
    """Switch a disk that nobody writes to."""
    done = _mount("tmpfs", folder, _REMOUNT | (_READ_ONLY if on else 0), f"size={SIZE}")
    assert done, f"{folder} cannot be mounted anew"


def unmount(folder: Path) -> None:
    """Take the disk away."""
    with suppress(OSError):
        _library().umount2(os.fsencode(folder), 2)


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _unshared(flags: int) -> bool:
    return bool(_library().unshare(flags) == 0)


def _private() -> bool:
    none = ctypes.c_char_p()
    return bool(_library().mount(b"none", b"/", none, _REC | _PRIVATE, none) == 0)


def _mount(kind: str, folder: Path, flags: int, options: str) -> bool:
    words = (kind.encode(), os.fsencode(folder), kind.encode())
    done = _library().mount(*words, ctypes.c_ulong(flags), options.encode())
    return bool(done == 0)
