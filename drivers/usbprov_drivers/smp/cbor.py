"""CBOR payloads (RFC 8949) from hostile hands: one map, bounded before it is decoded.

The bytes are walked first, without making objects, by RFC 8949 appendix C; only what passes is
given to cbor2. What the walk refuses (PROTOCOL.md 1.2): tags, nesting deeper than ``MAX_DEPTH``,
map keys that are not text or come twice, lengths beyond the data, bytes after the map.
"""

from collections.abc import Mapping

import cbor2

from usbprov_drivers.smp.wire import MalformedMessage

MAX_DEPTH = 8
"""How deep arrays and maps may be nested, the outermost map included."""

_TEXT, _MAP = 3, 5
_HEADS = {**dict.fromkeys(range(24), 1), 24: 2, 25: 3, 26: 5, 27: 9}
"""Bytes of an item's head, by the low five bits of the first (RFC 8949 3)."""
_INDEFINITE = 31
_BREAK = 0xFF
_ARGUMENT_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}


def encode_map(value: Mapping[str, object]) -> bytes:
    """Encode a map with text keys, in the order given, in the shortest form."""
    return cbor2.dumps(dict(value))


def decode_map(data: bytes) -> dict[str, object]:
    """Decode exactly one map with text keys.

    Raises:
        MalformedMessage: It is anything else, or breaks a bound of this module.
    """
    if not data or data[0] >> 5 != _MAP:
        raise MalformedMessage("the payload is not a map")
    try:
        end = _item(data, 0, 0)
    except IndexError:
        raise MalformedMessage("CBOR: cut short") from None
    if end != len(data):
        raise MalformedMessage("CBOR: bytes after the map")
    try:
        value = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError) as error:
        raise MalformedMessage(f"CBOR: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise MalformedMessage("the payload is not a map")
    return value


def _item(data: bytes, at: int, depth: int) -> int:
    """Walk the item at ``at``, ``depth`` containers deep; return where the next one begins.

    Raises:
        MalformedMessage: A bound is broken.
        IndexError: The data end before the item does.
    """
    head = data[at]
    end = at + _SIZES[head]
    if at < end <= len(data):
        return end
    return _WALKERS[head >> 5](data, at + 1, head & 31, depth)


def _number(data: bytes, at: int, info: int, _depth: int) -> int:
    return _argument(data, at, info)[1]


def _string(data: bytes, at: int, info: int, depth: int) -> int:
    if info == _INDEFINITE:
        return _pieces(data, at, data[at - 1] >> 5, depth)
    size, at = _argument(data, at, info)
    return _past(data, at, size)


def _array(data: bytes, at: int, info: int, depth: int) -> int:
    left, at = _members(data, at, info, depth)
    while left > 0 or (left < 0 and data[at] != _BREAK):
        at = _item(data, at, depth + 1)
        left -= 1
    return at if left == 0 else at + 1


def _map(data: bytes, at: int, info: int, depth: int) -> int:
    left, at = _members(data, at, info, depth)
    keys: set[bytes] = set()
    while left > 0 or (left < 0 and data[at] != _BREAK):
        at = _value_after_key(data, at, depth + 1, keys)
        left -= 1
    return at if left == 0 else at + 1


def _value_after_key(data: bytes, at: int, depth: int, keys: set[bytes]) -> int:
    """Walk a key, which must be text of one piece and new, and its value."""
    head = _KEY_HEADS[data[at]]
    if not head:
        raise MalformedMessage("CBOR: a key is not text")
    value = _item(data, at, depth)
    key = data[at + head : value]
    if key in keys:
        raise MalformedMessage("CBOR: a key comes twice")
    keys.add(key)
    if data[value] == _BREAK:
        raise MalformedMessage("CBOR: a key without a value")
    return _item(data, value, depth)


def _pieces(data: bytes, at: int, major: int, depth: int) -> int:
    """Walk a string of indefinite length, whose pieces are strings of its kind."""
    _check_depth(depth)
    while (head := data[at]) != _BREAK:
        if head >> 5 != major or head & 31 == _INDEFINITE:
            raise MalformedMessage("CBOR: a string of pieces of another kind")
        at = _item(data, at, depth + 1)
    return at + 1


def _tag(_data: bytes, _at: int, _info: int, _depth: int) -> int:
    raise MalformedMessage("CBOR: a tag")


_WALKERS = (_number, _number, _string, _string, _array, _map, _tag, _number)
"""By major type (RFC 8949 3.1)."""


def _size(first: int) -> int:
    """Return the size in bytes of an item, if its first byte says it, or 0."""
    walker, info = _WALKERS[first >> 5], first & 31
    if walker is _number:
        return _HEADS.get(info, 0)
    return 1 + info if walker is _string and _HEADS.get(info) == 1 else 0


_SIZES = tuple(map(_size, range(256)))
"""By an item's first byte: its size, or 0 where that must be read from other bytes as well.

Most of what phones say are such items, and need no walker (RFC 8949 B has such a table, too).
"""

_KEY_HEADS = tuple(_HEADS.get(first & 31, 0) if first >> 5 == _TEXT else 0 for first in range(256))
"""By an item's first byte: the size of its head if it is text of one piece, or 0."""


def _members(data: bytes, at: int, info: int, depth: int) -> tuple[int, int]:
    """Return how many members a container has, -1 for until a break, and where they begin."""
    _check_depth(depth)
    return (-1, at) if info == _INDEFINITE else _argument(data, at, info)


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise MalformedMessage("CBOR: nested too deep")


def _argument(data: bytes, at: int, info: int) -> tuple[int, int]:
    """Return the number in an item's head, and where the head ends."""
    if info < 24:
        return info, at
    size = _ARGUMENT_SIZES.get(info)
    if size is None:
        what = "that is not allowed" if info == _INDEFINITE else "that is reserved"
        raise MalformedMessage(f"CBOR: a length {what}")
    end = _past(data, at, size)
    return int.from_bytes(data[at:end]), end


def _past(data: bytes, at: int, size: int) -> int:
    if size > len(data) - at:
        raise MalformedMessage("CBOR: cut short")
    return at + size
