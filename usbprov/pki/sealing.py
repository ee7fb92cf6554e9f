"""Sealing a private key against a crash: AES-256-GCM under a key of this computer.

A sealed key is a nonce of 12 random bytes and the ciphertext with its tag of 16 bytes (NIST
SP 800-38D). It is bound to what it is for: a job's number and nonce are authenticated with it, so
that it opens for no other job.
"""

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from usbprov.pki.core_dumps import no_core_dumps

KEY_SIZE = 32
"""Bytes of a sealing key."""

_NONCE_SIZE = 12
_NAME_DIGITS = 16
_WHAT = b"usbprov sealed key 1"


class SealingKey:
    """A key that seals and opens; it shows nothing of itself."""

    def __init__(self, key: bytes) -> None:
        """Take 32 random bytes.

        Raises:
            ValueError: It is of another length.
        """
        if len(key) != KEY_SIZE:
            raise ValueError("it is not of the right length")
        no_core_dumps()
        self._cipher = AESGCM(key)
        self.name = hashlib.sha256(_WHAT + key).hexdigest()[:_NAME_DIGITS]
        """By what it is told from others: the beginning of a digest."""

    def seal(self, data: bytes, purpose: bytes) -> bytes:
        """Encrypt ``data`` for one purpose."""
        nonce = os.urandom(_NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, data, _WHAT + purpose)

    def open(self, sealed: bytes, purpose: bytes) -> bytes:
        """Decrypt what was sealed for the same purpose.

        Raises:
            ValueError: It is damaged, is for another purpose, or another key sealed it.
        """
        nonce, data = sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:]
        try:
            return self._cipher.decrypt(nonce, data, _WHAT + purpose)
        except (InvalidTag, ValueError):
            raise ValueError("it cannot be opened") from None


def new_key() -> bytes:
    """Draw a sealing key."""
    return os.urandom(KEY_SIZE)
