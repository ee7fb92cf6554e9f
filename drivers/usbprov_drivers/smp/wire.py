"""SMP messages on the wire (PROTOCOL.md 1.1): header and payload, and a decoder for a byte stream.

No I/O: bytes in, messages out. The payload is opaque here; see ``cbor`` and ``messages``.
"""

import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple

HEADER_SIZE = 8
MAX_MESSAGE = 16384
"""The largest message, header included, that the host takes from a phone."""
MIN_BUFFER = 256
"""The ``buf_size`` that every phone has at least, and that holds until the phone says more."""
LINE_OVERHEAD = 4
"""Bytes of the phone's buffer that a serial line's framing takes besides the message."""

_HEADER = struct.Struct(">BBHHBB")


class Op(IntEnum):
    """The three low bits of the first header byte."""

    READ = 0
    READ_RESPONSE = 1
    WRITE = 2
    WRITE_RESPONSE = 3


class Version(IntEnum):
    """The header's version bits: 0 is SMP version 1, 1 is SMP version 2."""

    SMP1 = 0
    SMP2 = 1


_RESPONSES: Mapping[Op, Op] = {
    op: Op.READ_RESPONSE if op is Op.READ else Op.WRITE_RESPONSE for op in Op
}
"""The op that answers each op; what is no request is answered like a write."""
_FIRST_BYTES: Mapping[int, tuple[Op, Version]] = {
    version << 3 | op: (op, version) for version in Version for op in Op
}
"""All first bytes of headers: three reserved bits of 0, two of the version, three of the op."""


class MalformedMessage(ValueError):
    """Raised when bytes are no SMP message; the text says what is wrong, never with content."""


class Message(NamedTuple):
    """One SMP message.

    A named tuple and no dataclass because each message on the wire makes one, and this is made in
    a third of the time.

    Attributes:
        op: Request or response, read or write.
        group: 16-bit group number.
        command: 8-bit number within the group.
        sequence: 8 bits, chosen by the host and copied by the phone.
        payload: One CBOR map, encoded.
        version: Of the header.
        flags: 8 bits without a meaning today.
    """

    op: Op
    group: int
    command: int
    sequence: int
    payload: bytes
    version: Version = Version.SMP2
    flags: int = 0

    def __repr__(self) -> str:
        """Leave the payload out: it may be a secret."""
        numbers = f"op={self.op!r}, group={self.group}, command={self.command}"
        return f"Message({numbers}, sequence={self.sequence}, {len(self.payload)} bytes)"

    def encode(self) -> bytes:
        """Return header and payload as they go over the wire."""
        first = self.version << 3 | self.op
        size = len(self.payload)
        header = (first, self.flags, size, self.group, self.sequence, self.command)
        return _HEADER.pack(*header) + self.payload

    def response(self, payload: bytes) -> "Message":
        """Return the response to this request: same numbers, the op that answers it."""
        return Message(
            _RESPONSES[self.op], self.group, self.command, self.sequence, payload, self.version
        )

    def answers(self, request: "Message") -> bool:
        """Say whether this is the response to ``request``, by op, group, command and sequence."""
        return (
            self.sequence == request.sequence
            and self.op is _RESPONSES[request.op]
            and self.group == request.group
            and self.command == request.command
        )


def decode_message(data: bytes) -> Message:
    """Decode exactly one whole message.

    Raises:
        MalformedMessage: The header is impossible, or the length is not that of ``data``.
    """
    if len(data) < HEADER_SIZE:
        raise MalformedMessage(f"{len(data)} bytes are no header")
    if HEADER_SIZE + _payload_size(data) != len(data):
        raise MalformedMessage("the header's length is not the payload's")
    return _assemble(data)


class Decoder:
    """Puts messages together from a byte stream, by the header's length (PROTOCOL.md 6.2).

    **Resynchronisation:** bytes after an impossible header have no meaning. They are dropped with
    the header, the error is raised once, and the next byte fed is taken as the first of a header.
    At most ``limit`` bytes and what is fed at once are kept.
    """

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        """Take messages up to ``limit`` bytes, header included."""
        self.limit = limit
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[Message]:
        """Add bytes as they come and yield every message that is whole.

        Raises:
            MalformedMessage: A header is impossible or announces more than ``limit``.
        """
        self._buffer += data
        while end := self._end():
            whole, self._buffer = self._buffer[:end], self._buffer[end:]
            yield _assemble(whole)

    @property
    def pending(self) -> int:
        """How many bytes of an incomplete message are kept."""
        return len(self._buffer)

    def reset(self) -> None:
        """Forget an incomplete message."""
        self._buffer = b""

    def _end(self) -> int:
        """Return how long the first message is, or 0 while it is not whole."""
        if len(self._buffer) < HEADER_SIZE:
            return 0
        try:
            end = HEADER_SIZE + _payload_size(self._buffer)
            if end > self.limit:
                raise MalformedMessage(f"a message of {end} bytes, {self.limit} are allowed")
        except MalformedMessage:
            self.reset()
            raise
        return end if end <= len(self._buffer) else 0


def _payload_size(data: bytes) -> int:
    """Check the first byte of a header and return the payload's size that it announces."""
    if data[0] not in _FIRST_BYTES:
        raise MalformedMessage(f"no header begins with {data[0]:#04x}")
    return data[2] << 8 | data[3]


def _assemble(whole: bytes) -> Message:
    first, flags, _, group, sequence, command = _HEADER.unpack_from(whole)
    op, version = _FIRST_BYTES[first]
    return Message(op, group, command, sequence, whole[HEADER_SIZE:], version, flags)
