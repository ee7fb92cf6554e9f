"""A lock on a folder, held by a process as long as it lives."""

import sqlite3
from pathlib import Path

from usbprov.errors import LabUnusable


class FolderLock:
    """Keeps a second process, or a second lab in this one, out of a folder.

    It is the exclusive transaction of an empty SQLite file: that works alike on every platform
    and ends with the process, however that ends.
    """

    def __init__(self, path: Path, what: str) -> None:
        """Name the lock.

        Args:
            path: The lock's file; it stays behind, empty.
            what: What the holder is, for the error message: ``another lab``.
        """
        self._path = path
        self._what = what
        self._held: sqlite3.Connection | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            LabUnusable: Somebody has it, or the file cannot be written.
        """
        try:
            held = sqlite3.connect(
                self._path, timeout=0, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise LabUnusable(f"{self._path}: {error}") from None
        try:
            held.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            held.close()
            busy = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            problem = f"{self._what} is running" if busy else str(error)
            raise LabUnusable(f"{problem} in {self._path.parent}") from None
        self._held = held

    def release(self) -> None:
        """Give the lock back; may be called twice."""
        if self._held is not None:
            self._held.close()
            self._held = None
