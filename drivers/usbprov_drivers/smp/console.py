"""MCUmgr's console framing for serial lines (PROTOCOL.md 6.3): messages among log text.

No I/O. A frame is length, message and CRC-16/XMODEM in base64, cut into lines of at most 127
bytes; whatever is not part of a frame is log text.
"""

import binascii
import struct
from collections.abc import Iterator, Sequence

from usbprov_drivers.smp.wire import MAX_MESSAGE, MalformedMessage, Message, decode_message

LINE_SIZE = 127
"""The longest line in bytes, marker and line feed included."""
FIRST = b"\x06\x09"
NEXT = b"\x04\x14"

_U16 = struct.Struct(">H")
_OVERHEAD = 4
_LONGEST_LINE = 1024
_LONGEST_FRAME = 0xFFFF - 2


def encode_console(message: bytes, line_size: int = LINE_SIZE) -> bytes:
    """Return the lines that carry one encoded message, at most 65533 bytes long.

    Raises:
        ValueError: The message is longer than the length field can say.
    """
    if len(message) > _LONGEST_FRAME:
        raise ValueError("too long for console framing")
    crc = binascii.crc_hqx(message, 0)
    frame = _U16.pack(len(message) + 2) + message + _U16.pack(crc)
    text = binascii.b2a_base64(frame, newline=False)
    step = (line_size - 3) // 4 * 4
    pieces = [text[at : at + step] for at in range(0, len(text), step)]
    return FIRST + (b"\n" + NEXT).join(pieces) + b"\n"


class ConsoleDecoder:
    """Finds the messages in the bytes of a serial line.

    A damaged frame is dropped and counted; the next first marker begins a new one. Memory is
    bounded by ``limit`` and by the longest line.
    """

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        """Take messages up to ``limit`` bytes, SMP header included."""
        self.limit = limit
        self.dropped = 0
        """How many damaged frames were dropped."""
        self._line = b""
        self._frame: bytearray | None = None

    def feed(self, data: bytes) -> Sequence[Message]:
        """Add bytes as they come and return every message that is whole and undamaged."""
        *lines, self._line = (self._line + data).split(b"\n")
        found = [message for line in lines for message in self._take_line(line)]
        if len(self._line) > _LONGEST_LINE:
            self._shorten()
        return found

    def reset(self) -> None:
        """Forget an incomplete line and an incomplete frame."""
        self._line = b""
        self._frame = None

    def _shorten(self) -> None:
        """Keep of a line that never ends only what may be the beginning of a marker."""
        self._line = self._line[-1:]
        self._drop_frame()

    def _take_line(self, line: bytes) -> Iterator[Message]:
        at, is_first = _marker(line)
        if at < 0:
            return
        if is_first:
            self._drop_frame()
            self._frame = bytearray()
        if self._frame is None:
            self.dropped += 1
            return
        try:
            self._frame += binascii.a2b_base64(line[at + 2 :].strip(), strict_mode=True)
            message = self._complete()
        except (binascii.Error, MalformedMessage):
            self._drop_frame()
            return
        if message is not None:
            self._frame = None
            yield message

    def _complete(self) -> Message | None:
        """Return the message if the frame has all its bytes, or None while some are due."""
        frame = self._frame or b""
        if len(frame) < _U16.size:
            return None
        size = _OVERHEAD - 2 + _U16.unpack_from(frame)[0]
        if size - _OVERHEAD > self.limit or len(frame) > size:
            raise MalformedMessage("a frame longer than it may be")
        if len(frame) < size:
            return None
        message = bytes(frame[2:-2])
        if binascii.crc_hqx(message, 0) != _U16.unpack_from(frame, size - 2)[0]:
            raise MalformedMessage("a wrong CRC")
        return decode_message(message)

    def _drop_frame(self) -> None:
        if self._frame is not None:
            self.dropped += 1
            self._frame = None


def _marker(line: bytes) -> tuple[int, bool]:
    """Return where the line's last marker begins (or -1), and whether it is a first one."""
    first, following = line.rfind(FIRST), line.rfind(NEXT)
    return max(first, following), first > following
