"""Elements as their very bytes.

The server signed the assertion as it wrote it, and the client must hand it back so: parsing and
writing anew would change it (``protocol.md`` 4.4). The document is parsed first, so what is
scanned here is known to be well-formed and to have no document type; then a tag is recognised by
five patterns, and the n-th start tag belongs to the n-th element of the tree.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from lxml import etree

from usbprov.errors import AnswerInvalid
from usbprov.webservices.xmlsafe import XmlDocument, parse

_TOKEN = re.compile(
    rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
    rb"|(?P<end></[^>]*>)"
    rb"""|(?P<start><(?:[^>"']|"[^"]*"|'[^']*')*+>)""",
    re.DOTALL,
)


@dataclass
class _Span:
    """Where an element lies: its first byte, its content, and the byte after its last."""

    start: int
    inner_start: int
    inner_end: int
    end: int


class RawCut:
    """Cuts elements out of one document, which is scanned once for all of them."""

    def __init__(self, document: XmlDocument) -> None:
        self._document = document

    def outer(self, element: "etree._Element") -> bytes:
        """Return an element of the document as its bytes, tags included.

        Raises:
            AnswerInvalid: The element does not stand on its own: it uses a namespace that is
                declared further up, so its bytes would mean something else in another place.
        """
        span = self._span_of(element)
        cut = self._document.data[span.start : span.end]
        if not _same(cut, element):
            problem = f"its {etree.QName(element).localname} does not declare its own namespaces"
            raise AnswerInvalid(self._document.server, problem)
        return cut

    def inner(self, element: "etree._Element") -> bytes:
        """Return what lies between the tags of an element of the document, as its bytes."""
        span = self._span_of(element)
        return self._document.data[span.inner_start : span.inner_end]

    def _span_of(self, element: "etree._Element") -> _Span:
        return self._spans[self._elements.index(element)]

    @cached_property
    def _elements(self) -> "list[etree._Element]":
        return list(self._document.root.iter("*"))

    @cached_property
    def _spans(self) -> list[_Span]:
        spans = _spans(self._document.data)
        if len(spans) != len(self._elements):
            raise AnswerInvalid(self._document.server, "its elements cannot be told apart")
        return spans


def canonical(element: "etree._Element") -> bytes:
    """Return an element in exclusive canonical form (exc-c14n), without comments."""
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def _same(cut: bytes, element: "etree._Element") -> bool:
    try:
        alone = parse(cut, "")
    except AnswerInvalid:
        return False
    return canonical(alone.root) == canonical(element)


def _spans(data: bytes) -> list[_Span]:
    """Return where each element lies, in document order."""
    spans: list[_Span] = []
    unfinished: list[_Span] = []
    for token in _TOKEN.finditer(data):
        if token["start"]:
            span = _Span(token.start(), token.end(), token.end(), token.end())
            spans.append(span)
            if not token["start"].endswith(b"/>"):
                unfinished.append(span)
        elif token["end"] and unfinished:
            span = unfinished.pop()
            span.inner_end, span.end = token.start(), token.end()
    return spans
