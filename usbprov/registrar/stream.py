"""SIP messages out of a stream: bytes in, messages out (RFC 3261 18.3). No I/O."""

from collections.abc import Iterator
from dataclasses import replace

from usbprov.registrar.message import HEADER_BYTES, Message, NotSip, body_length, parse_head

_END = b"\r\n\r\n"
_LINE = b"\r\n"


class MessageStream:
    """Collects what comes in, in pieces of any size, and gives whole messages.

    Empty lines between messages keep a connection alive (RFC 5626 3.5.1) and are passed over.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._seen = 0
        self._head: Message | None = None
        self._missing = 0

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take bytes and yield the messages that are whole with them.

        Raises:
            NotSip: They are no SIP message, or one that is too long. The stream is of no use
                after that.
        """
        self._buffer += data
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> Message | None:
        if self._head is None and not self._read_head():
            return None
        if self._head is None or len(self._buffer) < self._missing:
            return None
        body = bytes(self._buffer[: self._missing])
        del self._buffer[: self._missing]
        message, self._head = replace(self._head, body=body), None
        return message

    def _read_head(self) -> bool:
        """Take the headers out of the buffer once they are whole; say whether they are."""
        while self._buffer.startswith(_LINE):
            del self._buffer[: len(_LINE)]
            self._seen = 0
        end = self._buffer.find(_END, max(0, self._seen - len(_END)))
        self._seen = len(self._buffer)
        if end < 0:
            self._look_at_beginning()
            return False
        self._head = parse_head(bytes(self._buffer[:end]))
        del self._buffer[: end + len(_END)]
        self._missing, self._seen = body_length(self._head.headers), 0
        return True

    def _look_at_beginning(self) -> None:
        """Refuse early what will never be a message, rather than wait for its end."""
        if len(self._buffer) > HEADER_BYTES:
            raise NotSip("its headers are too long")
        end = self._buffer.find(_LINE)
        if end > 0:
            parse_head(bytes(self._buffer[:end]))
