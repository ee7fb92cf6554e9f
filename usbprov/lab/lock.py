"""A lock on a folder, held by a process as long as it lives."""

from pathlib import Path

from usbprov.errors import LabUnusable, LocksUnusable
from usbprov.usb.locks import FileLock


class FolderLock:
    """Keeps a second process, or a second lab in this one, out of a folder."""

    def __init__(self, path: Path, what: str) -> None:
        """Name the lock.

        Args:
            path: The lock's file; it stays behind, empty.
            what: What the holder is, for the error message: ``another lab``.
        """
        self._path = path
        self._what = what
        self._lock = FileLock(path)

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            LabUnusable: Somebody has it, or the file cannot be written.
        """
        try:
            taken = self._lock.acquire()
        except LocksUnusable as error:
            raise LabUnusable(f"{self._path}: {error.reason}") from None
        if not taken:
            raise LabUnusable(f"{self._what} is running in {self._path.parent}")

    def release(self) -> None:
        """Give the lock back; may be called twice."""
        self._lock.release()
