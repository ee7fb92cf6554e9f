"""How messages lie on a cable (PROTOCOL.md 6): raw on bulk, and two ways on a serial line.

No I/O: bytes in, messages out. The host's session is given one of the two framings; the emulated
phone's serial port uses the decoder of the lines itself.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Protocol

from usbprov_drivers.smp.cobs import DELIMITER, STARTS, decode_cobs, encode_cobs, longest_body
from usbprov_drivers.smp.console import FIRST, ConsoleDecoder, encode_console
from usbprov_drivers.smp.messages import Framings
from usbprov_drivers.smp.wire import (
    HEADER_SIZE,
    LINE_OVERHEAD,
    MAX_MESSAGE,
    Decoder,
    MalformedMessage,
    Message,
)

WAKE = b"\0\n"
"""What ends whatever frame a phone may still be waiting for the rest of, in either coding."""


class LineCode(Enum):
    """How a message is coded on a serial line."""

    CONSOLE = "console"
    COBS = "cobs"

    def encode(self, message: bytes) -> bytes:
        """Return the bytes that carry one encoded message."""
        return _ENCODERS[self](message)


_ENCODERS: Mapping[LineCode, Callable[[bytes], bytes]] = {
    LineCode.CONSOLE: encode_console,
    LineCode.COBS: encode_cobs,
}


class Framing(Protocol):
    """How the host frames its requests, and finds the responses in what comes."""

    @property
    def overhead(self) -> int:
        """What it takes of the phone's buffer besides the message, in bytes."""
        ...

    @property
    def shared(self) -> bool:
        """Whether log text is on the same line, so that only an echo finds the phone again."""
        ...

    def encode(self, message: bytes) -> bytes:
        """Return the bytes that carry one encoded message."""
        ...

    def feed(self, data: bytes) -> Iterable[Message]:
        """Add bytes as they come and return every message that is whole; not all need be taken.

        Raises:
            MalformedMessage: The bytes are none of this protocol.
        """
        ...

    def choose(self, offered: Framings) -> bool:
        """Go over to a better coding if the phone takes one; says whether that was so."""
        ...

    def reset(self) -> None:
        """Forget an incomplete message and what was chosen."""
        ...


class RawFraming:
    """Vendor bulk: header and payload, nothing else; a ``Framing``."""

    overhead = 0
    shared = False

    def __init__(self) -> None:
        self._decoder = Decoder(MAX_MESSAGE)

    def encode(self, message: bytes) -> bytes:
        """Return the message as it is."""
        return message

    def feed(self, data: bytes) -> Iterable[Message]:
        """Put messages together by the header's length; see ``Framing``."""
        return self._decoder.feed(data) if data or self._decoder.pending else ()

    def choose(self, offered: Framings) -> bool:
        """There is nothing to choose."""
        return False

    def reset(self) -> None:
        """Forget an incomplete message."""
        self._decoder.reset()


class LineFraming:
    """A serial line: console framing, or COBS once the phone has offered it; a ``Framing``."""

    overhead = LINE_OVERHEAD
    shared = True

    def __init__(self) -> None:
        self._decoder = LineDecoder(MAX_MESSAGE)
        self.code = LineCode.CONSOLE
        """How requests are coded; responses may come in either way."""

    def encode(self, message: bytes) -> bytes:
        """Return the lines, or the frame, that carry one encoded message.

        A frame that lost its beginning is read as text, so none may hold what begins a line.
        """
        if self.code is LineCode.CONSOLE or FIRST in message:
            return encode_console(message)
        frame = encode_cobs(message)
        return encode_console(message) if FIRST in frame else frame

    def feed(self, data: bytes) -> Iterable[Message]:
        """Find messages among log text; see ``Framing``."""
        if not data:
            return ()  # nothing is ever left over from before
        return [message for _, message in self._decoder.feed(data)]

    def choose(self, offered: Framings) -> bool:
        """Go over to COBS if it is offered."""
        if Framings.COBS in offered and self.code is not LineCode.COBS:
            self.code = LineCode.COBS
            return True
        return False

    def reset(self) -> None:
        """Forget an incomplete frame, and go back to console framing."""
        self._decoder.reset()
        self.code = LineCode.CONSOLE


class LineDecoder:
    """Finds messages in either coding among the log text of a serial line, frame by frame.

    At the beginning of a line and after a zero byte, ``STARTS`` begin a COBS frame, which goes to
    the next zero byte; all else is text, in which console framing has its lines. What a COBS frame
    carries is never looked at as text, whatever it is. A damaged frame is dropped and counted.
    """

    def __init__(self, limit: int = MAX_MESSAGE, *, cobs: bool = True) -> None:
        """Take messages up to ``limit`` bytes, header included; COBS frames only if ``cobs``."""
        self._console = ConsoleDecoder(limit)
        self._starts = STARTS if cobs else b""
        self._limit = limit
        self._longest = longest_body(limit)
        self._frame: bytes | None = None
        self._fresh = True
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """How many damaged frames were dropped."""
        return self._dropped + self._console.dropped

    def feed(self, data: bytes) -> Sequence[tuple[LineCode, Message]]:
        """Add bytes as they come; return every undamaged message and the coding it came in."""
        first, *others = data.split(DELIMITER)
        found = self._take(first) if first else []
        for piece in others:
            message = self._delimit()
            if message is not None:
                found.append((LineCode.COBS, message))
            if piece:
                found += self._take(piece)
        return found

    def reset(self) -> None:
        """Forget what is incomplete."""
        self._console.reset()
        self._frame = None
        self._fresh = True

    def _take(self, piece: bytes) -> list[tuple[LineCode, Message]]:
        """Take bytes of which none is zero."""
        found: list[tuple[LineCode, Message]] = []
        while piece:
            if self._frame is None and self._fresh and piece[0] in self._starts:
                self._frame = b""
            if self._frame is not None:
                self._extend(self._frame + piece)
                break
            text = _TEXT.match(piece)
            end = text.end() if text and self._starts else len(piece)
            found += ((LineCode.CONSOLE, message) for message in self._console.feed(piece[:end]))
            self._fresh = piece[end - 1 : end] == b"\n"
            piece = piece[end:]
        return found

    def _extend(self, frame: bytes) -> None:
        """Keep what is there of a frame, unless it never ends: then what comes now is text."""
        if len(frame) <= self._longest:
            self._frame = frame
            return
        self._frame = None
        self._fresh = False
        self._dropped += 1

    def _delimit(self) -> Message | None:
        """Take a zero byte: it ends a frame, and another may begin after it."""
        frame, self._frame, self._fresh = self._frame, None, True
        if frame is None:
            return None
        try:
            message = decode_cobs(frame)
            if HEADER_SIZE + len(message.payload) > self._limit:
                raise MalformedMessage("a message longer than it may be")
        except MalformedMessage:
            self._dropped += 1
            return None
        return message


_TEXT = re.compile(b".*?\n(?=[%b])" % re.escape(STARTS), re.DOTALL)
"""Text up to a line's end after which a frame may begin."""
