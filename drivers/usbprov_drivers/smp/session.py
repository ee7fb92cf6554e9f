"""The host's half of a conversation: one request, one response, over any byte link.

What PROTOCOL.md 1 and 2.5 ask of a host: sequence numbers checked, late, repeated and foreign
messages dropped, sizes negotiated, a time limit for every command, and after silence one
resynchronisation and one repetition, if the command may be repeated.
"""

import logging
import os
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from usbprov.errors import LinkBroken, LinkTimeout, ProtocolViolation, Unsupported, UsbError
from usbprov.usb.link import Link
from usbprov_drivers.smp.cbor import decode_map, encode_map
from usbprov_drivers.smp.messages import GROUP, PARAMETERS, Command, MgmtRc, Nothing, Rc
from usbprov_drivers.smp.schema import FieldInvalid, Record, dump_record, load_record
from usbprov_drivers.smp.wire import (
    HEADER_SIZE,
    MAX_MESSAGE,
    MIN_BUFFER,
    Decoder,
    MalformedMessage,
    Message,
)

logger = logging.getLogger(__name__)

Q = TypeVar("Q", bound=Record)
A = TypeVar("A", bound=Record)

_WORDS = {MgmtRc.NOT_SUPPORTED: Rc.UNSUPPORTED, MgmtRc.BUSY: Rc.BUSY, MgmtRc.INVALID: Rc.INVALID}


@dataclass(eq=False)
class Refusal(Exception):
    """Raised when the phone answers with an error code; it never leaves the family.

    Attributes:
        command: The command's name.
        rc: Of the group (``Rc``), a standard code translated where there is an equal.
        reason: The code in words, for people.
    """

    command: str
    rc: int
    reason: str


class Session:
    """Requests and responses with one phone; used by one thread at a time."""

    def __init__(self, link: Link, *, patience: float = 1.0) -> None:
        """Talk over ``link``; every command's time limit is multiplied by ``patience``."""
        self.link = link
        self.buffer = MIN_BUFFER
        """The largest message that the phone takes, in bytes, header included."""
        self._patience = patience
        self._decoder = Decoder(MAX_MESSAGE)
        self._sequence = os.urandom(1)[0]

    def start(self) -> None:
        """Empty the link of what an earlier host left, and ask for the phone's buffer size.

        Raises:
            UsbError: The phone does not answer.
            ProtocolViolation: It answers with a buffer that is too small, or breaks the protocol.
        """
        self._resync()
        try:
            size = self.call(PARAMETERS, Nothing()).buf_size
        except Refusal as refusal:
            raise Unsupported(self.link.name, f"SMP parameters ({refusal.reason})") from None
        if size < MIN_BUFFER:
            raise ProtocolViolation(self.link.name, f"its buffer has only {size} bytes")
        self.buffer = min(size, MAX_MESSAGE)

    def call(self, command: Command[Q, A], request: Q) -> A:
        """Send a request and return the response's record.

        Raises:
            Refusal: The phone answers with an error code.
            Unsupported: The request does not fit into the phone's buffer.
            LinkTimeout: No response came in time.
            ProtocolViolation: The response cannot be read.
        """
        payload = encode_map(dump_record(request))
        size = HEADER_SIZE + len(payload)
        if size > self.buffer:
            raise Unsupported(self.link.name, f"a {command.name} of {size} bytes")
        try:
            return self._exchange(command, payload)
        except (LinkTimeout, LinkBroken) as error:
            logger.debug("%s: %s unanswered: %s", self.link.name, command.name, error)
            self._recover(error)
            if not command.again:
                raise
        return self._exchange(command, payload)

    def size_of(self, request: Record) -> int:
        """Return the size in bytes of the message that would carry ``request``."""
        return HEADER_SIZE + len(encode_map(dump_record(request)))

    def close(self) -> None:
        """Give the phone back; may be called twice."""
        self.link.close()

    def _exchange(self, command: Command[Q, A], payload: bytes) -> A:
        self._drop_early()
        self._sequence = (self._sequence + 1) % 256
        request = Message(command.op, command.group, command.number, self._sequence, payload)
        limit = command.limit * self._patience
        deadline = monotonic() + limit
        logger.debug("%s: %s, %d bytes", self.link.name, command.name, len(payload))
        try:
            self.link.write(request.encode(), limit)
            response = self._response(request, deadline)
        except LinkTimeout:
            raise LinkTimeout(self.link.name, command.name, limit) from None
        return self._read(command, response)

    def _drop_early(self) -> None:
        """Drop what came before the request is sent: it cannot be the response."""
        try:
            for _ in self._decoder.feed(b""):
                logger.debug("%s: dropped an early message", self.link.name)
        except MalformedMessage as error:
            raise ProtocolViolation(self.link.name, str(error)) from None

    def _response(self, request: Message, deadline: float) -> Message:
        """Wait for the response to ``request``, dropping every other message."""
        while True:
            left = deadline - monotonic()
            if left <= 0:
                raise LinkTimeout(self.link.name, "", 0)
            data = self.link.read(left)
            try:
                for message in self._decoder.feed(data):
                    if message.answers(request):
                        return message
                    logger.debug("%s: dropped a message out of turn", self.link.name)
            except MalformedMessage as error:
                raise ProtocolViolation(self.link.name, str(error)) from None

    def _read(self, command: Command[Q, A], response: Message) -> A:
        try:
            answer = decode_map(response.payload)
            refusal = _refusal(command.name, answer)
            if refusal is not None:
                raise refusal
            return load_record(command.answer, answer)
        except (MalformedMessage, FieldInvalid) as error:
            raise ProtocolViolation(self.link.name, f"{command.name}: {error}") from None

    def _recover(self, error: UsbError) -> None:
        """Make the link usable again after ``error``; if that fails, ``error`` is what counts."""
        try:
            self._resync()
        except (LinkTimeout, LinkBroken):
            raise error from None

    def _resync(self) -> None:
        self.link.resync()
        self._decoder.reset()


def _refusal(command: str, answer: dict[str, object]) -> Refusal | None:
    """Return the error that a response carries, in either of SMP's two forms, or None."""
    error = answer.get("err")
    if isinstance(error, dict):
        group, rc = _number(error.get("group")), _number(error.get("rc"))
        if rc == 0:
            return None
        if group == GROUP:
            return Refusal(command, rc, _words(Rc, rc))
        return Refusal(command, Rc.UNKNOWN, f"error {rc} of group {group}")
    if "rc" not in answer:
        return None
    rc = _number(answer["rc"])
    known = _WORDS.get(MgmtRc(rc)) if rc in _MGMT else None
    return Refusal(command, known or Rc.UNKNOWN, _words(MgmtRc, rc)) if rc else None


_MGMT = frozenset(code.value for code in MgmtRc)


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise MalformedMessage("an error that is no number")
    return value


def _words(codes: type[Rc] | type[MgmtRc], rc: int) -> str:
    """Say a code in words: its name in lower case, or its number where it is not known."""
    names = {code.value: code.name.lower().replace("_", " ") for code in codes}
    return names.get(rc, f"error {rc}")
