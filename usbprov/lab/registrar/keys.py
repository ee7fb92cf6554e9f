"""The signing keys that a TLS-DSK handshake leaves ([MS-SIPAE] 3.2.5.1)."""

import hmac
from dataclasses import dataclass, field

from usbprov.lab.registrar.prf import prf

_LABEL = b"client EAP encryption"
_SIZE = 128
_CLIENT = slice(64, 96)
_SERVER = slice(96, 128)


@dataclass(frozen=True)
class DskKeys:
    """The two keys, 32 bytes each.

    Attributes:
        client: Signs what the client sends.
        server: Signs what the server sends.
    """

    client: bytes = field(repr=False)
    server: bytes = field(repr=False)


@dataclass(frozen=True)
class Session:
    """What a TLS handshake has agreed on.

    Attributes:
        version: Of the protocol: 0x0301 to 0x0303.
        master: The master secret.
        client_random: ClientHello.random, 32 bytes.
        server_random: ServerHello.random, likewise.
    """

    version: int
    master: bytes = field(repr=False)
    client_random: bytes
    server_random: bytes


def derive_keys(session: Session) -> DskKeys:
    """Derive the keys as EAP-TLS does (RFC 5216 2.3, RFC 2716 3.5)."""
    randoms = session.client_random + session.server_random
    material = prf(session.version, session.master, _LABEL, randoms, _SIZE)
    return DskKeys(material[_CLIENT], material[_SERVER])


def signature(key: bytes, text: str, mac: str = "sha1") -> str:
    """Sign a message's string.

    Args:
        key: 32 bytes.
        text: The string of ``signatures``.
        mac: The hash of the inner cipher suite's MAC.

    Returns:
        Lower-case hex, as servers write it.
    """
    return hmac.digest(key, text.encode(), mac).hex()
