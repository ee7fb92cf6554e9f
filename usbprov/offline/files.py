"""Carried files on the disk: read within bounds, written whole, for their owner only."""

from pathlib import Path

from usbprov.errors import CarriedNotWritten, NotPrepared, PreparedAltered
from usbprov.files import write_whole
from usbprov.offline.document import Damaged
from usbprov.offline.envelope import MOST_BYTES, Lock, seal, unseal
from usbprov.offline.package import Package, decode_package
from usbprov.offline.requests import MOST_BYTES as MOST_OF_REQUEST
from usbprov.offline.requests import RequestFile, decode_request

_MODE = 0o600


class SealedFile:
    """A prepared file that is open: it can be written again without its passphrase."""

    def __init__(self, path: Path, lock: Lock) -> None:
        self.path = path
        self._lock = lock

    @property
    def name(self) -> str:
        """How it is called in messages: its name without its folder."""
        return self.path.name

    def write(self, package: Package) -> None:
        """Replace its content: whole, durable, and for its owner only.

        Raises:
            CarriedNotWritten: It cannot be written; what was there is there.
        """
        _write(self.path, seal(package.encode(), self._lock))


def open_sealed(path: Path, passphrase: str) -> tuple[SealedFile, Package]:
    """Open a prepared file.

    Raises:
        OfflineError: It cannot be opened; see ``envelope.unseal``.
    """
    data, lock = unseal(_read(path, MOST_BYTES), passphrase, path.name)
    try:
        return SealedFile(path, lock), decode_package(data)
    except Damaged as error:
        raise PreparedAltered(path.name, str(error)) from None


def read_request(path: Path) -> RequestFile:
    """Read a request file; raises as ``decode_request``."""
    return decode_request(_read(path, MOST_OF_REQUEST), path.name)


def write_request(path: Path, request: RequestFile) -> None:
    """Write a request file.

    Raises:
        CarriedNotWritten: It cannot be written; what was there is there.
    """
    _write(path, request.encode())


def _read(path: Path, most: int) -> bytes:
    """Read no more than a byte beyond the bound, so that what is too large can be told."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise NotPrepared(path.name, error.strerror or "it cannot be read") from None


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data, _MODE)
    except OSError as error:
        raise CarriedNotWritten(path.name, error.strerror or str(error)) from None
