"""AES-CBC by OpenSSL in the inner handshake's records: the library does it in Python.

Only two records of a handshake are encrypted, but to make a key ready takes the library longer
than all else that it does to them.
"""

from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from usbprov.registrar.tlslite_names import AES, RecordLayer, create_aes

_CBC = 2
"""The library's number of the mode (PEP 272)."""


class OpenSslRecords(RecordLayer):  # type: ignore[misc]  # the library is not typed
    """The library's record layer, whose AES-CBC is that of OpenSSL."""

    @staticmethod
    def _getCipherSettings(suite: int) -> tuple[int, int, Any]:  # noqa: N802 - the library's
        key_length, iv_length, create = RecordLayer._getCipherSettings(suite)  # noqa: SLF001
        return key_length, iv_length, AesCbc if create is create_aes else create


class AesCbc(AES):  # type: ignore[misc]  # the library is not typed
    """The cipher of one direction; each record goes on where the one before ended."""

    def __init__(self, key: bytearray, iv: bytearray, _implementations: object = ()) -> None:
        """Take a key of 16 or 32 bytes and an initialisation vector of 16."""
        super().__init__(key, _CBC, iv, "openssl")
        cipher = Cipher(algorithms.AES(bytes(key)), modes.CBC(bytes(iv)))
        self._encryptor: CipherContext = cipher.encryptor()
        self._decryptor: CipherContext = cipher.decryptor()

    def encrypt(self, plaintext: bytearray) -> bytearray:
        """Encrypt whole blocks."""
        super().encrypt(plaintext)
        return bytearray(self._encryptor.update(bytes(plaintext)))

    def decrypt(self, ciphertext: bytearray) -> bytearray:
        """Decrypt whole blocks."""
        super().decrypt(ciphertext)
        return bytearray(self._decryptor.update(bytes(ciphertext)))
