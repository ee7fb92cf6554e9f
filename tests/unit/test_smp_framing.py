"""Messages on a serial line: either coding at any time, among log text, and nothing but them."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smpclient.transport.serial import Cobs

from usbprov_drivers.smp.cobs import decode_cobs
from usbprov_drivers.smp.console import FIRST, ConsoleDecoder, encode_console
from usbprov_drivers.smp.framing import WAKE, LineCode, LineDecoder, LineFraming, RawFraming
from usbprov_drivers.smp.messages import Framings
from usbprov_drivers.smp.wire import Message, Op

CONSOLE, COBS = LineCode.CONSOLE, LineCode.COBS
Found = list[tuple[LineCode, Message]]

messages = st.builds(
    Message,
    op=st.sampled_from(Op),
    group=st.sampled_from([0, 0x550]),
    command=st.integers(0, 20),
    sequence=st.integers(0, 0xFF),
    payload=st.binary(max_size=400),
    flags=st.just(0),
)
log_text = st.text(st.characters(codec="ascii", min_codepoint=32), max_size=60).map(str.encode)
log_lines = log_text.map(lambda text: text + b"\r\n")
steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

MESSAGE = Message(Op.READ, 0x550, 0, 42, b"\xa1\x61a\x58\xc8" + bytes(200))
AFTER = Message(Op.READ, 0, 6, 43, b"\xa0")


def decode(data: bytes, size: int = 4096, limit: int = 16384) -> Found:
    decoder = LineDecoder(limit)
    found: Found = []
    for at in range(0, len(data), size):
        found += decoder.feed(data[at : at + size])
    return found


@steady
@given(
    st.lists(st.tuples(log_lines, log_text, st.sampled_from(LineCode), messages), max_size=5),
    st.integers(1, 300),
)
def test_both_codings_are_read_from_one_line_among_log_text(
    parts: list[tuple[bytes, bytes, LineCode, Message]], size: int
) -> None:
    stream = b"".join(
        lines + prompt + code.encode(message.encode()) for lines, prompt, code, message in parts
    )
    assert decode(stream, size) == [(code, message) for _, _, code, message in parts]


@steady
@given(st.lists(messages, max_size=4), st.integers(1, 300))
def test_frames_of_the_stock_client_have_one_delimiter_only(sent: list[Message], size: int) -> None:
    stream = b"".join(piece for message in sent for piece in Cobs().encode(message.encode()))
    assert decode(stream, size) == [(COBS, message) for message in sent]
    after_text = b"uart:~$ \r\n" + stream
    assert decode(after_text, size) == [(COBS, message) for message in sent]


@steady
@given(messages, st.data())
def test_log_text_may_stand_between_the_lines_of_a_frame(
    message: Message, data: st.DataObject
) -> None:
    lines = encode_console(message.encode()).splitlines(keepends=True)
    stream = b"".join(data.draw(log_lines) + data.draw(log_text) + line for line in lines)
    assert decode(stream) == [(CONSOLE, message)]


@pytest.mark.parametrize("code", LineCode)
def test_every_truncation_yields_nothing_and_hides_nothing(code: LineCode) -> None:
    frame = code.encode(MESSAGE.encode())
    for size in range(len(frame)):
        assert decode(frame[:size]) == []
        for after in LineCode:
            stream = frame[:size] + WAKE + after.encode(AFTER.encode())
            found = decode(stream)
            assert found[-1:] == [(after, AFTER)], size
            if size < len(frame) - 1:  # with its last byte, WAKE only completes it
                assert found[:-1] == []


@pytest.mark.parametrize("seed", range(300))
def test_what_comes_from_a_bad_line_was_sent(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    sent = [
        (dice.choice(list(LineCode)), Message(Op.WRITE, 0x550, 4, at, dice.randbytes(60)))
        for at in range(8)
    ]
    stream = b"".join(code.encode(message.encode()) for code, message in sent)
    bad = bytearray()
    for byte in stream:
        roll = dice.random()
        if roll < 0.003:
            continue
        bad.append(byte ^ 1 << dice.randrange(8) if roll < 0.006 else byte)
        if roll > 0.997:
            bad.append(dice.randrange(256))
    found = decode(bytes(bad), dice.randrange(1, 50))
    rest = iter(sent)
    assert all(one in rest for one in found), f"seed {seed}: not sent, or not in that order"


def test_what_a_frame_carries_is_never_read_as_text() -> None:
    planted = encode_console(AFTER.encode())
    message = Message(Op.WRITE, 0x550, 4, 1, b"\n" + planted + b"\n" + planted)
    frame = COBS.encode(message.encode())
    assert planted in frame
    assert list(ConsoleDecoder().feed(frame)) == [AFTER, AFTER], "it would be found"
    for size in (1, 7, 4096):
        assert decode(frame, size) == [(COBS, message)]


def test_the_host_sends_nothing_in_which_a_line_could_be_planted() -> None:
    framing = LineFraming()
    framing.choose(Framings.COBS)
    for payload in (b"\n" + encode_console(AFTER.encode()), FIRST):
        message = Message(Op.WRITE, 0x550, 4, 1, payload)
        sent = framing.encode(message.encode())
        assert decode(sent) == [(CONSOLE, message)]
        for at in range(1, len(sent)):
            assert AFTER not in [found for _, found in decode(sent[at:])]
    assert framing.code is COBS


@pytest.mark.parametrize("code", LineCode)
def test_who_takes_only_the_first_message_spoils_nothing(code: LineCode) -> None:
    framing = LineFraming()
    for number in range(60):
        message = Message(Op.READ, 0, 6, number, bytes(range(100)))
        found: list[Message] = []
        for byte in code.encode(message.encode()) + b"uart:~$ \r\n":
            for one in framing.feed(bytes([byte])):
                found.append(one)
                break
        assert found == [message]


def test_a_phone_without_cobs_takes_such_frames_for_text() -> None:
    decoder = LineDecoder(cobs=False)
    stream = COBS.encode(MESSAGE.encode()) + b"\n" + CONSOLE.encode(AFTER.encode())
    assert list(decoder.feed(stream)) == [(CONSOLE, AFTER)]


@pytest.mark.parametrize("limit", [8, 252, 1020])
@pytest.mark.parametrize("code", LineCode)
def test_messages_up_to_the_limit_are_taken(limit: int, code: LineCode) -> None:
    fits = Message(Op.READ, 0, 0, 1, b"x" * (limit - 8))
    longer = Message(Op.READ, 0, 0, 1, b"x" * (limit - 7))
    assert decode(code.encode(fits.encode()), limit=limit) == [(code, fits)]
    lines = code.encode(longer.encode()) + b"\n" + code.encode(fits.encode())
    assert decode(lines, limit=limit) == [(code, fits)]


def test_a_frame_without_end_costs_no_memory() -> None:
    decoder = LineDecoder(252)
    for start in (b"\0\x02", b"\n\x01", b"\n\x06\x09"):
        assert list(decoder.feed(start)) == []
        for _ in range(1000):
            assert list(decoder.feed(b"A" * 999)) == []
        kept = decoder._frame or b""
        assert len(kept) + len(decoder._console._line) <= 1300
    assert decoder.dropped >= 2
    stream = b"\n" + b"".join(code.encode(AFTER.encode()) for code in LineCode)
    assert list(decoder.feed(stream)) == [(CONSOLE, AFTER), (COBS, AFTER)]


def test_a_frame_that_lost_its_end_does_not_hide_the_next() -> None:
    frame, after = COBS.encode(MESSAGE.encode()), COBS.encode(AFTER.encode())
    assert decode(frame[:-1] + after) == [(COBS, MESSAGE), (COBS, AFTER)]
    assert decode(frame[:-9] + after) == [(COBS, AFTER)]


def test_the_host_begins_in_console_framing_and_goes_back_to_it() -> None:
    framing = LineFraming()
    console = encode_console(AFTER.encode())
    assert framing.encode(AFTER.encode()) == console
    assert not framing.choose(Framings(0))
    assert not framing.choose(Framings(6))
    assert framing.choose(Framings(7))
    assert decode_cobs(framing.encode(AFTER.encode()).strip(b"\0")) == AFTER
    assert not framing.choose(Framings.COBS), "it is chosen already"
    assert list(framing.feed(console)) == [AFTER], "either coding is read all the time"
    framing.reset()
    assert framing.encode(AFTER.encode()) == console


def test_raw_messages_have_nothing_around_them() -> None:
    framing = RawFraming()
    assert (framing.encode(b"x"), framing.overhead, framing.shared) == (b"x", 0, False)
    assert not framing.choose(Framings.COBS)
    assert list(framing.feed(AFTER.encode()[:5])) == []
    framing.reset()
    assert list(framing.feed(AFTER.encode())) == [AFTER]
