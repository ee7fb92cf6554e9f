"""What is refused before or while parsing, and that the refusal quotes nothing."""

import pytest

from usbprov.errors import AnswerInvalid
from usbprov.webservices.xmlsafe import MAX_BYTES, find_path, parse, text_of

BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;&c;</a>'


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not well-formed"),
        (b"<html><br></html>", "not well-formed"),
        (b"<a>" * 1000 + b"</a>" * 1000, "not well-formed"),
        (b"<a>canary", "not well-formed"),
        (BOMB, "document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        (b"<a><!-- <!DOCTYPE a> --></a>", "document type"),
        ("<a/>".encode("utf-16"), "UTF-8"),
        ("<a/>".encode("utf-16-le"), "UTF-8"),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "not in UTF-8"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "not in UTF-8"),
        (b"<a>\xff</a>", "not well-formed"),
        (b"<a>" + b"x" * MAX_BYTES + b"</a>", "larger than 1048576 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value[:20]),
)
def test_unsafe_or_broken_xml_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(AnswerInvalid, match=problem) as caught:
        parse(data, "pool.test")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "data",
    [
        b"<a/>",
        b"\xef\xbb\xbf<a/>",
        b"<?xml version='1.0' encoding='UTF-8'?><a/>",
        b'<?xml version="1.0" encoding="us-ascii" standalone="yes" ?><a/>',
    ],
)
def test_usual_documents_are_read(data: bytes) -> None:
    assert parse(data, "pool.test").root.tag == "a"


def test_document_does_not_show_its_bytes() -> None:
    assert "canary" not in repr(parse(b"<a>canary</a>", "pool.test"))


def test_paths_go_by_local_names_and_try_every_branch() -> None:
    root = parse(b'<a xmlns:p="urn:p"><p:b/><b><c> x<!-- y -->z </c></b></a>', "s").root
    assert text_of(find_path(root, "b", "c")) == "xz"
    assert find_path(root, "b", "d") is None
