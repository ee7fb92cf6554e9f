"""XML from the network: size, encoding and document type are checked before it is parsed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from usbprov.errors import AnswerInvalid

MAX_BYTES = 1 << 20
"""No answer may be larger, neither packed nor unpacked."""

MAX_TAGS = 20_000
"""No answer may have more: a tag of four bytes costs hundreds when it is an element of a tree."""

_DECLARED_ENCODING = re.compile(rb"""\A\s*<\?xml[^>]*?\sencoding\s*=\s*["']([^"']*)["']""")
_UTF8 = frozenset({b"utf-8", b"us-ascii", b"ascii"})


@dataclass(frozen=True)
class XmlDocument:
    """A parsed answer together with its own bytes.

    Attributes:
        server: Who sent it, for errors.
        data: The bytes, UTF-8; they may hold secrets, so they are not shown.
        root: The document element.
    """

    server: str
    data: bytes
    root: "etree._Element"

    def __repr__(self) -> str:
        return f"<{len(self.data)} bytes of XML from {self.server}>"


def parse(data: bytes, server: str) -> XmlDocument:
    """Parse an answer, without entities, document type or access to anything else.

    Raises:
        AnswerInvalid: It is too large, not UTF-8, has a document type, or is not well-formed. The
            message holds nothing of it.
    """
    problem = _problem(data)
    if problem is None:
        try:
            return XmlDocument(server, data, etree.fromstring(data, _parser()))
        except etree.XMLSyntaxError as error:
            line, column = error.position
            problem = f"it is not well-formed XML (line {line}, column {column})"
    raise AnswerInvalid(server, problem)


def _problem(data: bytes) -> str | None:
    """Say what forbids even parsing; ``<!DOCTYPE`` within a comment is no reason to try either."""
    if len(data) > MAX_BYTES:
        return f"it is larger than {MAX_BYTES} bytes"
    if b"\0" in data:
        return "it is not text in UTF-8"
    declared = _DECLARED_ENCODING.match(data.removeprefix(b"\xef\xbb\xbf"))
    if declared and declared[1].lower() not in _UTF8:
        return "it is not in UTF-8"
    if data.count(b"<") > MAX_TAGS:
        return f"it has more than {MAX_TAGS} tags"
    if b"<!DOCTYPE" in data:
        return "it has a document type (DTD), which is not allowed"
    return None


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )


def local_name(element: "etree._Element") -> str:
    """Return an element's name without its namespace; services differ in theirs."""
    return str(element.tag).rpartition("}")[2]  # an lxml.etree.QName takes ten times as long


def children(element: "etree._Element", name: str) -> "Iterator[etree._Element]":
    """Yield the child elements of a local name."""
    return (child for child in element.iterchildren("*") if local_name(child) == name)


def descendants(element: "etree._Element", name: str) -> "Iterator[etree._Element]":
    """Yield the elements of a local name within ``element``, in document order."""
    return (found for found in element.iter("*") if local_name(found) == name)


def find_path(element: "etree._Element", *names: str) -> "etree._Element | None":
    """Return the first element that is reached over children of these local names."""
    if not names:
        return element
    for child in children(element, names[0]):
        found = find_path(child, *names[1:])
        if found is not None:
            return found
    return None


def text_of(element: "etree._Element | None") -> str:
    """Return the text directly within an element, comments aside, without white space around."""
    if element is None:
        return ""
    pieces = [element.text, *(child.tail for child in element)]
    return "".join(piece for piece in pieces if piece).strip()
