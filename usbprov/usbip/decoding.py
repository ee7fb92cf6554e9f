"""Incremental decoders for both ends of a USB/IP connection.

``feed`` takes what came from the wire, in pieces of any size; ``pop`` returns the next whole
message, or None when more bytes are needed. After ``MalformedMessage`` a decoder is of no further
use: the stream has no marks by which to find the next message.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import Generic, TypeVar

from usbprov.usbip.fields import MAX_TRANSFER, MalformedMessage, Status, TransferStatus
from usbprov.usbip.operations import (
    DeviceListReply,
    DeviceListRequest,
    ImportReply,
    ImportRequest,
    parse_answer,
    parse_request,
)
from usbprov.usbip.transfers import (
    Expected,
    Submit,
    SubmitReply,
    Unlink,
    UnlinkReply,
    parse_command,
    parse_reply,
)

Request = DeviceListRequest | ImportRequest | Submit | Unlink
Reply = DeviceListReply | ImportReply | SubmitReply | UnlinkReply

_Message = TypeVar("_Message")


class _Decoder(ABC, Generic[_Message]):
    """Cuts a byte stream into the pieces that a parser asks for."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parser: Generator[int, bytes, _Message] | None = None
        self._wanted = 0
        self._fresh = True
        self._broken = False

    @abstractmethod
    def _begin(self) -> Generator[int, bytes, _Message]:
        """Return the parser of the next message."""

    @property
    def idle(self) -> bool:
        """True between two messages; False means that a message would be cut off here."""
        return not self._buffer and (self._parser is None or self._fresh)

    def feed(self, data: bytes) -> None:
        """Take bytes from the wire."""
        self._buffer += data

    def pop(self) -> _Message | None:
        """Return the next message, or None when more bytes are needed.

        Raises:
            MalformedMessage: The bytes are no message; the connection is to be closed.
        """
        if self._broken:
            raise MalformedMessage("the stream was broken before")
        try:
            return self._advance()
        except MalformedMessage:
            self._broken = True
            raise

    def _advance(self) -> _Message | None:
        if self._parser is None:
            self._parser, self._fresh = self._begin(), True
            self._wanted = next(self._parser)
        while len(self._buffer) >= self._wanted:
            piece = bytes(self._buffer[: self._wanted])
            del self._buffer[: self._wanted]
            self._fresh = False
            try:
                self._wanted = self._parser.send(piece)
            except StopIteration as end:
                self._parser = None
                message: _Message = end.value
                return message
        return None


class ServerDecoder(_Decoder[Request]):
    """What an exporter gets from one client.

    Take one message at a time: the bytes behind an import request are read as transfers only
    after ``imported`` was called.
    """

    def __init__(self, limit: int = MAX_TRANSFER) -> None:
        super().__init__()
        self._limit = limit
        self._transfers = False

    def imported(self) -> None:
        """Say that the import just asked for succeeded: transfers follow."""
        self._transfers = True

    def _begin(self) -> Generator[int, bytes, Request]:
        return parse_command(self._limit) if self._transfers else parse_request()


class ClientDecoder(_Decoder[Reply]):
    """What a client gets from an exporter.

    An import that succeeded turns it to transfers. The header of an answer does not tell whether
    data follow, so every transfer must be made known by ``sent`` before its answer can arrive.
    """

    def __init__(self) -> None:
        super().__init__()
        self._transfers = False
        self._expected: dict[int, Expected] = {}
        self._unlinks: dict[int, int] = {}

    def sent(self, message: Submit | Unlink) -> None:
        """Note a transfer, or an unlink, that is about to be sent."""
        if isinstance(message, Submit):
            self._expected[message.seqnum] = Expected(message.direction, message.length)
        else:
            self._unlinks[message.seqnum] = message.target

    def pop(self) -> Reply | None:
        """Return the next message, or None when more bytes are needed.

        Raises:
            MalformedMessage: The bytes are no message, or an answer to nothing that was sent.
        """
        message = super().pop()
        if isinstance(message, ImportReply):
            self._transfers = message.status == Status.OK
        elif isinstance(message, SubmitReply):
            del self._expected[message.seqnum]
        elif isinstance(message, UnlinkReply):
            self._unlinked(message)
        return message

    def _unlinked(self, reply: UnlinkReply) -> None:
        target = self._unlinks.pop(reply.seqnum, None)
        if target is None:
            raise MalformedMessage(f"an answer to {reply.seqnum}, which unlinked nothing")
        if reply.status == TransferStatus.UNLINKED:
            self._expected.pop(target, None)

    def _begin(self) -> Generator[int, bytes, Reply]:
        return parse_reply(self._expected) if self._transfers else parse_answer()
