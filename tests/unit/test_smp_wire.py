"""SMP messages on the wire: what one side encodes the other decodes, whatever happens between."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usbprov_drivers.smp.wire import (
    HEADER_SIZE,
    Decoder,
    MalformedMessage,
    Message,
    Op,
    Version,
    decode_message,
)

messages = st.builds(
    Message,
    op=st.sampled_from(Op),
    group=st.integers(0, 0xFFFF),
    command=st.integers(0, 0xFF),
    sequence=st.integers(0, 0xFF),
    payload=st.binary(max_size=300),
    version=st.sampled_from(Version),
    flags=st.integers(0, 0xFF),
)

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@steady
@given(messages)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    assert decode_message(message.encode()) == message


@steady
@given(st.lists(messages, max_size=5), st.data())
def test_a_stream_may_be_cut_anywhere(sent: list[Message], data: st.DataObject) -> None:
    stream = b"".join(message.encode() for message in sent)
    decoder, at = Decoder(), 0
    got: list[Message] = []
    while at < len(stream):
        size = data.draw(st.integers(1, 700))
        got += decoder.feed(stream[at : at + size])
        at += size
    assert got == sent
    assert decoder.pending == 0


@steady
@given(messages)
def test_one_byte_at_a_time_yields_the_message_at_its_last_byte_only(message: Message) -> None:
    decoder = Decoder()
    *rest, last = [list(decoder.feed(bytes([byte]))) for byte in message.encode()]
    assert not any(rest)
    assert last == [message]


@steady
@given(messages)
def test_every_truncation_is_refused(message: Message) -> None:
    encoded = message.encode()
    for size in range(len(encoded)):
        with pytest.raises(MalformedMessage):
            decode_message(encoded[:size])
        assert list(Decoder().feed(encoded[:size])) == []


@steady
@given(messages, st.data())
def test_a_flipped_bit_gives_another_message_or_an_error(
    message: Message, data: st.DataObject
) -> None:
    damaged = bytearray(message.encode())
    bit = data.draw(st.integers(0, len(damaged) * 8 - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    with suppress(MalformedMessage):
        assert decode_message(bytes(damaged)) != message


@pytest.mark.parametrize(
    "header",
    ["2800000005500000", "8800000005500000", "1000000005500000", "1800000005500000"]
    + [f"{8 | op:02x}00000005500000" for op in (4, 5, 6, 7)],
)
def test_impossible_headers_are_refused(header: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_message(bytes.fromhex(header))


def test_after_an_impossible_header_the_decoder_begins_anew() -> None:
    decoder = Decoder()
    good = Message(Op.READ, 0, 6, 1, b"\xa0")
    with pytest.raises(MalformedMessage):
        list(decoder.feed(b"\xff" * 20 + good.encode()))
    assert list(decoder.feed(good.encode())) == [good]


def test_a_message_above_the_limit_is_refused_at_its_header() -> None:
    decoder = Decoder(limit=256)
    long = Message(Op.READ, 0, 6, 1, bytes(249)).encode()
    with pytest.raises(MalformedMessage, match="257"):
        list(decoder.feed(long[:HEADER_SIZE]))
    assert decoder.pending == 0
    fits = Message(Op.READ, 0, 6, 1, bytes(248))
    assert list(decoder.feed(fits.encode())) == [fits]


@steady
@given(st.lists(st.binary(max_size=100), max_size=30))
def test_noise_never_fills_memory(noise: list[bytes]) -> None:
    decoder = Decoder(limit=256)
    for piece in noise:
        try:
            list(decoder.feed(piece))
        except MalformedMessage:
            assert decoder.pending == 0
        assert decoder.pending < 256


def test_a_response_answers_its_request_only() -> None:
    request = Message(Op.WRITE, 0x550, 4, 7, b"\xa0")
    response = request.response(b"\xa0")
    assert response.answers(request)
    assert response.op is Op.WRITE_RESPONSE
    assert not response.answers(Message(Op.WRITE, 0x550, 4, 8, b"\xa0"))
    assert not response.answers(Message(Op.READ, 0x550, 4, 7, b"\xa0"))
    assert not response.answers(Message(Op.WRITE, 0x551, 4, 7, b"\xa0"))
    assert not request.answers(request)


def test_a_payload_is_not_shown() -> None:
    assert "secret" not in repr(Message(Op.WRITE, 0x550, 4, 0, b"secret"))
