"""A Finished that is well encrypted and wrong: only who verifies it notices.

Made for the suites with AES in CBC mode and SHA-1, which are those that the Registrar takes. The
client's wish for encrypt-then-MAC (RFC 7366) must have been refused.
"""

import hmac
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from usbprov.lab.registrar.keys import Session
from usbprov.lab.registrar.prf import prf
from usbprov.lab.registrar.records import HANDSHAKE, record

NO_ENCRYPT_THEN_MAC = 1 << 19
"""OpenSSL's SSL_OP_NO_ENCRYPT_THEN_MAC, which pyOpenSSL has no name for."""

_MAC_SIZE = 20
_BLOCK = 16
_HEADER = bytes.fromhex("1400000c")
"""Of the message Finished with its 12 bytes (RFC 5246 7.4.9)."""
_TLS11 = 0x0302


def wrong_finished(session: Session, version: bytes, cipher: str) -> bytes:
    """Make the record of a server's Finished with random content (RFC 5246 6.2.3.2, 6.3).

    Args:
        session: Its keys.
        version: The two bytes of its records.
        cipher: OpenSSL's name of the suite.
    """
    size = 32 if "AES256" in cipher else 16
    mac_key, key, iv = _server_keys(session, size)
    content = _HEADER + os.urandom(12)
    told = bytes(8) + bytes([HANDSHAKE]) + version + len(content).to_bytes(2)
    plain = content + hmac.digest(mac_key, told + content, "sha1")
    missing = _BLOCK - len(plain) % _BLOCK
    plain += bytes([missing - 1]) * missing
    explicit = os.urandom(_BLOCK) if session.version >= _TLS11 else b""
    made = Cipher(algorithms.AES(key), modes.CBC(explicit or iv)).encryptor()
    return record(HANDSHAKE, version, explicit + made.update(plain) + made.finalize())


def _server_keys(session: Session, size: int) -> tuple[bytes, bytes, bytes]:
    """Return the server's MAC key, key and first vector (RFC 2246 6.3)."""
    randoms = session.server_random + session.client_random
    block = prf(
        session.version,
        session.master,
        b"key expansion",
        randoms,
        2 * (_MAC_SIZE + size + _BLOCK),
    )
    at = 2 * _MAC_SIZE + size
    return block[_MAC_SIZE : 2 * _MAC_SIZE], block[at : at + size], block[-_BLOCK:]
