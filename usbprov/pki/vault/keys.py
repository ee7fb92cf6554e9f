"""From a passphrase to keys: one scrypt, of which every key of a file of the vault is a part."""

import hmac
import threading
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from usbprov.pki.core_dumps import no_core_dumps
from usbprov.pki.scrypt import Cost, derive

SALT_SIZE = 16
KEY_SIZE = 32
"""Bytes of an AES-256 key, and of a MAC's."""

CHECK_SIZE = 16

_MAC = b"usbprov vault 1 mac"
_CHECK = b"usbprov vault 1 passphrase"


@dataclass(frozen=True)
class Kdf:
    """What scrypt is given besides the passphrase."""

    salt: bytes
    cost: Cost


@dataclass(frozen=True, repr=False)
class Keys:
    """What is derived from a passphrase.

    Attributes:
        encryption: The AES-256 key.
        mac: The key of the MAC over a whole file.
        check: What stands in the file, so that a wrong passphrase is told from altered words. It
            is no help to who guesses: each guess needs the scrypt before.
    """

    encryption: bytes
    mac: bytes
    check: bytes

    def mac_of(self, data: bytes) -> bytes:
        """Return the HMAC-SHA-256 (RFC 2104) of all that a file says."""
        return hmac.digest(self.mac, data, "sha256")


class Passphrase:
    """A passphrase, and what was derived from it in this run. Thread-safe.

    All files of a vault have one salt, so a run works out scrypt once, whatever the number of its
    phones.
    """

    def __init__(self, text: str) -> None:
        self._bytes = text.encode()
        self._known: dict[Kdf, Keys] = {}
        self._lock = threading.Lock()
        no_core_dumps()

    def keys(self, kdf: Kdf) -> Keys:
        """Derive the keys, or return what was derived before."""
        with self._lock:
            if kdf not in self._known:
                self._known[kdf] = self._derive(kdf)
            return self._known[kdf]

    def _derive(self, kdf: Kdf) -> Keys:
        """Derive twice as much as AES needs: its key is the first half, as PBES2 has it."""
        derived = derive(self._bytes, kdf.salt, kdf.cost, 2 * KEY_SIZE)
        further = derived[KEY_SIZE:]
        return Keys(
            derived[:KEY_SIZE],
            _expand(further, _MAC, KEY_SIZE),
            _expand(further, _CHECK, CHECK_SIZE),
        )


def _expand(key: bytes, purpose: bytes, size: int) -> bytes:
    """Derive a key for one purpose (RFC 5869 2.3): scrypt's output is a good key already."""
    return HKDFExpand(hashes.SHA256(), size, purpose).derive(key)
