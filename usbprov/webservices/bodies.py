"""The body of an HTTP answer: read and unpacked with a cap, whatever the server sends."""

import zlib
from typing import Protocol

from usbprov.errors import AnswerInvalid
from usbprov.webservices.xmlsafe import MAX_BYTES

_CHUNK = 16384
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
"""``zlib`` finds out by the header which of the two it is (RFC 1950, RFC 1952)."""

_PLAIN = frozenset({"", "identity"})
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})


class RawBody(Protocol):
    """What gives the bytes of a body as they came over the wire, HTTP chunks joined."""

    def read(self, amt: int, decode_content: bool) -> bytes:
        """Return at most ``amt`` bytes, none at the end."""
        ...


def read_capped(raw: RawBody, encoding: str, server: str, limit: int = MAX_BYTES) -> bytes:
    """Read a whole body, stopping as soon as it is larger than ``limit`` bytes.

    Args:
        raw: Where it comes from.
        encoding: The ``Content-Encoding`` header, or ``""``.
        server: Who sends it, for the error.
        limit: Cap in bytes, for the packed and for the unpacked body.

    Raises:
        AnswerInvalid: It is too large, damaged, or packed in a way that was not asked for.
    """
    packed = _read(raw, server, limit)
    encoding = encoding.strip().lower()
    if encoding in _PLAIN:
        return packed
    if encoding not in _PACKED:
        raise AnswerInvalid(server, f"it is packed in an unknown way ({encoding[:40]!r})")
    return _unpack(packed, server, limit)


def _read(raw: RawBody, server: str, limit: int) -> bytes:
    body = bytearray()
    while piece := raw.read(_CHUNK, decode_content=False):
        body += piece
        if len(body) > limit:
            raise _too_large(server, limit)
    return bytes(body)


def _unpack(packed: bytes, server: str, limit: int) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        body = unpacker.decompress(packed, limit + 1)
    except zlib.error:
        raise AnswerInvalid(server, "its compression is damaged") from None
    if len(body) > limit:
        raise _too_large(server, limit)
    if not unpacker.eof:
        raise AnswerInvalid(server, "its compressed body is cut off")
    return body


def _too_large(server: str, limit: int) -> AnswerInvalid:
    return AnswerInvalid(server, f"it is larger than {limit} bytes")
