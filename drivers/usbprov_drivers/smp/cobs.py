"""COBS framing with a CRC for serial lines (PROTOCOL.md 6.4): no byte of a frame is zero.

No I/O. A frame is message and CRC-16/XMODEM, coded in COBS (Consistent Overhead Byte Stuffing,
Cheshire and Baker, 1999) between two zero bytes; it costs half a percent where console framing
costs 37. MCUboot and smpclient speak the same.
"""

import binascii
import struct

from usbprov_drivers.smp.wire import MalformedMessage, Message, decode_message

DELIMITER = b"\0"

STARTS = b"\x01\x02"
"""What a frame may begin with after its delimiter: no log text and no console line does.

It says where the first zero byte is, and that is the header's first byte or its flags.
"""

_CRC = struct.Struct(">H")
_RUN = 254
"""The longest run without a zero byte; after one this long, no zero byte is left out."""
_LONGEST_RUN = b"\xff"
_CODES = tuple(bytes([size + 1]) for size in range(_RUN))
"""What stands before a run of so many bytes, in the place of the zero byte that ends it."""


def encode_cobs(message: bytes) -> bytes:
    """Return the frame that carries one encoded message, with the delimiters on both sides."""
    content = message + _CRC.pack(binascii.crc_hqx(message, 0))
    parts = [DELIMITER]
    for run in content.split(DELIMITER):
        rest = run
        while len(rest) >= _RUN:
            parts.append(_LONGEST_RUN + rest[:_RUN])
            rest = rest[_RUN:]
        parts.append(_CODES[len(rest)] + rest)
    parts.append(DELIMITER)
    return b"".join(parts)


def decode_cobs(body: bytes) -> Message:
    """Return the message of a frame without its delimiters.

    Raises:
        MalformedMessage: It is no such frame, or damaged.
    """
    content = _unstuff(body)
    if len(content) < _CRC.size:
        raise MalformedMessage("a frame without a CRC")
    if binascii.crc_hqx(content, 0) != 0:  # as it is for all that ends in its own CRC
        raise MalformedMessage("a wrong CRC")
    return decode_message(content[: -_CRC.size])


def longest_body(message: int) -> int:
    """Return the size in bytes of the longest frame body that carries a message of that size."""
    content = message + _CRC.size
    return content + content // _RUN + 1


def _unstuff(body: bytes) -> bytes:
    content = bytearray()
    at, size = 0, len(body)
    while at < size:
        code = body[at]
        end = at + code
        if not code or end > size:
            raise MalformedMessage("no COBS")
        content += body[at + 1 : end]
        if code <= _RUN and end < size:
            content += DELIMITER
        at = end
    return bytes(content)
