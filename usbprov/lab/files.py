"""Files that hold secrets: private, and whole or not there at all."""

from pathlib import Path

from usbprov.errors import LabUnusable
from usbprov.files import write_whole

PRIVATE = 0o600
PUBLIC = 0o644


def private_folder(path: Path) -> Path:
    """Make the folder if need be, readable by its owner only (0700).

    Raises:
        LabUnusable: It cannot be made or is not a folder.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
    except OSError as error:
        raise LabUnusable(f"folder {path}: {error.strerror}") from None
    return path


def write_atomic(path: Path, data: bytes, mode: int = PRIVATE) -> None:
    """Replace the file by one with ``data``; a crash leaves the old one or the new one.

    Raises:
        LabUnusable: The disk is full or the folder cannot be written to.
    """
    try:
        write_whole(path, data, mode)
    except OSError as error:
        raise LabUnusable(f"{path} cannot be written: {error.strerror}") from None
