"""Locks between processes: one writer a phone, whoever runs it and however it ends."""

import errno
import hashlib
import logging
import os
import re
import sqlite3
import stat
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from usbprov.errors import LocksUnusable

logger = logging.getLogger(__name__)

_SHARED_FILE = 0o666
_SHARED_FOLDER = 0o1777
_LONGEST_NAME = 60
_LOCKS = Path("/run/lock")
_TEMPORARY = Path("/tmp")  # noqa: S108  (in a folder of our own)
_NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)
"""Whoever made the folder could have put links there, to files of whoever comes next."""


class Held(Exception):
    """Raised when somebody holds a lock; it never leaves the layers that know locks.

    Attributes:
        holder: Who, in words: ``usbprov (process 4711)``.
    """

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class FileLock:
    """A lock that is a file; it is held until released, and ends with the process.

    It is the exclusive transaction of an empty SQLite file: that works alike on every platform,
    between processes and within one, and the operating system ends it with its holder, so that a
    dead one's lock is simply free. An SQLite connection has 100 KiB of memory, of which a bench
    would have hundreds; so on Linux the same bytes of the file are locked without SQLite, and
    each of both ways keeps the other out.
    """

    def __init__(self, path: Path) -> None:
        """Name the lock's file; it stays behind, empty."""
        self._path = path
        self._held: _Closable | None = None

    def acquire(self) -> bool:
        """Take the lock; False when somebody has it.

        Raises:
            LocksUnusable: The file cannot be made or written.
        """
        try:
            _create(self._path)
            self._held = _lock(self._path)
        except (OSError, sqlite3.Error) as error:
            raise LocksUnusable(str(self._path), str(error)) from None
        return self._held is not None

    def release(self) -> None:
        """Give the lock back; may be called twice."""
        if self._held is not None:
            self._held.close()
            self._held = None


class _Closable(Protocol):
    def close(self) -> None:
        """Give the lock back."""
        ...


def _lock_by_sqlite(path: Path) -> _Closable | None:
    """Begin an exclusive transaction; None when somebody has one."""
    held = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
        uri=True,
    )
    try:
        held.execute("PRAGMA journal_mode = OFF")  # nothing is written: no second file
        held.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        held.close()
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return None
        raise
    return held


if sys.platform == "linux":
    _SQLITE_BYTES = (0x40000000, 512)
    """First byte and number of those that an exclusive transaction locks (SQLite's os.h)."""

    _FLOCK = "hhqqi0q"
    """``struct flock`` of <fcntl.h>: type, whence, start, length, process; whole words."""

    def _lock(path: Path) -> _Closable | None:
        """Lock SQLite's bytes by a lock that belongs to the open file, not to the process."""
        try:
            import fcntl  # noqa: PLC0415 - Python may be built without it
        except ImportError:
            return _lock_by_sqlite(path)
        file = os.fdopen(os.open(path, os.O_RDWR), "rb", buffering=0)
        wanted = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, *_SQLITE_BYTES, 0)
        try:
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, wanted)
        except OSError as error:
            file.close()
            if error.errno in {errno.EAGAIN, errno.EACCES}:
                return None
            return _lock_by_sqlite(path)  # a file system without such locks
        return file

else:
    _lock = _lock_by_sqlite


class PhoneLocks:
    """The locks of all phones, in one folder that the users of this computer share."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use ``folder``, or the system's place for locks."""
        self._folder = folder or default_folder()

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Hold the lock of a phone, by what it is known, within the block.

        Raises:
            Held: Another has it.
            LocksUnusable: The folder cannot be used.
        """
        path = self._path(key)
        lock = FileLock(path)
        if not lock.acquire():
            raise Held(_read_holder(path))
        try:
            _write_holder(path)
            yield
        finally:
            _note(_holder_file(path), "")
            lock.release()

    def _path(self, key: str) -> Path:
        try:
            if not self._folder.is_dir():
                with suppress(FileExistsError):  # another was quicker
                    self._folder.mkdir(parents=True)
                    self._folder.chmod(_SHARED_FOLDER)
        except OSError as error:
            raise LocksUnusable(str(self._folder), str(error)) from None
        digest = hashlib.sha256(key.encode()).hexdigest()[:8]
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", key)[:_LONGEST_NAME]
        return self._folder / f"{name}-{digest}.lock"


def default_folder() -> Path:
    """Return the place for locks that all users of this computer share."""
    return _shared_folder() / "usbprov"


if sys.platform == "win32":

    def _shared_folder() -> Path:
        # Each user's own; a phone itself is opened by one program only there.
        return Path(tempfile.gettempdir())

else:

    def _shared_folder() -> Path:
        # The same whoever asks: neither root's rights nor TMPDIR may make it another.
        return _LOCKS if _LOCKS.is_dir() and _LOCKS.stat().st_mode & stat.S_IWOTH else _TEMPORARY


def _create(path: Path) -> None:
    """Make an empty file that every user may write; one that is there is left as it is.

    Other users open it later without O_CREAT, which Linux refuses them in such a folder
    (fs.protected_regular).
    """
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR)
        try:
            if sys.platform != "win32":
                os.fchmod(descriptor, _SHARED_FILE)
        finally:
            os.close(descriptor)


def _holder_file(lock: Path) -> Path:
    return lock.with_suffix(".holder")


def _write_holder(lock: Path) -> None:
    """Say who holds the lock; it is said for people, and the lock counts without it."""
    dead = _holder(lock)
    if dead is not None:
        logger.debug("%s: taken over from process %d, which has died", lock.name, dead)
    _note(_holder_file(lock), str(os.getpid()))


def _read_holder(lock: Path) -> str:
    pid = _holder(lock)
    if pid is None:
        return "another usbprov"
    return "this usbprov" if pid == os.getpid() else f"another usbprov (process {pid})"


def _holder(lock: Path) -> int | None:
    try:
        return int(_holder_file(lock).read_text("ascii"))
    except (OSError, ValueError):
        return None


def _note(path: Path, text: str) -> None:
    with suppress(OSError):
        _create(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | _NO_LINK)
        try:
            os.write(descriptor, text.encode("ascii"))
        finally:
            os.close(descriptor)
