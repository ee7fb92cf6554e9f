"""The lab's reading of SIP: a stream of bytes to requests, headers to their parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.lab.registrar.exchange import read_exchange, read_token
from usbprov.lab.registrar.sip import (
    MAX_BODY,
    MAX_HEAD,
    MAX_HEADERS,
    Malformed,
    Reader,
    Response,
    read_head,
)
from usbprov.lab.registrar.values import parse_address, parse_credentials, split

REGISTER = (
    b"REGISTER sip:contoso.com SIP/2.0\r\n"
    b"Via: SIP/2.0/tls 192.0.2.10:50123;branch=z9hG4bK0A1B\r\n"
    b"f: <sip:alice@contoso.com>;tag=22fafb15b8;epid=2ebb6f264f\r\n"
    b"To: <sip:alice@contoso.com>\r\n"
    b"CSeq: 4 REGISTER\r\n"
    b"i: d5f2b95d\r\n"
    b"Supported: gruu-10,\r\n adhoclist\r\n"
    b"Content-Length: 5\r\n\r\nhello"
)


def read(data: bytes):
    return list(Reader().feed(data))


def test_a_request_with_compact_names_folded_lines_and_a_body():
    (request,) = read(b"\r\n\r\n" + REGISTER)
    assert (request.method, request.uri, request.body) == (
        "REGISTER",
        "sip:contoso.com",
        b"hello",
    )
    assert request.value("from").startswith("<sip:alice@contoso.com>")
    assert request.value("call-id") == "d5f2b95d"
    assert request.value("supported") == "gruu-10, adhoclist"


@given(st.lists(st.integers(1, 400), max_size=8))
def test_it_does_not_matter_how_the_bytes_come(sizes: list[int]):
    stream = (REGISTER + b"\r\n\r\n") * 2
    reader, found, at = Reader(), [], 0
    for size in [*sizes, len(stream)]:
        found += list(reader.feed(stream[at : at + size]))
        at += size
    assert found == read(stream)
    assert len(found) == 2
    assert not reader.pending


def test_a_message_that_has_begun_is_pending():
    reader = Reader()
    assert list(reader.feed(b"\r\n\r\n")) == []
    assert not reader.pending
    assert list(reader.feed(REGISTER[:50])) == []
    assert reader.pending


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes):
    try:
        read(data)
    except Malformed:
        return


@given(st.integers(0, len(REGISTER) - 1), st.integers(1, 255))
def test_any_changed_byte_is_read_or_refused(at: int, change: int):
    damaged = bytearray(REGISTER)
    damaged[at] ^= change
    try:
        for request in read(bytes(damaged)):
            read_exchange(request)
    except Malformed:
        return


@pytest.mark.parametrize(
    "data",
    [
        b"A" * MAX_HEAD,
        REGISTER.replace(b"Content-Length: 5", b"Content-Length: -5"),
        REGISTER.replace(b"Content-Length: 5", b"Content-Length: 1e3"),
        REGISTER.replace(b"Content-Length: 5", b"Content-Length: %d" % (MAX_BODY + 1)),
        REGISTER.replace(b"Content-Length: 5\r\n", b""),
        REGISTER.replace(b"Content-Length: 5", b"Content-Length: 5\r\nl: 6"),
        REGISTER.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1),
        REGISTER.replace(b"Via:", b"\xff:"),
        REGISTER.replace(b"Via:", b"V ia:"),
        REGISTER.replace(b"Via:", b":"),
        REGISTER.replace(b"gruu-10", b"gruu\r10"),
        REGISTER.replace(b"Via:", b"X: y\r\n" * (MAX_HEADERS + 1) + b"Via:"),
        b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_no_request(data: bytes):
    with pytest.raises(Malformed):
        read(data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"CSeq: 4 REGISTER", b"CSeq: 4 INVITE"),
        (b"CSeq: 4 REGISTER", b"CSeq: x REGISTER"),
        (b"i: d5f2b95d", b"i:"),
        (b";tag=22fafb15b8", b""),
        (b"Via: SIP", b"Not-Via: SIP"),
        (b"<sip:alice@contoso.com>;", b"<mailto:alice@contoso.com>;"),
        (b"<sip:alice@contoso.com>;", b"<sip:alice@contoso.com;"),
        (b"CSeq: 4 REGISTER", b"CSeq: 4 REGISTER\r\nCSeq: 4 REGISTER"),
    ],
)
def test_a_request_that_lacks_what_every_request_has(old: bytes, new: bytes):
    (request,) = read(REGISTER.replace(old, new))
    with pytest.raises(Malformed):
        read_exchange(request)


def test_an_answer_repeats_what_it_must_and_adds_a_tag():
    from datetime import UTC, datetime

    (request,) = read(REGISTER)
    answer = read_exchange(request).answer(
        401, "Unauthorized", datetime(2012, 5, 1, 8, tzinfo=UTC), ("X", "y")
    )
    lines = answer.encode().decode().split("\r\n")
    assert lines[0] == "SIP/2.0 401 Unauthorized"
    assert "CSeq: 4 REGISTER" in lines
    assert "Call-ID: d5f2b95d" in lines
    assert any(line.startswith("To: <sip:alice@contoso.com>;tag=") for line in lines)
    assert lines[-4:] == ["X: y", "Content-Length: 0", "", ""]


@pytest.mark.parametrize(
    ("text", "uri", "params"),
    [
        ("<sip:a@b>;tag=1", "sip:a@b", {"tag": "1"}),
        ("sip:a@b;tag=1", "sip:a@b", {"tag": "1"}),
        ('"A; <b>, \\"c\\"" <sip:a@b;transport=tls>;x;Y="1;2"', "sip:a@b;transport=tls",
         {"x": "", "y": "1;2"}),
        ("Alice <sip:a@b>", "sip:a@b", {}),
    ],
)  # fmt: skip
def test_addresses(text: str, uri: str, params: dict[str, str]):
    found = parse_address(text)
    assert (found.uri, dict(found.params)) == (uri, params)


@pytest.mark.parametrize("text", ["", "<>", "<sip:a b>", "<sip:a@b", "a<b<c>", '"open <sip:a@b>'])
def test_what_is_no_address(text: str):
    with pytest.raises(Malformed):
        parse_address(text)


def test_credentials():
    found = parse_credentials('TLS-DSK qop="auth", gssapi-data="a=b,c==", version=4')
    assert found.scheme == "TLS-DSK"
    assert dict(found.params) == {"qop": "auth", "gssapi-data": "a=b,c==", "version": "4"}
    with pytest.raises(Malformed):
        parse_credentials("NTLM cnum=1, CNUM=2")
    with pytest.raises(Malformed):
        read_token(parse_credentials('NTLM gssapi-data="*"'))
    assert read_token(parse_credentials("NTLM version=4")) is None
    assert read_token(parse_credentials('NTLM gssapi-data=""')) == b""


@given(st.text(max_size=60))
def test_splitting_loses_nothing(text: str):
    assert ",".join(split(text, ",")) == text


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", [" ", '"', "<", "\\", ';"', "<a"])
def test_long_values_take_no_long_time(piece: str):
    for read_it in (parse_address, parse_credentials):
        try:
            read_it(piece * (MAX_HEAD // len(piece)))
        except Malformed:
            continue


def test_headers_are_not_shown():
    assert "secret" not in repr(Response(200, "OK", (("X", "secret"),)))
    assert read_head(b"OPTIONS sip:x SIP/2.0").headers == ()
