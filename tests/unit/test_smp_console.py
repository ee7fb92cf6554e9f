"""Console framing: messages are found among log text, and damage costs one frame only."""

import binascii

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smp import packet

from usbprov_drivers.smp.console import LINE_SIZE, ConsoleDecoder, encode_console
from usbprov_drivers.smp.wire import Message, Op

messages = st.builds(
    Message,
    op=st.sampled_from(Op),
    group=st.integers(0, 0xFFFF),
    command=st.integers(0, 0xFF),
    sequence=st.integers(0, 0xFF),
    payload=st.binary(max_size=600),
    flags=st.integers(0, 0xFF),
)
log_text = st.binary(max_size=60).map(
    lambda text: text.translate(None, delete=b"\x04\x06\n") + b"\r\n"
)

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
MESSAGE = Message(Op.READ, 0x550, 0, 42, b"\xa1\x61a\x58\xc8" + bytes(200))


def decode(data: bytes) -> list[Message]:
    return list(ConsoleDecoder().feed(data))


@steady
@given(messages, st.integers(8, 200))
def test_a_message_comes_back_as_it_was(message: Message, line_size: int) -> None:
    lines = encode_console(message.encode(), line_size)
    assert all(len(line) < line_size for line in lines.split(b"\n"))
    assert decode(lines) == [message]


@steady
@given(messages)
def test_the_stock_codec_reads_ours_and_we_read_its(message: Message) -> None:
    *lines, last = encode_console(message.encode()).splitlines(keepends=True)
    reader = packet.decode()
    next(reader)
    for line in lines:
        reader.send(line)
    with pytest.raises(StopIteration) as whole:
        reader.send(last)
    assert whole.value.value == message.encode()
    assert decode(b"".join(packet.encode(message.encode()))) == [message]


@steady
@given(st.lists(st.tuples(log_text, messages), max_size=4), st.integers(1, 300))
def test_log_text_between_messages_is_ignored(
    parts: list[tuple[bytes, Message]], size: int
) -> None:
    stream = b"".join(text + encode_console(message.encode()) for text, message in parts)
    decoder = ConsoleDecoder()
    got: list[Message] = []
    for at in range(0, len(stream), size):
        got += decoder.feed(stream[at : at + size])
    assert got == [message for _, message in parts]
    assert decoder.dropped == 0


def test_a_marker_may_follow_text_on_its_line_and_lines_may_end_in_crlf() -> None:
    lines = encode_console(MESSAGE.encode()).replace(b"\n", b"\r\n")
    assert decode(b"uart:~$ " + lines) == [MESSAGE]


@steady
@given(st.data())
def test_a_damaged_frame_is_dropped_and_the_next_one_is_read(data: st.DataObject) -> None:
    lines = bytearray(encode_console(MESSAGE.encode()))
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] ^= data.draw(st.integers(1, 255))
    after = Message(Op.READ, 0, 6, 43, b"\xa0")
    got = decode(bytes(lines) + b"\n" + encode_console(after.encode()))
    assert got[-1:] == [after]
    assert got[:-1] in ([], [MESSAGE])


def test_every_truncation_yields_nothing() -> None:
    lines = encode_console(MESSAGE.encode())
    for size in range(len(lines)):
        assert decode(lines[:size]) == []


def frame(content: bytes) -> bytes:
    return b"\x06\x09" + binascii.b2a_base64(content)


@pytest.mark.parametrize(
    "lines",
    [
        frame(b"\x00\x02\x00\x00"),  # no message at all
        frame(b"\x00\x00\x00\x00"),  # a length below the CRC's own
        frame(b"\x00\x03a\x00\x00"),  # no header, wrong CRC
        frame(b"\x00\x05abc\x00\x00\x00"),  # longer than it says
        frame(b"\xff\xff") + b"\x04\x14AAAA\n",  # more than is taken
        b"\x06\x09!!!!\n",
        b"\x06\x09AAA\n",
        b"\x04\x14AAAA\n",  # a continuation of nothing
    ],
)
def test_hostile_frames_are_dropped_and_counted(lines: bytes) -> None:
    decoder = ConsoleDecoder()
    assert list(decoder.feed(lines)) == []
    list(decoder.feed(b"\x06\x09\n"))
    assert decoder.dropped >= 1
    assert list(decoder.feed(encode_console(MESSAGE.encode()))) == [MESSAGE]


def test_a_line_without_end_costs_no_memory() -> None:
    decoder = ConsoleDecoder()
    for _ in range(1000):
        assert list(decoder.feed(b"\x06\x09" + b"A" * 998)) == []
    assert len(decoder._line) <= 1024
    assert list(decoder.feed(b"\n" + encode_console(MESSAGE.encode()))) == [MESSAGE]


def test_a_new_first_line_replaces_an_unfinished_frame() -> None:
    first = encode_console(MESSAGE.encode()).split(b"\n")[0] + b"\n"
    decoder = ConsoleDecoder()
    assert list(decoder.feed(first + encode_console(MESSAGE.encode()))) == [MESSAGE]
    assert decoder.dropped == 1


def test_a_message_too_long_for_the_length_field_is_not_encoded() -> None:
    with pytest.raises(ValueError, match="too long"):
        encode_console(bytes(65534))


def test_lines_are_at_most_127_bytes() -> None:
    lines = encode_console(bytes(4096)).splitlines(keepends=True)
    assert max(map(len, lines)) == LINE_SIZE
