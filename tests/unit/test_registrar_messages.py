"""SIP messages out of bytes: in pieces, folded, compact; cut off, flipped, too long."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.registrar.message import (
    BODY_BYTES,
    HEADER_BYTES,
    Headers,
    NotSip,
    Request,
    Response,
    parse_head,
    to_bytes,
)
from usbprov.registrar.stream import MessageStream

ANSWER = (
    b"SIP/2.0 401 Unauthorized\r\n"
    b'WWW-Authenticate: NTLM realm="r", targetname="t", version=4\r\n'
    b'WWW-Authenticate: TLS-DSK realm="r",\r\n\ttargetname="t", version=4\r\n'
    b"i: abc\r\n"
    b"CSeq: 1 REGISTER\r\n"
    b"l: 4\r\n"
    b"\r\n"
    b"body"
)


def read(*pieces: bytes) -> list[Request | Response]:
    stream = MessageStream()
    return [message for piece in pieces for message in stream.feed(piece)]


def test_an_answer_is_read() -> None:
    (answer,) = read(ANSWER)
    assert isinstance(answer, Response)
    assert (answer.status, answer.reason, answer.body) == (401, "Unauthorized", b"body")
    assert answer.headers.get("Call-ID") == "abc"
    assert answer.headers.all("www-authenticate")[1] == (
        'TLS-DSK realm="r", targetname="t", version=4'
    )


def test_messages_come_byte_by_byte() -> None:
    stream = b"\r\n\r\n" + ANSWER + b"\r\n" + ANSWER
    assert read(*(stream[at : at + 1] for at in range(len(stream)))) == read(ANSWER) * 2


@given(st.lists(st.integers(0, 2 * len(ANSWER)), max_size=8))
def test_messages_come_in_any_pieces(cuts: list[int]) -> None:
    stream, at = ANSWER * 2, 0
    pieces = []
    for cut in sorted(cuts):
        pieces.append(stream[at:cut])
        at = cut
    assert read(*pieces, stream[at:]) == read(ANSWER) * 2


@pytest.mark.parametrize("size", range(len(ANSWER)))
def test_a_part_of_a_message_is_none(size: int) -> None:
    assert read(ANSWER[:size]) == []


@given(st.integers(0, len(ANSWER) - 1), st.integers(0, 7))
def test_a_flipped_bit_gives_a_message_or_a_refusal(at: int, bit: int) -> None:
    flipped = ANSWER[:at] + bytes([ANSWER[at] ^ 1 << bit]) + ANSWER[at + 1 :]
    with suppress(NotSip):
        read(flipped)


@given(st.binary(max_size=400))
def test_any_bytes_give_messages_or_a_refusal(data: bytes) -> None:
    with suppress(NotSip):
        read(data, b"\r\n\r\n")


_NAMES = st.sampled_from(["Via", "From", "Contact", "X-Any"])
_VALUES = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"])).map(
    lambda text: text.strip(" \t")
)


@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=6), st.binary(max_size=64))
def test_what_is_written_is_read(fields: list[tuple[str, str]], body: bytes) -> None:
    request = Request("REGISTER", "sip:contoso.com", Headers(tuple(fields)), body)
    (found,) = read(to_bytes(request))
    assert isinstance(found, Request)
    assert (found.method, found.uri, found.body) == ("REGISTER", "sip:contoso.com", body)
    assert found.headers.fields[:-1] == tuple(fields)


def test_bytes_that_are_no_text_survive_for_the_signature() -> None:
    head = parse_head(b"SIP/2.0 200 OK\r\nFrom: <sip:\xff@contoso.com>")
    assert head.headers.get("From").encode("utf-8", "surrogateescape") == b"<sip:\xff@contoso.com>"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"SIP/2.0 999 No\r\n\r\n",
        b"SIP/2.0 200 OK\r\nno colon\r\n\r\n",
        b"SIP/2.0 200 OK\r\nA: \x00\r\n\r\n",
        b"SIP/2.0 200 OK\r\nA: b\nC: d\r\n\r\n",
        b"SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"SIP/2.0 200 OK\r\nContent-Length: 1\r\nl: 2\r\n\r\n",
        b"SIP/2.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES + 1),
        b"SIP/2.0 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n",
        b"x" * (HEADER_BYTES + 1),
        b"SIP/2.0 200 OK\r\nA: " + b"x" * HEADER_BYTES,
        b"\x16\x03\x01\r\n",
    ],
)
def test_what_is_no_message_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(NotSip):
        read(data)


def test_a_line_break_cannot_be_written_into_a_header() -> None:
    request = Request("REGISTER", "sip:a", Headers((("From", "x\r\nTo: y"),)))
    with pytest.raises(ValueError, match="control characters"):
        to_bytes(request)


def test_a_header_that_counts_may_be_there_once() -> None:
    headers = Headers((("Call-ID", "1"), ("i", "2")))
    with pytest.raises(NotSip):
        headers.only("Call-ID")
