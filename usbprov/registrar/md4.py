"""MD4 (RFC 1320), which NTLM hashes passwords with, and OpenSSL 3 does not have by default."""

import struct
from collections.abc import Callable, Iterator

_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_WORD = 0xFFFFFFFF
_BLOCK = 64


def _choose(x: int, y: int, z: int) -> int:
    return (x & y) | (~x & z)


def _majority(x: int, y: int, z: int) -> int:
    return (x & y) | (x & z) | (y & z)


def _parity(x: int, y: int, z: int) -> int:
    return x ^ y ^ z


_Round = tuple[Callable[[int, int, int], int], int, tuple[int, ...], tuple[int, ...]]
_ROUNDS: tuple[_Round, ...] = (
    (_choose, 0x00000000, (3, 7, 11, 19), (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)),
    (_majority, 0x5A827999, (3, 5, 9, 13), (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)),
    (_parity, 0x6ED9EBA1, (3, 9, 11, 15), (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)),
)
"""Function, constant, rotations and order of the words of each round."""


def md4(data: bytes) -> bytes:
    """Return the digest: 16 bytes. It protects nothing; it is what the protocol asks for."""
    state: tuple[int, ...] = _START
    for words in _blocks(data):
        mixed = state
        for turn in _ROUNDS:
            mixed = _mix(mixed, words, turn)
        state = tuple((old + new) & _WORD for old, new in zip(state, mixed, strict=True))
    return struct.pack("<4I", *state)


def _blocks(data: bytes) -> Iterator[tuple[int, ...]]:
    padding = b"\x80" + bytes(-(len(data) + 9) % _BLOCK)
    padded = data + padding + struct.pack("<Q", len(data) * 8)
    return struct.iter_unpack("<16I", padded)


def _mix(state: tuple[int, ...], words: tuple[int, ...], turn: _Round) -> tuple[int, ...]:
    function, constant, rotations, order = turn
    a, b, c, d = state
    for step, index in enumerate(order):
        total = (a + function(b, c, d) + words[index] + constant) & _WORD
        shift = rotations[step % 4]
        a, b, c, d = d, ((total << shift) | (total >> (32 - shift))) & _WORD, b, c
    return a, b, c, d
