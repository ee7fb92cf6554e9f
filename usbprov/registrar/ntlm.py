"""NTLM over SIP: connectionless NTLMv2, and signatures with its session security.

[MS-NLMP] 3.1.5.2 and 3.3.2 (the answer), 3.4 (signatures), [MS-SIPAE] 3.2.5 (their use in SIP).
Nothing weaker than NTLMv2 with extended session security is spoken.
"""

import hashlib
import hmac
import secrets
import struct
import time
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher

from usbprov.errors import RegistrarAnswerInvalid
from usbprov.registrar.md4 import md4
from usbprov.registrar.ntlm_messages import (
    Flag,
    NotNtlm,
    NtlmAnswer,
    NtlmChallenge,
    parse_challenge,
)

SEQUENCE = 100
"""The sequence number of every signature in SIP ([MS-SIPAE] 3.2.5.2)."""

NEEDED = (
    Flag.UNICODE
    | Flag.SIGN
    | Flag.DATAGRAM
    | Flag.EXTENDED_SESSION_SECURITY
    | Flag.TARGET_INFO
    | Flag.KEY_EXCHANGE
)
"""What a server must offer: without one of these it would be another protocol, or a weaker one."""

_WELCOME = Flag.NTLM | Flag.ALWAYS_SIGN | Flag.IDENTIFY | Flag.KEY_128 | Flag.KEY_56
_FILETIME_OF_1970 = 116_444_736_000_000_000
_TICKS = 10_000_000
_KEY_BYTES = 16
_NONCE_BYTES = 8
_CHECKSUM = slice(0, 8)

_MAGIC = "session key to {} {} key magic constant\0"
_OWN, _SERVERS = "client-to-server", "server-to-client"


class Ntlm:
    """The association by a Windows account."""

    scheme = "NTLM"
    protocol = ""
    cipher = ""

    def __init__(self, login: str, password: str, server: str) -> None:
        r"""Prepare; the password is not kept, but what NTLM makes of it is.

        Args:
            login: ``DOMAIN\user`` or ``user@realm``.
            password: Its password.
            server: Whom it is with, for errors.
        """
        self._account = Account.of(login)
        self._secret = self._account.secret(password)
        self._server = server
        self._security: SessionSecurity | None = None

    @property
    def ready(self) -> bool:
        """Whether the answer to the server's challenge has been made."""
        return self._security is not None

    @property
    def committed(self) -> bool:
        """Whether the account has been put to use."""
        return self.ready

    def begin(self) -> bytes:
        """Return nothing: the server begins."""
        return b""

    def step(self, token: bytes) -> bytes | None:
        """Answer the server's challenge.

        Raises:
            RegistrarAnswerInvalid: It is none, or offers too little.
        """
        try:
            challenge = parse_challenge(token)
        except NotNtlm as error:
            problem = f"its NTLM challenge cannot be read: {error}"
            raise RegistrarAnswerInvalid(self._server, problem) from None
        missing = NEEDED & ~challenge.flags
        if missing:
            problem = f"its NTLM is too weak: it lacks {missing.name}"
            raise RegistrarAnswerInvalid(self._server, problem)
        draw = Draw.fresh(challenge)
        answer, session_key = respond(challenge, self._account, self._secret, draw)
        self._security = SessionSecurity(session_key, answer.flags)
        return answer.to_bytes()

    def sign(self, text: bytes) -> str:
        """Return our signature, in capital hex digits."""
        assert self._security is not None  # noqa: S101 - it is ready
        return self._security.own(text).hex().upper()

    def verify(self, text: bytes, signature: str) -> bool:
        """Say whether a signature is the server's."""
        assert self._security is not None  # noqa: S101 - it is ready
        expected = self._security.servers(text).hex()
        return hmac.compare_digest(expected.encode(), signature.lower().encode())


@dataclass(frozen=True)
class Account:
    """A Windows account; one written as ``user@realm`` has no domain of its own."""

    domain: str
    user: str

    @classmethod
    def of(cls, login: str) -> "Account":
        r"""Read ``DOMAIN\user`` or ``user@realm``."""
        domain, _, user = login.rpartition("\\")
        return cls(domain, user)

    def secret(self, password: str) -> bytes:
        """Return NTOWFv2, which is all that NTLMv2 needs of a password ([MS-NLMP] 3.3.2)."""
        key = md4(password.encode("utf-16-le", "surrogatepass"))
        return _hmac_md5(key, (self.user.upper() + self.domain).encode("utf-16-le"))


@dataclass(frozen=True)
class Draw:
    """What is drawn for one answer: nonce, session key, and the time (FILETIME, eight bytes)."""

    nonce: bytes
    session_key: bytes = field(repr=False)
    timestamp: bytes

    @classmethod
    def fresh(cls, challenge: NtlmChallenge) -> "Draw":
        """Draw at random; the server's time counts if it has told one."""
        now = struct.pack("<Q", int(time.time() * _TICKS) + _FILETIME_OF_1970)
        own = secrets.token_bytes(_NONCE_BYTES), secrets.token_bytes(_KEY_BYTES)
        return cls(*own, challenge.timestamp or now)


def respond(
    challenge: NtlmChallenge, account: Account, secret: bytes, draw: Draw
) -> tuple[NtlmAnswer, bytes]:
    """Answer a challenge by NTLMv2 ([MS-NLMP] 3.3.2); return the answer and the session key."""
    flags = challenge.flags & (NEEDED | _WELCOME) | Flag.REQUEST_TARGET
    blob = b"".join(
        (b"\1\1", bytes(6), draw.timestamp, draw.nonce, bytes(4), challenge.target_info, bytes(4))
    )
    proof = _hmac_md5(secret, challenge.nonce + blob)
    if challenge.timestamp:  # then there is none (3.1.5.1.2)
        lm_response = bytes(24)
    else:
        lm_response = _hmac_md5(secret, challenge.nonce + draw.nonce) + draw.nonce
    encrypted = _rc4(_hmac_md5(secret, proof), draw.session_key)
    answer = NtlmAnswer(flags, account.domain, account.user, lm_response, proof + blob, encrypted)
    return answer, draw.session_key


class SessionSecurity:
    """Signatures of both sides ([MS-NLMP] 3.4.4.2), each with a key of its own."""

    def __init__(self, session_key: bytes, flags: int) -> None:
        """Derive the keys.

        Args:
            session_key: The exported session key.
            flags: As agreed on; they say how long the sealing key is.
        """
        self._own = _signer(session_key, flags, _OWN)
        self._servers = _signer(session_key, flags, _SERVERS)

    def own(self, text: bytes) -> bytes:
        """Return the client's signature over a text: 16 bytes."""
        return self._own.sign(text)

    def servers(self, text: bytes) -> bytes:
        """Return what the server's signature over a text must be."""
        return self._servers.sign(text)


@dataclass(frozen=True)
class _Signer:
    signing: bytes = field(repr=False)
    sealing: bytes = field(repr=False)

    def sign(self, text: bytes) -> bytes:
        number = struct.pack("<I", SEQUENCE)
        checksum = _hmac_md5(self.signing, number + text)[_CHECKSUM]
        # Without a connection the cipher begins anew with each message (3.4.2).
        sealed = _rc4(_md5(self.sealing + number), checksum)
        return struct.pack("<I", 1) + sealed + number


def _signer(session_key: bytes, flags: int, way: str) -> _Signer:
    signing = _md5(session_key + _MAGIC.format(way, "signing").encode())
    shortened = session_key[: _sealing_bytes(flags)]
    return _Signer(signing, _md5(shortened + _MAGIC.format(way, "sealing").encode()))


def _sealing_bytes(flags: int) -> int:
    """Return how much of the session key is used to seal ([MS-NLMP] 3.4.5.3)."""
    if flags & Flag.KEY_128:
        return 16
    return 7 if flags & Flag.KEY_56 else 5


def _hmac_md5(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "md5")


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _rc4(key: bytes, data: bytes) -> bytes:
    return Cipher(ARC4(key), mode=None).encryptor().update(data)
