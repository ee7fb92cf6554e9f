"""Files that are written whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def write_whole(path: Path, data: bytes, mode: int) -> None:
    """Replace the file by one with ``data``; a crash leaves the old one or the new one.

    Args:
        path: The file; its folder must exist.
        data: All of its bytes.
        mode: Its permission bits.

    Raises:
        OSError: The disk is full or the folder cannot be written to; the old file is as it was.
    """
    with whole_file(path, mode) as unfinished:
        unfinished.write_bytes(data)


@contextlib.contextmanager
def whole_file(
    path: Path, mode: int, *, instead: bool = True, anywhere: bool = False
) -> Iterator[Path]:
    """Give an empty file to be filled, which then takes the name ``path``, durably.

    Args:
        path: The file; its folder must exist.
        mode: Its permission bits.
        instead: Whether it takes the place of a file that is there.
        anywhere: Whether a file system that knows no owners will do, as most sticks have.

    Raises:
        FileExistsError: There is such a file, also one that came while it was filled.
        OSError: The disk is full or the folder cannot be written to; an old file is as it was.
    """
    if not instead and os.path.lexists(path):
        raise FileExistsError(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with contextlib.suppress(*([PermissionError] if anywhere else [])):
            temporary.chmod(mode)
        flush(temporary)
        (os.replace if instead else _rename_new)(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    flush_folder(path.parent)


def _rename_new(old: Path, new: Path) -> None:
    """Rename a file, but never over another one."""
    second_name(old, new)
    old.unlink(missing_ok=True)


def second_name(path: Path, name: Path) -> None:
    """Give a file a second name, or, where a file has only one, that instead of the first.

    Raises:
        FileExistsError: There is such a file.
        OSError: The folder cannot be written to.
    """
    try:
        os.link(path, name)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, as on most sticks, or another system
        if os.path.lexists(name):
            raise FileExistsError(name) from None
        path.rename(name)


def flush(path: Path) -> None:
    """Have a file's bytes on the disk."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_folder(path: Path) -> None:
    """Have the names in a folder on the disk, where the platform lets one be opened (POSIX)."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def overwrite_and_remove(path: Path) -> None:
    """Overwrite a file with random bytes, have them on the disk, and remove it.

    What a file system that copies on write, a journal or a flash disk keeps besides is not reached.

    Raises:
        OSError: It cannot be written or removed.
    """
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
    flush(path)
    path.unlink()
    flush_folder(path.parent)
