"""COBS frames: each comes back as it was, the stock codec agrees, and damage never passes."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smpclient.transport.serial import Cobs

from usbprov_drivers.smp.cobs import STARTS, decode_cobs, encode_cobs, longest_body
from usbprov_drivers.smp.wire import MalformedMessage, Message, Op, Version

payloads = st.one_of(
    st.binary(max_size=900),
    st.lists(st.sampled_from([b"\0", b"\xff", b"a" * 253, b"b" * 254, b"c" * 255]), max_size=6).map(
        b"".join
    ),
)
messages = st.builds(
    Message,
    op=st.sampled_from(Op),
    group=st.integers(0, 0xFFFF),
    command=st.integers(0, 0xFF),
    sequence=st.integers(0, 0xFF),
    payload=payloads,
    version=st.sampled_from(Version),
    flags=st.just(0),
)
steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@steady
@given(messages)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    frame = encode_cobs(message.encode())
    body = frame[1:-1]
    assert frame[:1] == frame[-1:] == b"\0"
    assert 0 not in body
    assert body[0] in STARTS
    assert len(body) <= longest_body(len(message.encode()))
    assert decode_cobs(body) == message


@steady
@given(messages)
def test_the_stock_codec_reads_ours_and_we_read_its(message: Message) -> None:
    stock = Cobs()
    (theirs,) = stock.encode(message.encode())
    assert encode_cobs(message.encode()) == b"\0" + theirs
    stock.feed(encode_cobs(message.encode()) * 2)
    assert [stock.take(), stock.take(), stock.take()] == [message.encode(), message.encode(), None]


@pytest.mark.parametrize("run", [253, 254, 255, 507, 508, 509])
@pytest.mark.parametrize("tail", [b"", b"\0", b"\0x"])
def test_runs_of_the_longest_length_come_back(run: int, tail: bytes) -> None:
    message = Message(Op.WRITE, 0x550, 4, 1, b"x" * run + tail)
    assert decode_cobs(encode_cobs(message.encode())[1:-1]) == message


def test_a_frame_costs_half_a_percent() -> None:
    message = random.Random(1).randbytes(1600)  # noqa: S311
    assert len(encode_cobs(message)) <= 1600 * 1.005 + 4


def some(seed: int) -> Message:
    dice = random.Random(seed)  # noqa: S311
    payload = dice.choice([dice.randbytes, bytes])(dice.randrange(300))
    return Message(Op.WRITE, dice.randrange(65536), dice.randrange(256), 7, payload)


def accepted(body: bytes) -> Message | None:
    try:
        return decode_cobs(body)
    except MalformedMessage:
        return None


@pytest.mark.parametrize("seed", range(12))
def test_no_single_wrong_bit_passes(seed: int) -> None:
    body = encode_cobs(some(seed).encode())[1:-1]
    for at in range(len(body)):
        for bit in range(8):
            damaged = bytearray(body)
            damaged[at] ^= 1 << bit
            assert accepted(bytes(damaged)) is None, (seed, at, bit)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_that_is_cut_or_lacks_a_byte_passes(seed: int) -> None:
    body = encode_cobs(some(seed).encode())[1:-1]
    for at in range(len(body)):
        assert accepted(body[:at]) is None, (seed, at)
        assert accepted(body[:at] + body[at + 1 :]) in (None, some(seed)), (seed, at)


@steady
@given(st.binary(max_size=80))
def test_whatever_comes_is_a_message_or_malformed(body: bytes) -> None:
    message = accepted(body)
    assert message is None or decode_cobs(encode_cobs(message.encode())[1:-1]) == message


@pytest.mark.parametrize(
    "body", [b"", b"\x01", b"\x00", b"\x05ab", b"\x03\x00\x00", b"\x02\x08\x01\x05"]
)
def test_what_is_no_frame_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_cobs(body)
