"""SIP messages on a stream (RFC 3261 7, 18.3): bytes in, requests out; no I/O."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

MAX_HEAD = 32 << 10
"""Bytes of start line and headers together; a flight of TLS-DSK takes a few thousand."""
MAX_BODY = 64 << 10
MAX_HEADERS = 100

_VERSION = "SIP/2.0"
_END_OF_HEAD = b"\r\n\r\n"
_COMPACT: Mapping[str, str] = {
    "v": "via",
    "f": "from",
    "t": "to",
    "m": "contact",
    "i": "call-id",
    "l": "content-length",
    "c": "content-type",
    "k": "supported",
    "s": "subject",
    "o": "event",
}
"""RFC 3261 7.3.3, RFC 6665 8.2.1."""


class Malformed(Exception):
    """Raised when what came is no SIP request, or too large a one; the stream cannot go on."""


@dataclass(frozen=True)
class Request:
    """A request as it came; nothing in it is trusted.

    Attributes:
        method: In the case in which it came.
        uri: The Request-URI.
        headers: Lower-case full name and value, in order.
        body: Its content.
    """

    method: str
    uri: str
    headers: Sequence[tuple[str, str]]
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        """Return the values of the header of that (lower-case) name, in order."""
        return [value for key, value in self.headers if key == name]

    def value(self, name: str) -> str:
        """Return the one value of a header that may stand once only; "" where it is not there.

        Raises:
            Malformed: It is there more than once.
        """
        found = self.values(name)
        if len(found) > 1:
            raise Malformed(f"more than one {name}")
        return found[0] if found else ""


@dataclass(frozen=True)
class Response:
    """A response to be sent.

    Attributes:
        status: Status code.
        reason: Its phrase.
        headers: Name and value, in order; ``Content-Length`` is added.
    """

    status: int
    reason: str
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)

    def encode(self) -> bytes:
        """Return the message as it goes over the wire."""
        lines = [f"{_VERSION} {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()


class Reader:
    """Cuts a stream into requests; what is not whole yet is kept."""

    def __init__(self) -> None:
        self._kept = bytearray()

    @property
    def pending(self) -> bool:
        """Whether a request has begun and is not whole yet."""
        return bool(self._kept.lstrip(b"\r\n"))

    def feed(self, data: bytes) -> Iterator[Request]:
        """Take what came and yield each request that is whole.

        Raises:
            Malformed: It is no SIP request, or larger than allowed.
        """
        self._kept += data
        while (request := self._next()) is not None:
            yield request

    def _next(self) -> Request | None:
        self._skip_keep_alives()
        end = self._kept.find(_END_OF_HEAD, 0, MAX_HEAD)
        if end < 0:
            if len(self._kept) >= MAX_HEAD:
                raise Malformed("headers too long")
            return None
        head = read_head(bytes(self._kept[:end]))
        whole = end + len(_END_OF_HEAD) + body_size(head)
        if len(self._kept) < whole:
            return None
        body = bytes(self._kept[end + len(_END_OF_HEAD) : whole])
        del self._kept[:whole]
        return Request(head.method, head.uri, head.headers, body)

    def _skip_keep_alives(self) -> None:
        """Drop empty lines between messages: with them a client keeps its connection alive."""
        kept = self._kept.lstrip(b"\r\n")
        del self._kept[: len(self._kept) - len(kept)]


def read_head(head: bytes) -> Request:
    """Read the start line and the headers, without the empty line that ends them.

    Raises:
        Malformed: They are not those of a SIP request.
    """
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
    start, *lines = _unfold(text)
    words = start.split(" ")
    if len(words) != 3 or words[2] != _VERSION or not _is_token(words[0]) or not words[1]:
        raise Malformed("no request line")
    if len(lines) > MAX_HEADERS:
        raise Malformed("too many headers")
    return Request(words[0], words[1], tuple(_header(line) for line in lines))


def body_size(head: Request) -> int:
    """Return the size of the body, which a stream needs to be told (RFC 3261 18.3).

    Raises:
        Malformed: It is not told, or larger than allowed.
    """
    text = head.value("content-length")
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) > MAX_BODY:
        raise Malformed("Content-Length missing or too large")
    return int(text)


def _unfold(text: str) -> list[str]:
    """Split into lines, each with those that continue it (RFC 3261 7.3.1)."""
    lines: list[str] = []
    for line in text.split("\r\n"):
        if line[:1] in {" ", "\t"} and lines:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    if any(char in line for line in lines for char in "\r\n\0"):
        raise Malformed("control characters")
    return lines


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    name = name.rstrip(" \t").lower()
    if not colon or not _is_token(name):
        raise Malformed("a header without name")
    return _COMPACT.get(name, name), value.strip()


def _is_token(text: str) -> bool:
    """Say whether it is a token (RFC 3261 25.1)."""
    return bool(text) and all(c.isascii() and (c.isalnum() or c in "-.!%*_+`'~") for c in text)
