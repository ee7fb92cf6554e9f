"""SIP messages as bytes and as values (RFC 3261 7): no I/O, and nothing is believed.

Only what a registration over a stream needs: start line, headers (folded lines and compact names
included), a body that is carried and not read.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

HEADER_BYTES = 64 * 1024
"""Start line and headers of one message at most."""

BODY_BYTES = 1024 * 1024
"""Body of one message at most."""

_MOST_FIELDS = 256

_COMPACT = {
    "c": "content-type",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
}
"""Compact forms of names (RFC 3261 7.3.3, RFC 6665)."""

_STATUS = re.compile(r"SIP/2\.0 ([1-6]\d\d)(?: (.*))?", re.ASCII)
_REQUEST = re.compile(r"([A-Z]{1,32}) (\S{1,1024}) SIP/2\.0", re.ASCII)
_FIELD = re.compile(r"([!#-'*+.0-9A-Z^-z|~-]{1,128})[ \t]*:(.*)", re.ASCII | re.DOTALL)
_FOLD = re.compile(r"\r\n[ \t]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH = re.compile(r"\d{1,10}", re.ASCII)


class NotSip(ValueError):
    """Raised when bytes are no SIP message; the text says what is wrong, and repeats none of it."""


@dataclass(frozen=True)
class Headers:
    """The headers of a message, in the order of the wire.

    Attributes:
        fields: Names and values. Bytes that are no UTF-8 are kept as lone surrogates, so that
            a signature over them can be verified.
    """

    fields: tuple[tuple[str, str], ...] = ()

    def all(self, name: str) -> tuple[str, ...]:
        """Return the values of all headers of a name, whatever its case, or in compact form."""
        return self._by_name.get(_full(name), ())

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[str, ...]]:
        """The values by their header's name in full: a signature looks for some thirty names."""
        found: dict[str, tuple[str, ...]] = {}
        for name, value in self.fields:
            full = _full(name)
            found[full] = (*found.get(full, ()), value)
        return found

    def get(self, name: str) -> str:
        """Return the first value of a name, or ``""``."""
        return next(iter(self.all(name)), "")

    def only(self, name: str) -> str:
        """Return the value of a header that may be there once only, or ``""``.

        Raises:
            NotSip: There are several, so that two readers might take different ones.
        """
        found = self.all(name)
        if len(found) > 1:
            raise NotSip(f"it has {len(found)} headers {name}")
        return self.get(name)

    def with_field(self, name: str, value: str) -> Self:
        """Return these headers and one more."""
        return replace(self, fields=(*self.fields, (name, value)))


def _full(name: str) -> str:
    lower = name.lower()
    return _COMPACT.get(lower, lower)


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        method: ``REGISTER``.
        uri: Whom it is for.
        headers: All but ``Content-Length``, which is written for the body.
        body: Any bytes.
    """

    method: str
    uri: str
    headers: Headers
    body: bytes = b""

    def start_line(self) -> str:
        """Return the first line."""
        return f"{self.method} {self.uri} SIP/2.0"


@dataclass(frozen=True)
class Response:
    """An answer.

    Attributes:
        status: 100 to 699.
        reason: The server's words for it; hostile until cleaned.
        headers: As they came.
        body: Any bytes.
    """

    status: int
    reason: str
    headers: Headers
    body: bytes = b""

    def start_line(self) -> str:
        """Return the first line."""
        return f"SIP/2.0 {self.status} {self.reason}"


Message = Request | Response


def to_bytes(message: Message) -> bytes:
    """Write a message as it goes over the wire.

    Raises:
        ValueError: A header holds a line break, which would begin another header.
    """
    fields = [f for f in message.headers.fields if _full(f[0]) != "content-length"]
    lines = [message.start_line(), *(f"{name}: {value}" for name, value in fields)]
    lines.append(f"Content-Length: {len(message.body)}")
    if any(_CONTROL.search(line) for line in lines):
        raise ValueError("a header cannot hold control characters")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + message.body


def parse_head(block: bytes) -> Message:
    """Read start line and headers; the body is left empty.

    Args:
        block: All of it, without the empty line after it.

    Raises:
        NotSip: It is not that.
    """
    if len(block) > HEADER_BYTES:
        raise NotSip("its headers are too long")
    text = _FOLD.sub(" ", block.decode("utf-8", "surrogateescape"))
    start, *lines = text.split("\r\n")
    return _start(start, Headers(tuple(_fields(lines))))


def _start(line: str, headers: Headers) -> Message:
    status = _STATUS.fullmatch(line)
    if status:
        return Response(int(status[1]), status[2] or "", headers)
    request = _REQUEST.fullmatch(line)
    if request:
        return Request(request[1], request[2], headers)
    raise NotSip("its first line is not that of a SIP message")


def _fields(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for number, line in enumerate(lines):
        if number == _MOST_FIELDS:
            raise NotSip("it has too many headers")
        field = _FIELD.fullmatch(line)
        if field is None or _CONTROL.search(field[2]):
            raise NotSip("a header cannot be read")
        yield field[1], field[2].strip(" \t")


def body_length(headers: Headers) -> int:
    """Return the length of the body in bytes; 0 where nothing is said.

    Raises:
        NotSip: It is said twice, is no number, or is too much.
    """
    text = headers.only("Content-Length")
    if not text:
        return 0
    if not _LENGTH.fullmatch(text) or int(text) > BODY_BYTES:
        raise NotSip("its length cannot be, or is too much")
    return int(text)
