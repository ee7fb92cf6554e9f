"""The host's half of a conversation: one request, one response, over any byte link.

What PROTOCOL.md 1 and 2.5 ask of a host: sequence numbers checked, late, repeated and foreign
messages dropped, sizes and framing negotiated, a time limit for every command, and after silence
one resynchronisation and one repetition, if the command may be repeated.
"""

import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Generic, TypeVar

from usbprov.errors import LinkBroken, LinkTimeout, ProtocolViolation, Unsupported, UsbError
from usbprov.usb.link import Link
from usbprov_drivers.smp.cbor import decode_map, encode_map
from usbprov_drivers.smp.framing import WAKE, Framing, RawFraming
from usbprov_drivers.smp.messages import (
    ECHO,
    GROUP,
    INFO,
    PARAMETERS,
    Command,
    EchoRequest,
    Framings,
    MgmtRc,
    Nothing,
    Rc,
)
from usbprov_drivers.smp.schema import FieldInvalid, Record, dump_record, load_record
from usbprov_drivers.smp.wire import (
    HEADER_SIZE,
    MAX_MESSAGE,
    MIN_BUFFER,
    MalformedMessage,
    Message,
)

logger = logging.getLogger(__name__)

Q = TypeVar("Q", bound=Record)
A = TypeVar("A", bound=Record)

_ECHOES = 3
"""How often the host asks for its echo on a serial line before it gives the phone up."""

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


@dataclass(frozen=True)
class Prepared(Generic[A]):
    """A request ready to go.

    Attributes:
        command: The command.
        message: With the number that the next request has.
        frame: The message as it goes over the link.
    """

    command: Command[Any, A]
    message: Message
    frame: bytes = field(repr=False)


class Session:
    """Requests and responses with one phone; used by one thread at a time."""

    def __init__(
        self,
        link: Link,
        framing: Framing | None = None,
        *,
        patience: float = 1.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Talk over a link.

        Args:
            link: The way to the phone.
            framing: How messages lie on it; raw if it is not said.
            patience: By what every command's time limit is multiplied.
            clock: Seconds, from anywhere on.
        """
        self.link = link
        self._framing = framing or RawFraming()
        self.buffer = MIN_BUFFER - self._framing.overhead
        """The largest message that the phone takes, in bytes, header included."""
        self._patience = patience
        self._clock = clock
        self._sequence = os.urandom(1)[0]
        self._end = math.inf

    @property
    def is_line(self) -> bool:
        """Whether it is a serial line, where messages lie among whatever else there is."""
        return self._framing.shared

    def start(self) -> None:
        """Empty the link of what an earlier host left, and agree on sizes and framing.

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
        self.buffer = min(size, MAX_MESSAGE) - self._framing.overhead
        if self.is_line:
            self._choose_framing()

    def call(self, command: Command[Q, A], request: Q) -> A:
        """Send a request and return the response's record.

        Raises:
            Refusal: The phone answers with an error code.
            Unsupported: The request does not fit into the phone's buffer.
            LinkTimeout: No response came in time.
            ProtocolViolation: The response cannot be read.
        """
        return self.send(self.prepare(command, request))

    def prepare(self, command: Command[Q, A], request: Q) -> "Prepared[A]":
        """Encode a request, which is to be the next one sent.

        Raises:
            Unsupported: The request does not fit into the phone's buffer.
        """
        payload = encode_map(dump_record(request))
        size = HEADER_SIZE + len(payload)
        if size > self.buffer:
            raise Unsupported(self.link.name, f"a {command.name} of {size} bytes")
        return self._numbered(command, payload)

    def send(self, prepared: "Prepared[A]", meanwhile: Callable[[], None] | None = None) -> A:
        """Send a request and return the response's record; as ``call``.

        Args:
            prepared: The request.
            meanwhile: Called while the phone works on it.
        """
        command = prepared.command
        try:
            return self._exchange(prepared, meanwhile)
        except (LinkTimeout, LinkBroken) as error:
            logger.debug("%s: %s unanswered: %s", self.link.name, command.name, error)
            self._recover(error)
            if not command.again:
                raise
        return self._exchange(prepared)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Bound all calls of the block together: a phone may answer each one just in time."""
        before, self._end = self._end, min(self._end, self._clock() + seconds)
        try:
            yield
        finally:
            self._end = before

    def size_of(self, request: Record) -> int:
        """Return the size in bytes of the message that would carry ``request``."""
        return HEADER_SIZE + len(encode_map(dump_record(request)))

    def close(self) -> None:
        """Give the phone back; may be called twice."""
        self.link.close()

    def _numbered(self, command: Command[Q, A], payload: bytes) -> "Prepared[A]":
        number = (self._sequence + 1) % 256
        message = Message(command.op, command.group, command.number, number, payload)
        return Prepared(command, message, self._framing.encode(message.encode()))

    def _exchange(self, prepared: "Prepared[A]", meanwhile: Callable[[], None] | None = None) -> A:
        self._drop_early()
        command, payload = prepared.command, prepared.message.payload
        if prepared.message.sequence != (self._sequence + 1) % 256:
            prepared = self._numbered(command, payload)  # others went in between
        self._sequence = prepared.message.sequence
        now = self._clock()
        limit = min(command.limit * self._patience, self._end - now)
        if limit <= 0:
            raise LinkTimeout(self.link.name, command.name, 0)
        try:
            self.link.write(prepared.frame, limit)
            # All that can wait is done here, while the phone is at work.
            logger.debug("%s: %s, %d bytes", self.link.name, command.name, len(payload))
            if meanwhile is not None:
                meanwhile()
            response = self._response(prepared.message, now + limit)
        except LinkTimeout:
            raise LinkTimeout(self.link.name, command.name, limit) from None
        return self._read(command, response)

    def _drop_early(self) -> None:
        """Drop what came before the request is sent: it cannot be the response."""
        try:
            for _ in self._framing.feed(b""):
                logger.debug("%s: dropped an early message", self.link.name)
        except MalformedMessage as error:
            raise ProtocolViolation(self.link.name, str(error)) from None

    def _response(self, request: Message, deadline: float) -> Message:
        """Wait for the response to ``request``, dropping every other message."""
        while True:
            left = deadline - self._clock()
            if left <= 0:
                raise LinkTimeout(self.link.name, "", 0)
            data = self.link.read(left)
            try:
                for message in self._framing.feed(data):
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
        self._framing.reset()
        if self.is_line:
            self._find_echo()

    def _find_echo(self) -> None:
        """Find the phone again among log text and late messages (PROTOCOL.md 6.3).

        Raises:
            LinkTimeout: It does not send back what it was sent.
        """
        limit = ECHO.limit * self._patience
        self.link.write(WAKE, limit)
        for _ in range(_ECHOES):
            if self._echoes():
                return
        raise LinkTimeout(self.link.name, ECHO.name, _ECHOES * limit)

    def _echoes(self) -> bool:
        """Say whether the phone sends back a text that was never sent before."""
        text = os.urandom(8).hex()
        try:
            answer = self._exchange(self.prepare(ECHO, EchoRequest(text)))
        except (LinkTimeout, Refusal):
            return False
        return answer.r == text

    def _choose_framing(self) -> None:
        """Go over to a better framing if the phone offers one; it counts once an echo came back.

        A line that does not let it pass unchanged goes on in console framing, after a time-out.
        """
        try:
            offered = Framings(self.call(INFO, Nothing()).framings or 0)
        except Refusal:  # whoever needs the group will be told why
            return
        if self._framing.choose(offered):
            logger.debug("%s: it offers COBS", self.link.name)
            self.call(ECHO, EchoRequest(os.urandom(8).hex()))


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
