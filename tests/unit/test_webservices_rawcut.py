"""Elements cut out of raw bytes: exactly theirs, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from usbprov.errors import AnswerInvalid
from usbprov.webservices.rawcut import RawCut, canonical
from usbprov.webservices.xmlsafe import XmlDocument, descendants, parse

TRICKS = (
    b"<!-- <t:cut> </t:cut> -->",
    b"<![CDATA[</t:cut><t:cut>]]>",
    b"<?pi <t:cut> ?>",
    b"text &lt;t:cut&gt; > \xc3\xa9",
    b"<empty/>",
    b"<empty\n/>",
    b"<e></e >",
    b"""<q a='">/q>' b="'/>" />""",
    b'<q xmlns:n="urn:n" n:a="1"><m b="2"/></q>',
    b"\r\n\t ",
)
noise = st.lists(st.sampled_from(TRICKS), max_size=6).map(b"".join)


def element(document: XmlDocument, name: str) -> "etree._Element":
    return next(descendants(document.root, name))


@given(before=noise, inside=noise, after=noise, quote=st.sampled_from(["'", '"']))
def test_cut_is_byte_for_byte_what_stands_there(
    before: bytes, inside: bytes, after: bytes, quote: str
) -> None:
    start = f"<t:cut  xmlns:t={quote}urn:t{quote} a={quote}/>{quote} >".encode()
    wanted = start + inside + b"</t:cut\n>"
    document = parse(b"<root>" + before + wanted + after + b"</root>", "server")
    cut = element(document, "cut")
    assert RawCut(document).outer(cut) == wanted
    assert RawCut(document).inner(cut) == inside


nested = st.recursive(
    noise,
    lambda inner: st.tuples(noise, inner, inner, noise).map(
        lambda parts: parts[0] + b"<n><m>" + parts[1] + b"</m>" + parts[2] + b"</n>" + parts[3]
    ),
    max_leaves=6,
)


@given(content=nested)
def test_every_element_is_found_again_at_its_place(content: bytes) -> None:
    document = parse(b"<?xml version='1.0'?>\n<!-- c --><root>" + content + b"</root>", "server")
    for found in document.root.iter("*"):
        assert canonical(etree.fromstring(RawCut(document).outer(found))) == canonical(found)


def test_element_with_a_prefix_from_further_up_is_refused() -> None:
    document = parse(b'<r xmlns:p="urn:p"><p:cut/></r>', "pool.test")
    with pytest.raises(AnswerInvalid, match="does not declare its own namespaces"):
        RawCut(document).outer(element(document, "cut"))


def test_element_in_a_default_namespace_from_further_up_is_refused() -> None:
    document = parse(b'<r xmlns="urn:p"><cut/></r>', "pool.test")
    with pytest.raises(AnswerInvalid, match="does not declare its own namespaces"):
        RawCut(document).outer(element(document, "cut"))


def test_attribute_with_a_prefix_from_further_up_is_refused() -> None:
    document = parse(b'<r xmlns:p="urn:p"><cut p:a="1"/></r>', "pool.test")
    with pytest.raises(AnswerInvalid, match="does not declare its own namespaces"):
        RawCut(document).outer(element(document, "cut"))


def test_unused_namespaces_further_up_do_no_harm() -> None:
    document = parse(b'<r xmlns:p="urn:p"><c xmlns="urn:c" a="1"><d/></c></r>', "pool.test")
    assert RawCut(document).outer(element(document, "c")) == b'<c xmlns="urn:c" a="1"><d/></c>'


def test_byte_order_mark_does_not_shift_the_cut() -> None:
    document = parse(b"\xef\xbb\xbf<r><cut>\xc3\xa9</cut></r>", "pool.test")
    assert RawCut(document).outer(element(document, "cut")) == b"<cut>\xc3\xa9</cut>"


def test_inner_bytes_of_an_empty_element_are_none() -> None:
    document = parse(b"<r><cut/><x/></r>", "pool.test")
    assert RawCut(document).inner(element(document, "cut")) == b""
