"""NTLM version 2 without connection ([MS-NLMP] 1.3.1.3), the server's side; no I/O.

There is no NEGOTIATE_MESSAGE: the server begins, and says by the datagram flag what it is about.
Each message is signed as if it were the only one, with a fixed number ([MS-SIPAE] 3.1).
"""

import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher

from usbprov.lab.registrar.md4 import md4

SEQUENCE = 100
"""The number in every signature."""

_MAGIC = b"NTLMSSP\x00"
_VERSION = bytes.fromhex("0a00000000000f00")
_MIC = slice(72, 88)
_HAS_MIC = 2
_SMALLEST_PROOF = 16 + 28 + 4


class Flag(IntFlag):
    """What is negotiated ([MS-NLMP] 2.2.2.5)."""

    UNICODE = 0x00000001
    REQUEST_TARGET = 0x00000004
    SIGN = 0x00000010
    SEAL = 0x00000020
    DATAGRAM = 0x00000040
    NTLM = 0x00000200
    ALWAYS_SIGN = 0x00008000
    TARGET_TYPE_DOMAIN = 0x00010000
    EXTENDED_SESSION_SECURITY = 0x00080000
    IDENTIFY = 0x00100000
    TARGET_INFO = 0x00800000
    VERSION = 0x02000000
    STRONG = 0x20000000
    KEY_EXCHANGE = 0x40000000
    MEDIUM = 0x80000000


OFFERED = Flag(sum(Flag))
_NEEDED = Flag.UNICODE | Flag.SIGN | Flag.DATAGRAM | Flag.NTLM | Flag.EXTENDED_SESSION_SECURITY


class Pair(IntEnum):
    """The kinds of attribute-value pairs that are used ([MS-NLMP] 2.2.2.1)."""

    END = 0
    COMPUTER = 1
    DOMAIN = 2
    DNS_COMPUTER = 3
    DNS_DOMAIN = 4
    FLAGS = 6


class NtlmError(Exception):
    """Raised when a client's message is wrong, or its proof is; the text says which part."""


def challenge_message(challenge: bytes, domain: str, computer: str) -> bytes:
    """Make the server's first message ([MS-NLMP] 2.2.1.2).

    Args:
        challenge: 8 random bytes.
        domain: NetBIOS name of the domain.
        computer: The server's DNS name.
    """
    names = (
        (Pair.DOMAIN, domain),
        (Pair.COMPUTER, computer.partition(".")[0].upper()[:15]),
        (Pair.DNS_COMPUTER, computer),
        (Pair.END, ""),
    )
    info = b"".join(_pair(kind, text) for kind, text in names)
    target = domain.encode("utf-16-le")
    at = 56
    return b"".join(
        (
            _MAGIC,
            struct.pack("<I", 2),
            _place(target, at),
            struct.pack("<I", OFFERED),
            challenge,
            bytes(8),
            _place(info, at + len(target)),
            _VERSION,
            target,
            info,
        )
    )


@dataclass(frozen=True)
class Authenticate:
    """The client's message ([MS-NLMP] 2.2.1.3), as far as it is used.

    Attributes:
        domain: As it was sent; may be empty.
        user: As it was sent.
        proof: NTLMv2 response: 16 bytes, then what they were made over.
        session_key: The encrypted session key; empty without key exchange.
        flags: What the client wants of what was offered.
        message: All of it.
    """

    domain: str
    user: str
    proof: bytes = field(repr=False)
    session_key: bytes = field(repr=False)
    flags: Flag
    message: bytes = field(repr=False)

    @property
    def has_mic(self) -> bool:
        """Whether the client says that it protects the whole exchange."""
        flags = pairs(self.proof[16 + 28 :]).get(Pair.FLAGS, b"")
        return bool(int.from_bytes(flags, "little") & _HAS_MIC)


def read_authenticate(message: bytes) -> Authenticate:
    """Read the client's message.

    Raises:
        NtlmError: It is none, or does not want what is needed for signing.
    """
    if len(message) < 64 or message[:8] != _MAGIC or message[8:12] != b"\x03\0\0\0":
        raise NtlmError("no AUTHENTICATE_MESSAGE")
    flags = Flag(int.from_bytes(message[60:64], "little") & OFFERED)
    if flags & _NEEDED != _NEEDED:
        raise NtlmError("flags")
    made = Authenticate(
        _text(_part(message, 28)),
        _text(_part(message, 36)),
        _part(message, 20),
        _part(message, 52) if flags & Flag.KEY_EXCHANGE else b"",
        flags,
        message,
    )
    if len(made.proof) < _SMALLEST_PROOF:
        raise NtlmError("no NTLMv2 response")
    return made


@dataclass(frozen=True)
class SessionKeys:
    """What signs: two keys, and whether their signatures are encrypted.

    Attributes:
        signing: Of one direction, 16 bytes.
        sealing: Of the same direction.
        encrypted: Whether a key was exchanged.
    """

    signing: bytes = field(repr=False)
    sealing: bytes = field(repr=False)
    encrypted: bool

    def sign(self, text: bytes, number: int = SEQUENCE) -> bytes:
        """Sign ([MS-NLMP] 3.4.4.2), with a fresh cipher for this number (3.4.4, connectionless)."""
        told = struct.pack("<I", number)
        checksum = hmac.digest(self.signing, told + text, "md5")[:8]
        if self.encrypted:
            checksum = _rc4(hashlib.md5(self.sealing + told).digest(), checksum)  # noqa: S324
        return struct.pack("<I", 1) + checksum + told


def verify_proof(
    sent: Authenticate, challenge: bytes, password: str, challenge_sent: bytes
) -> tuple[SessionKeys, SessionKeys]:
    """Verify that the client knows the password ([MS-NLMP] 3.3.2).

    Args:
        sent: The client's message.
        challenge: The 8 bytes that it answers.
        password: The user's.
        challenge_sent: The whole message in which they were sent.

    Returns:
        The keys of the client's and of the server's direction.

    Raises:
        NtlmError: The client does not know it, or has left part of the exchange unprotected.
    """
    owf = ntowf_v2(password, sent.user, sent.domain)
    proof, made_over = sent.proof[:16], sent.proof[16:]
    if not hmac.compare_digest(proof, hmac.digest(owf, challenge + made_over, "md5")):
        raise NtlmError("the proof is wrong")
    key = hmac.digest(owf, proof, "md5")
    if sent.flags & Flag.KEY_EXCHANGE:
        if len(sent.session_key) != 16:
            raise NtlmError("no session key")
        key = _rc4(key, sent.session_key)
    if sent.has_mic and not hmac.compare_digest(
        sent.message[_MIC], _mic(key, sent, challenge_sent)
    ):
        raise NtlmError("the MIC is wrong")
    return session_keys(key, sent.flags, "client", "server"), session_keys(
        key, sent.flags, "server", "client"
    )


def ntowf_v2(password: str, user: str, domain: str) -> bytes:
    """Hash a password ([MS-NLMP] 3.3.2)."""
    text = (user.upper() + domain).encode("utf-16-le")
    return hmac.digest(md4(password.encode("utf-16-le")), text, "md5")


def session_keys(key: bytes, flags: Flag, sender: str, receiver: str) -> SessionKeys:
    """Derive the keys of one direction ([MS-NLMP] 3.4.5.2, 3.4.5.3).

    Args:
        key: The exported session key.
        flags: What was negotiated.
        sender: ``client`` or ``server``.
        receiver: The other one.
    """
    size = 16 if flags & Flag.STRONG else 7 if flags & Flag.MEDIUM else 5
    words = f"session key to {sender}-to-{receiver} %s key magic constant\0"
    signing, sealing = (
        hashlib.md5(part + (words % name).encode()).digest()  # noqa: S324 - the protocol's
        for part, name in ((key, "signing"), (key[:size], "sealing"))
    )
    return SessionKeys(signing, sealing, bool(flags & Flag.KEY_EXCHANGE))


def pairs(data: bytes) -> dict[int, bytes]:
    """Read attribute-value pairs, up to their end or to where they are damaged."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        kind, size = struct.unpack_from("<HH", data, at)
        if kind == Pair.END:
            break
        found[kind] = data[at + 4 : at + 4 + size]
        at += 4 + size
    return found


def _mic(key: bytes, sent: Authenticate, challenge_sent: bytes) -> bytes:
    """Return the MIC that the message must have: over all messages, its own field zero."""
    message = bytearray(sent.message)
    message[_MIC] = bytes(16)
    return hmac.digest(key, challenge_sent + bytes(message), "md5")


def _pair(kind: Pair, text: str) -> bytes:
    value = text.encode("utf-16-le")
    return struct.pack("<HH", kind, len(value)) + value


def _place(content: Sequence[int], at: int) -> bytes:
    return struct.pack("<HHI", len(content), len(content), at)


def _part(message: bytes, at: int) -> bytes:
    size, _, offset = struct.unpack_from("<HHI", message, at)
    if offset + size > len(message):
        raise NtlmError("a field beyond the message")
    return message[offset : offset + size]


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-16-le")
    except UnicodeDecodeError:
        raise NtlmError("no UTF-16") from None


def _rc4(key: bytes, data: bytes) -> bytes:
    cipher = Cipher(ARC4(key), None).encryptor()
    return cipher.update(data) + cipher.finalize()
