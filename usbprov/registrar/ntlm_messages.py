"""The two messages of connectionless NTLM ([MS-NLMP] 2.2.1.2, 2.2.1.3): bytes and values. No I/O.

There is no first one: over SIP the server speaks first ([MS-SIPAE] 3.2.5.1).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag

_SIGNATURE = b"NTLMSSP\0"
_CHALLENGE = 2
_AUTHENTICATE = 3
_CHALLENGE_HEAD = struct.Struct("<8sIHHII8s8xHHI")
_HEADER_BYTES = 72
"""Of an AUTHENTICATE_MESSAGE with its version and without MIC, as the known clients send it."""


class Flag(IntFlag):
    """NEGOTIATE flags ([MS-NLMP] 2.2.2.5), those that are used."""

    UNICODE = 0x00000001
    REQUEST_TARGET = 0x00000004
    SIGN = 0x00000010
    DATAGRAM = 0x00000040
    NTLM = 0x00000200
    ALWAYS_SIGN = 0x00008000
    EXTENDED_SESSION_SECURITY = 0x00080000
    IDENTIFY = 0x00100000
    TARGET_INFO = 0x00800000
    KEY_128 = 0x20000000
    KEY_EXCHANGE = 0x40000000
    KEY_56 = 0x80000000


class NotNtlm(ValueError):
    """Raised when bytes are no CHALLENGE_MESSAGE; the text repeats nothing of them."""


@dataclass(frozen=True)
class NtlmChallenge:
    """A CHALLENGE_MESSAGE.

    Attributes:
        flags: What the server offers.
        nonce: Its eight random bytes.
        target_info: Its AV_PAIRs, as on the wire, to be sent back.
        timestamp: Its time (MsvAvTimestamp, a FILETIME of eight bytes), or ``b""``.
    """

    flags: int
    nonce: bytes
    target_info: bytes
    timestamp: bytes


def parse_challenge(token: bytes) -> NtlmChallenge:
    """Read a CHALLENGE_MESSAGE.

    Raises:
        NotNtlm: It is none, or is cut off.
    """
    if len(token) < _CHALLENGE_HEAD.size:
        raise NotNtlm("it is too short")
    head = _CHALLENGE_HEAD.unpack_from(token)
    signature, kind, _, _, _, flags, nonce, length, _, offset = head
    if (signature, kind) != (_SIGNATURE, _CHALLENGE):
        raise NotNtlm("it is no CHALLENGE_MESSAGE")
    info = token[offset : offset + length]
    if len(info) != length:
        raise NotNtlm("it is cut off")
    return NtlmChallenge(flags, nonce, info, _pairs(info).get(_TIMESTAMP, b""))


_END = 0
_TIMESTAMP = 7


def _pairs(info: bytes) -> Mapping[int, bytes]:
    """Read AV_PAIRs ([MS-NLMP] 2.2.2.1)."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(info):
        kind, length = struct.unpack_from("<HH", info, at)
        value = info[at + 4 : at + 4 + length]
        if kind == _END:
            return found
        if len(value) != length:
            break
        found[kind] = value
        at += 4 + length
    raise NotNtlm("its target information has no end")


@dataclass(frozen=True)
class NtlmAnswer:
    """An AUTHENTICATE_MESSAGE.

    Attributes:
        flags: What was agreed on.
        domain: The account's domain, or ``""``.
        user: The account.
        lm_response: LMv2 response.
        nt_response: NTLMv2 response.
        session_key: The session key, encrypted.
    """

    flags: int
    domain: str
    user: str
    lm_response: bytes = field(repr=False)
    nt_response: bytes = field(repr=False)
    session_key: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """Write the message; no workstation is named, no MIC given."""
        names = (self.domain.encode("utf-16-le"), self.user.encode("utf-16-le"), b"")
        payload, fields = b"", []
        for value in (self.lm_response, self.nt_response, *names, self.session_key):
            place = _HEADER_BYTES + len(payload)
            fields.append(struct.pack("<HHI", len(value), len(value), place))
            payload += value
        head = _SIGNATURE + struct.pack("<I", _AUTHENTICATE) + b"".join(fields)
        return head + struct.pack("<I", self.flags) + bytes(8) + payload
