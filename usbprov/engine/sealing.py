"""A host-made key is sealed in the ledger before the phone gets it, and wiped when it is proved.

The key that seals is not in the ledger: it is a file beside it, or stands in the system's keyring.
It is this computer's own; what another computer sealed cannot be opened here.
"""

import os
import platform
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from usbprov.engine.job import Job, known
from usbprov.errors import SealingKeyUnusable
from usbprov.files import whole_file
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import Sealed

if TYPE_CHECKING:
    from usbprov.pki.sealing import SealingKey

# ruff: noqa: PLC0415 - only where this computer makes keys

_SUFFIX = ".sealing-key"
_SERVICE = "usbprov sealing key"
_OWNER_ONLY = 0o600

SealingKeys = Callable[[Ledger], "SealingKey"]
"""Gives the key by which keys are sealed in a ledger, making it when it is first needed."""


class SealUnopened(Exception):
    """Raised when a sealed key cannot be opened here; it never leaves the engine."""


def seal(job: Job, pkcs8: bytes) -> None:
    """Seal a private key (DER) for this job; the ledger has it with its next write."""
    key = (job.sealing or file_key)(job.ledger)
    sealed = key.seal(pkcs8, _purpose(job))
    kept = Sealed(datetime.now(UTC), platform.node(), key.name, sealed)
    job.ledger.seal(known(job.record).id, kept)


def unseal(job: Job) -> bytes | None:
    """Return the private key (DER) that was sealed for this job, or None where none is.

    Raises:
        SealUnopened: It cannot be opened here; it says why.
    """
    sealed = job.ledger.sealed(known(job.record).id)
    if sealed is None:
        return None
    key = (job.sealing or file_key)(job.ledger)
    if key.name != sealed.sealing_key:
        raise SealUnopened(f"it was sealed on {sealed.computer} with a key that is not here")
    try:
        return key.open(sealed.data, _purpose(job))
    except ValueError:
        raise SealUnopened("what was sealed is damaged") from None


def _purpose(job: Job) -> bytes:
    """Return what binds a sealed key to its job: the number, and the nonce that the phone gets."""
    return b" job %d " % known(job.record).id + job.nonce


# --- where the sealing key is kept


def file_key(ledger: Ledger) -> "SealingKey":
    """Return the key of the file beside the ledger.

    Raises:
        SealingKeyUnusable: It cannot be made, or others could read it.
    """
    from usbprov.pki.sealing import SealingKey, new_key

    path = ledger.path.with_name(ledger.path.name + _SUFFIX)
    try:
        if not path.exists():
            _make(path, new_key())
        _refuse_shared(path)
        return SealingKey(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SealingKeyUnusable(str(path), getattr(error, "strerror", "") or str(error)) from None


def _make(path: Path, key: bytes) -> None:
    """Write the file; of several that do it at the same time the first one's counts."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with whole_file(path, _OWNER_ONLY, instead=False) as unfinished:
            unfinished.write_bytes(key)
    except FileExistsError:
        return


def _refuse_shared(path: Path) -> None:
    """Refuse a file that others may read, where rights are as on Unix."""
    if sys.platform != "win32":
        found = path.stat()
        if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO) or found.st_uid not in {os.geteuid(), 0}:
            raise SealingKeyUnusable(str(path), "others can read or change it")


def keyring_key(ledger: Ledger) -> "SealingKey":
    """Return the key that the system's keyring has for this ledger.

    Raises:
        KeyringMissing: The extra is not installed.
        KeyringUnusable: The keyring cannot be used, or what it has is no key.
    """
    from usbprov.errors import KeyringUnusable
    from usbprov.pki import keyrings
    from usbprov.pki.sealing import SealingKey, new_key

    name = str(ledger.path.absolute())
    kept = keyrings.read(_SERVICE, name)
    if kept is None:
        keyrings.write(_SERVICE, name, new_key().hex())
        kept = keyrings.read(_SERVICE, name)  # another program may have been first
    try:
        return SealingKey(bytes.fromhex(kept or ""))
    except ValueError:
        raise KeyringUnusable(f"what it has as {_SERVICE!r} is no key") from None
