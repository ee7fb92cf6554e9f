"""SMP messages on the wire (PROTOCOL.md 1.1): header and payload, and a decoder for a byte stream.

No I/O: bytes in, messages out. The payload is opaque here; see ``cbor`` and ``messages``.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

HEADER_SIZE = 8
MAX_MESSAGE = 16384
"""The largest message, header included, that the host takes from a phone."""
MIN_BUFFER = 256
"""The ``buf_size`` that every phone has at least, and that holds until the phone says more."""
LINE_OVERHEAD = 4
"""Bytes of the phone's buffer that a serial line's framing takes besides the message."""

_HEADER = struct.Struct(">BBHHBB")
_RESERVED_BITS = 0xE0


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


_OPS = {op.value: op for op in Op}
_VERSIONS = {version.value: version for version in Version}


class MalformedMessage(ValueError):
    """Raised when bytes are no SMP message; the text says what is wrong, never with content."""


@dataclass(frozen=True)
class Message:
    """One SMP message.

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
    payload: bytes = field(repr=False)
    version: Version = Version.SMP2
    flags: int = 0

    def encode(self) -> bytes:
        """Return header and payload as they go over the wire."""
        first = self.version << 3 | self.op
        size = len(self.payload)
        header = (first, self.flags, size, self.group, self.sequence, self.command)
        return _HEADER.pack(*header) + self.payload

    def response(self, payload: bytes) -> "Message":
        """Return the response to this request: same numbers, the op that answers it."""
        op = Op.READ_RESPONSE if self.op is Op.READ else Op.WRITE_RESPONSE
        return Message(op, self.group, self.command, self.sequence, payload, self.version)

    def answers(self, request: "Message") -> bool:
        """Say whether this is the response to ``request``, by op, group, command and sequence."""
        mine = (self.op, self.group, self.command, self.sequence)
        op = Op.READ_RESPONSE if request.op is Op.READ else Op.WRITE_RESPONSE
        return mine == (op, request.group, request.command, request.sequence)


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
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Add bytes as they come and yield every message that is whole.

        Raises:
            MalformedMessage: A header is impossible or announces more than ``limit``.
        """
        self._buffer += data
        while len(self._buffer) >= HEADER_SIZE:
            end = self._end()
            if len(self._buffer) < end:
                return
            whole = bytes(self._buffer[:end])
            del self._buffer[:end]
            yield _assemble(whole)

    @property
    def pending(self) -> int:
        """How many bytes of an incomplete message are kept."""
        return len(self._buffer)

    def reset(self) -> None:
        """Forget an incomplete message."""
        self._buffer.clear()

    def _end(self) -> int:
        try:
            end = HEADER_SIZE + _payload_size(self._buffer)
            if end > self.limit:
                raise MalformedMessage(f"a message of {end} bytes, {self.limit} are allowed")
        except MalformedMessage:
            self.reset()
            raise
        return end


def _payload_size(data: bytes | bytearray) -> int:
    """Check the first byte of a header and return the payload's size that it announces."""
    first, _, size, *_ = _HEADER.unpack_from(data)
    if first & _RESERVED_BITS:
        raise MalformedMessage("reserved header bits are set")
    if first >> 3 & 3 not in _VERSIONS:
        raise MalformedMessage(f"unknown header version {first >> 3 & 3}")
    if first & 7 not in _OPS:
        raise MalformedMessage(f"unknown op {first & 7}")
    return int(size)


def _assemble(whole: bytes) -> Message:
    first, flags, _, group, sequence, command = _HEADER.unpack_from(whole)
    op, version = _OPS[first & 7], _VERSIONS[first >> 3 & 3]
    return Message(op, group, command, sequence, whole[HEADER_SIZE:], version, flags)
