"""The encodings in which a secret may lie in a file, undone: a text as it is, and its views.

What is searched is decoded, not what is looked for encoded: so encodings within one another are
seen too, such as base64 of UTF-16 in a JSON file in a zip file.
"""

import binascii
import re
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator

DEPTH = 3
"""How many encodings may lie within one another."""

MOST_UNPACKED = 64 << 20
"""Bytes that one packed stream may unpack to."""

_BETWEEN = b"\xff\x00\xff"
"""Parts two pieces of a view: no piece goes on in the next."""

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{10,}(?:(?:\\r|\r)?(?:\\n|\n)[ \t]*[A-Za-z0-9+/_-]{2,})*")
_LINE_ENDS = re.compile(rb"\\r|\\n|[ \t\r\n]")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_HEX = re.compile(rb"[0-9A-Fa-f]{12,}|(?:[0-9A-Fa-f]{2}[ :-]){5,}[0-9A-Fa-f]{2}")
_NOT_HEX = re.compile(rb"[ :-]")
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|([0-7]{3})|([nrt\\'\"/]))")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_MARKUP = re.compile(rb"&(?:#([0-9]{1,6})|#x([0-9A-Fa-f]{1,5})|(lt|gt|amp|quot|apos));")
_NUMBER = re.compile(rb"[1-9][0-9]{23,3999}")
_NUMBERS = re.compile(rb"(?:[0-9]{1,3},\s*){7,}[0-9]{1,3}")
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")
_ZIP = b"PK\x03\x04"


def views(data: bytes) -> list[bytes]:
    """Return the data, and each view of it that can be made, the views of views among them."""
    seen, level = {data}, [data]
    for _ in range(DEPTH):
        made = {view for known in level for view in _next(known)} - seen
        seen |= made
        level = list(made)
    return list(seen)


def _next(data: bytes) -> Iterator[bytes]:
    for decode in DECODERS.values():
        view = decode(data)
        if len(view) >= 4:
            yield view


def _base64(data: bytes) -> bytes:
    """Decode each run at each of four offsets: what is before the value may look like it."""
    pieces = []
    for run in _BASE64.findall(data):
        text = _LINE_ENDS.sub(b"", run).translate(_URL_SAFE)
        pieces += [_decoded(text[offset:]) for offset in range(4)]
    return _BETWEEN.join(pieces)


def _decoded(text: bytes) -> bytes:
    whole = text[: len(text) - 1] if len(text) % 4 == 1 else text
    return b64decode(whole + b"=" * (-len(whole) % 4))


def _hex(data: bytes) -> bytes:
    """Decode each run of hex digits, from its first digit and from its second."""
    pieces = []
    for run in _HEX.findall(data):
        digits = _NOT_HEX.sub(b"", run)
        for start in (0, 1):
            end = len(digits) - (len(digits) - start) % 2
            pieces.append(binascii.unhexlify(digits[start:end]))
    return _BETWEEN.join(pieces)


_LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_ENTITIES = {b"lt": b"<", b"gt": b">", b"amp": b"&", b"quot": b'"', b"apos": b"'"}


def _escape(found: re.Match[bytes]) -> bytes:
    in_hex, unicode, octal, letter = found.groups()
    if in_hex:
        return binascii.unhexlify(in_hex)
    if octal:
        return bytes([int(octal, 8) & 0xFF])
    return _LETTERS.get(letter, letter) if letter else _character(int(unicode, 16))


def _reference(found: re.Match[bytes]) -> bytes:
    decimal, in_hex, name = found.groups()
    return _ENTITIES[name] if name else _character(int(decimal or in_hex, 10 if decimal else 16))


def _character(number: int) -> bytes:
    return chr(number).encode("utf-8", "surrogatepass") if number < 0x110000 else b""


def _replacing(
    sign: bytes, pattern: re.Pattern[bytes], by: Callable[[re.Match[bytes]], bytes]
) -> Callable[[bytes], bytes]:
    return lambda data: pattern.sub(by, data) if sign in data else b""


def _integers(data: bytes) -> bytes:
    """Turn long decimal numbers into bytes, and lists of small ones."""
    pieces = []
    for found in _NUMBER.findall(data):
        number = int(found)
        pieces.append(number.to_bytes((number.bit_length() + 7) // 8, "big"))
    for row in _NUMBERS.findall(data):
        numbers = [int(n) for n in row.split(b",")]
        pieces.append(bytes(n for n in numbers if n < 256))
    return _BETWEEN.join(pieces)


def _narrowed(data: bytes) -> bytes:
    """Take the zeros out of what looks like UTF-16 or UTF-32, for what is encoded within it."""
    return data.replace(b"\0", b"") if data.count(b"\0") * 4 > len(data) else b""


def _unpacked(data: bytes) -> bytes:
    """Unpack what gzip, zlib (as in PDF and PNG) and zip have packed, whole or broken off."""
    streams = [(match.start(), 15 | 32) for match in _ZLIB.finditer(data)]
    streams += [(start, -15) for start in _members(data)]
    return _BETWEEN.join(_inflated(data[start:], kind) for start, kind in streams)


def _members(data: bytes) -> Iterator[int]:
    """Yield where the packed data of each member of a zip file begin (APPNOTE 4.3.7)."""
    at = data.find(_ZIP)
    while at >= 0:
        name, extra = (int.from_bytes(data[at + n : at + n + 2], "little") for n in (26, 28))
        if data[at + 8 : at + 10] == b"\x08\x00":
            yield at + 30 + name + extra
        at = data.find(_ZIP, at + 4)


def _inflated(data: bytes, kind: int) -> bytes:
    stream, made = zlib.decompressobj(kind), bytearray()
    try:
        for at in range(0, len(data), 4096):  # what is broken off is had up to there
            made += stream.decompress(data[at : at + 4096], MOST_UNPACKED - len(made))
            if stream.eof or len(made) >= MOST_UNPACKED:
                break
    except zlib.error:
        pass
    return bytes(made)


DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "base64": _base64,
    "hex": _hex,
    "escapes": _replacing(b"\\", _ESCAPE, _escape),
    "percent": _replacing(b"%", _PERCENT, lambda found: binascii.unhexlify(found[1])),
    "markup": _replacing(b"&", _MARKUP, _reference),
    "integers": _integers,
    "narrowed": _narrowed,
    "unpacked": _unpacked,
}
