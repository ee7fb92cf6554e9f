"""The vault's folder: one file a key pair. All of the vault's file access is here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from usbprov.errors import VaultError, VaultUnusable
from usbprov.files import overwrite_and_remove, write_whole
from usbprov.pki.vault.container import MOST_BYTES, Stored, read
from usbprov.pki.vault.entry import Entry

_SUFFIX = ".vault"
_FILE, _FOLDER = 0o600, 0o700
_NAME_DIGITS = 32


@dataclass(frozen=True)
class Item:
    """One file of the vault: what it holds, or why that cannot be told."""

    path: Path
    stored: Stored | None
    error: VaultError | None = None


class Folder:
    """The files of a vault; the folder is made when the first is written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def items(self) -> list[Item]:
        """Read every file, by name; one that cannot be read stops no other.

        Raises:
            VaultUnusable: The folder cannot be read.
        """
        return list(map(_item, self._files()))

    def make(self) -> None:
        """Make the folder, readable for its owner only, if it is not there.

        Raises:
            VaultUnusable: It cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=_FOLDER)
        except OSError as error:
            raise self._unusable(error) from None

    def file_of(self, entry: Entry) -> Path:
        """Return the file in which a pair is kept."""
        return self.path / f"{entry.sha256[:_NAME_DIGITS]}{_SUFFIX}"

    def write(self, path: Path, data: bytes) -> None:
        """Put a file in its place, whole and durably; a crash leaves the old one or the new one.

        Raises:
            VaultUnusable: It cannot be written; the old one is as it was.
        """
        try:
            write_whole(path, data, _FILE)
        except OSError as error:
            raise self._unusable(error) from None

    def destroy(self, path: Path) -> None:
        """Overwrite a file, and remove it.

        Raises:
            VaultUnusable: It cannot be overwritten or removed.
        """
        try:
            overwrite_and_remove(path)
        except OSError as error:
            raise self._unusable(error) from None

    def tidy(self) -> None:
        """Destroy what programs that were killed in the middle of a write have left.

        The caller keeps others from writing.
        """
        for left in self.path.glob(f".*{_SUFFIX}.*"):
            self.destroy(left)

    def _files(self) -> Iterator[Path]:
        try:
            found = sorted(self.path.iterdir()) if self.path.exists() else []
        except OSError as error:
            raise self._unusable(error) from None
        return (path for path in found if path.suffix == _SUFFIX and path.name[0] != ".")

    def _unusable(self, error: OSError) -> VaultUnusable:
        return VaultUnusable(str(self.path), error.strerror or str(error))


def _item(path: Path) -> Item:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES)
        return Item(path, read(data, str(path)))
    except OSError as error:
        return Item(path, None, VaultUnusable(str(path), error.strerror or str(error)))
    except VaultError as error:
        return Item(path, None, error)
