"""The emulated phone's flash: one file, always whole, whenever the power is cut."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from usbprov.errors import LabUnusable
from usbprov_drivers.smp.cbor import decode_map, encode_map
from usbprov_drivers.smp.schema import FieldInvalid, dump_record, load_record
from usbprov_drivers.smp.state import State
from usbprov_drivers.smp.wire import MalformedMessage

_TEMPORARY = ".new"


class Store:
    """Holds the state in memory and in its file, which is for its owner only (0600)."""

    def __init__(self, path: Path, factory: Callable[[], State]) -> None:
        """Read the state that ``path`` has, or write what ``factory`` makes if there is none.

        Raises:
            LabUnusable: The file cannot be read or written, or is damaged.
        """
        self._path = path
        try:
            self._state = _read(path) if path.exists() else self._write(factory())
        except OSError as error:
            raise LabUnusable(f"the phone's state {path}: {error.strerror}") from None

    @property
    def state(self) -> State:
        """What is durable."""
        return self._state

    def update(self, state: State) -> None:
        """Make a new state durable, then current; the other way round it never is.

        Raises:
            OSError: It could not be written; the old state stays.
        """
        self._state = self._write(replace(state, rev=(self._state.rev + 1) % 2**32))

    def _write(self, state: State) -> State:
        """Write beside the file, then put it in its place in one step (rename(2))."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(self._path.name + _TEMPORARY)
        _write_through(beside, encode_map(dump_record(state)))
        beside.replace(self._path)
        _sync_folder(self._path.parent)
        return state


def _read(path: Path) -> State:
    try:
        return load_record(State, decode_map(path.read_bytes()))
    except (MalformedMessage, FieldInvalid) as error:
        raise LabUnusable(f"the phone's state {path} is damaged: {error}") from None


def _write_through(path: Path, data: bytes) -> None:
    """Write a file, readable by its owner only, and have the disk confirm it."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the rename durable, where the platform lets a folder be opened."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
