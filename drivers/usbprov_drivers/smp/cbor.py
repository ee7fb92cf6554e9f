"""CBOR payloads (RFC 8949) from hostile hands: one map, bounded before it is decoded.

The bytes are walked first, without making objects, by RFC 8949 appendix C; only what passes is
given to cbor2. What the walk refuses (PROTOCOL.md 1.2): tags, nesting deeper than ``MAX_DEPTH``,
map keys that are not text or come twice, lengths beyond the data, bytes after the map.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import cbor2

from usbprov_drivers.smp.wire import MalformedMessage

MAX_DEPTH = 8
"""How deep arrays and maps may be nested, the outermost map included."""

_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_HEADS = {24: 2, 25: 3, 26: 5, 27: 9}
"""Bytes of an item's head, where its size does not stand in the first (RFC 8949 3)."""
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
    _Walk(data).run()
    try:
        value = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError) as error:
        raise MalformedMessage(f"CBOR: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise MalformedMessage("the payload is not a map")
    return value


@dataclass
class _Container:
    """An open array, map or indefinite string: what is still due in it."""

    major: int
    left: int | None
    keys: set[bytes] = field(default_factory=set)
    key_is_next: bool = True


class _Walk:
    """One pass over the bytes; memory is bounded by the data, depth by ``MAX_DEPTH``."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.open: list[_Container] = []

    def run(self) -> None:
        self.item()
        while self.open:
            top = self.open[-1]
            if top.left == 0 or (top.left is None and self.at_break()):
                self.close(top)
            else:
                self.member(top)
        if self.at != len(self.data):
            raise MalformedMessage("CBOR: bytes after the map")

    def close(self, top: _Container) -> None:
        if top.left is None:
            self.at += 1
            if top.major == _MAP and not top.key_is_next:
                raise MalformedMessage("CBOR: a key without a value")
        self.open.pop()

    def member(self, top: _Container) -> None:
        """Walk one element, noting keys of maps and the kind of chunks of strings."""
        start, major = self.at, self.peek() >> 5
        if top.major in {_BYTES, _TEXT} and (major != top.major or self.peek() & 31 == _INDEFINITE):
            raise MalformedMessage("CBOR: a string of pieces of another kind")
        if top.left is not None:
            top.left -= 1
        is_key = top.major == _MAP and top.key_is_next
        top.key_is_next = not top.key_is_next
        if is_key and (major != _TEXT or self.peek() & 31 == _INDEFINITE):
            raise MalformedMessage("CBOR: a key is not text")
        self.item()
        if is_key:
            self.note_key(top, self.data[start + _HEADS.get(self.data[start] & 31, 1) : self.at])

    @staticmethod
    def note_key(top: _Container, key: bytes) -> None:
        if key in top.keys:
            raise MalformedMessage("CBOR: a key comes twice")
        top.keys.add(key)

    def item(self) -> None:
        """Walk one item's head, and its bytes if it is a string; containers are opened only."""
        head = self.peek()
        major, info = head >> 5, head & 31
        self.at += 1
        if major == _TAG:
            raise MalformedMessage("CBOR: a tag")
        if info == _INDEFINITE:
            self.open_indefinite(major)
            return
        argument = self.argument(info)
        if major in {_BYTES, _TEXT}:
            self.skip(argument)
        elif major in {_ARRAY, _MAP}:
            self.push(_Container(major, argument * (2 if major == _MAP else 1)))

    def open_indefinite(self, major: int) -> None:
        if major not in {_BYTES, _TEXT, _ARRAY, _MAP}:
            raise MalformedMessage("CBOR: a length that is not allowed")
        self.push(_Container(major, None))

    def push(self, container: _Container) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise MalformedMessage("CBOR: nested too deep")
        self.open.append(container)

    def argument(self, info: int) -> int:
        if info < 24:
            return info
        size = _ARGUMENT_SIZES.get(info)
        if size is None:
            raise MalformedMessage("CBOR: a reserved length")
        start = self.at
        self.skip(size)
        return int.from_bytes(self.data[start : self.at])

    def skip(self, size: int) -> None:
        if size > len(self.data) - self.at:
            raise MalformedMessage("CBOR: cut short")
        self.at += size

    def peek(self) -> int:
        if self.at >= len(self.data):
            raise MalformedMessage("CBOR: cut short")
        return self.data[self.at]

    def at_break(self) -> bool:
        return self.peek() == _BREAK
