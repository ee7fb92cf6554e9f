"""MD4 (RFC 1320): passwords are hashed with it for NTLM, and no library has it any more."""

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

_MASK = 0xFFFFFFFF
_BLOCK = 64


class _Round(NamedTuple):
    """One of the three: its function, constant, order of words, and shifts."""

    mix: Callable[[int, int, int], int]
    constant: int
    order: Sequence[int]
    shifts: Sequence[int]


_ROUNDS = (
    _Round(lambda x, y, z: x & y | ~x & z, 0, range(16), (3, 7, 11, 19)),
    _Round(
        lambda x, y, z: x & y | x & z | y & z,
        0x5A827999,
        [column + 4 * row for column in range(4) for row in range(4)],
        (3, 5, 9, 13),
    ),
    _Round(
        lambda x, y, z: x ^ y ^ z,
        0x6ED9EBA1,
        [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
        (3, 9, 11, 15),
    ),
)


def md4(data: bytes) -> bytes:
    """Return the digest, 16 bytes."""
    padded = data + b"\x80" + bytes(-(len(data) + 9) % _BLOCK) + struct.pack("<Q", 8 * len(data))
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    for at in range(0, len(padded), _BLOCK):
        mixed = _mixed(state, struct.unpack("<16I", padded[at : at + _BLOCK]))
        state = [old + new & _MASK for old, new in zip(state, mixed, strict=True)]
    return struct.pack("<4I", *state)


def _mixed(state: Sequence[int], words: Sequence[int]) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for part in _ROUNDS:
        for step, word in enumerate(part.order):
            total = a + part.mix(b, c, d) + words[word] + part.constant & _MASK
            shift = part.shifts[step % 4]
            a, b, c, d = d, (total << shift | total >> 32 - shift) & _MASK, b, c
    return a, b, c, d
