"""PKCS#8 ``EncryptedPrivateKeyInfo`` (RFC 5958 3) with PBES2 (RFC 8018 6.2): scrypt, AES-256-CBC.

Every program that knows scrypt in PBES2 (RFC 7914 section 7) opens it: ``openssl pkey -in FILE``.
Only the one form that is written here is read.
"""

import base64

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from usbprov.pki.vault.keys import Kdf

BLOCK = 16
"""Bytes of a block of AES, and of the initialisation vector."""

_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")
"""Object identifiers in DER: 1.2.840.113549.1.5.13, 1.3.6.1.4.1.11591.4.11, and
2.16.840.1.101.3.4.1.42."""

_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04
_LINE = 64
_BEGIN = "-----BEGIN ENCRYPTED PRIVATE KEY-----"
_END = "-----END ENCRYPTED PRIVATE KEY-----"


def encrypt(pkcs8: bytes, key: bytes, kdf: Kdf, iv: bytes) -> bytes:
    """Encrypt a private key.

    Args:
        pkcs8: The key, PKCS#8 DER.
        key: 32 bytes, the beginning of what scrypt gives.
        kdf: How that was derived, for the file.
        iv: 16 random bytes.

    Returns:
        ``EncryptedPrivateKeyInfo``, DER.
    """
    padder = PKCS7(8 * BLOCK).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    padded = padder.update(pkcs8) + padder.finalize()
    return _info(kdf, iv, encryptor.update(padded) + encryptor.finalize())


def decrypt(info: bytes, key: bytes, kdf: Kdf, iv: bytes) -> bytes:
    """Decrypt what ``encrypt`` made with the same arguments; returns PKCS#8 DER.

    Raises:
        ValueError: It is of another form, or the key is another one.
    """
    data = _data(info, kdf, iv)
    if _info(kdf, iv, data) != info:
        raise ValueError("it is not the key that the description tells of")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = PKCS7(8 * BLOCK).unpadder()
    padded = decryptor.update(data) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()


def to_pem(info: bytes) -> str:
    """Write it as PEM (RFC 7468 section 11)."""
    text = base64.b64encode(info).decode("ascii")
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def from_pem(pem: str) -> bytes:
    """Read what ``to_pem`` wrote.

    Raises:
        ValueError: It is not of that form.
    """
    lines = pem.splitlines()
    if lines[:1] != [_BEGIN] or lines[-1:] != [_END]:
        raise ValueError("there is no key in it")
    info = base64.b64decode("".join(lines[1:-1]), validate=True)
    if to_pem(info) != pem:
        raise ValueError("its key is not written in the usual form")
    return info


def _info(kdf: Kdf, iv: bytes, data: bytes) -> bytes:
    return _sequence(_algorithm(kdf, iv), _octets(data))


def _algorithm(kdf: Kdf, iv: bytes) -> bytes:
    cost = kdf.cost
    # keyLength is optional, and OpenSSL leaves it out: AES-256 says it.
    parameters = (_octets(kdf.salt), _integer(cost.n), _integer(cost.r), _integer(cost.p))
    derivation = _sequence(_SCRYPT, _sequence(*parameters))
    encryption = _sequence(_AES_256_CBC, _octets(iv))
    return _sequence(_PBES2, _sequence(derivation, encryption))


def _data(info: bytes, kdf: Kdf, iv: bytes) -> bytes:
    """Return what follows the algorithm, tag and length; whether they are right is seen later."""
    octets = info.partition(_algorithm(kdf, iv))[2]
    further = octets[1] & 0x7F if octets[1:2] >= b"\x80" else 0
    return octets[2 + further :]


def _sequence(*parts: bytes) -> bytes:
    return _tlv(_SEQUENCE, b"".join(parts))


def _octets(data: bytes) -> bytes:
    return _tlv(_OCTETS, data)


def _integer(value: int) -> bytes:
    return _tlv(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _tlv(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + _length(len(content)) + content


def _length(size: int) -> bytes:
    """Write a length (X.690 8.1.3)."""
    if size < 0x80:
        return bytes([size])
    written = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(written)]) + written
