"""Bytes from a hostile phone: a message, a map and a record, or an error, in bounded memory."""

import pickle
import tracemalloc
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import MISSING, fields
from enum import Enum

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usbprov_drivers.smp import messages
from usbprov_drivers.smp.cbor import MAX_DEPTH, decode_map, encode_map
from usbprov_drivers.smp.console import ConsoleDecoder, encode_console
from usbprov_drivers.smp.framing import LineCode, LineDecoder
from usbprov_drivers.smp.messages import GROUP, Command
from usbprov_drivers.smp.schema import (
    Choice,
    Data,
    FieldInvalid,
    Flag,
    Int,
    ListOf,
    Nested,
    Record,
    Rule,
    Text,
    dump_record,
    load_record,
)
from usbprov_drivers.smp.wire import MAX_MESSAGE, Decoder, MalformedMessage, Message, Op

MEMORY = 128 * MAX_MESSAGE
"""Bytes that a payload may cost while it is decoded: an array of empty arrays is the dearest."""

KEPT = 2 * MAX_MESSAGE
"""Bytes that a decoder may keep: a message, and a line that is not at its end."""


@contextmanager
def at_most(peak: int) -> Iterator[None]:
    """Bound what is allocated at the worst moment of the block."""
    tracemalloc.start()
    try:
        yield
        worst = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert worst < peak


# --- CBOR ----------------------------------------------------------------------------------------

WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}


def head(major: int, info: int, argument: int = 0) -> bytes:
    return bytes([major << 5 | info]) + (argument % 256 ** WIDTHS.get(info, 1)).to_bytes(
        WIDTHS.get(info, 0) or 1
    ) * (info in WIDTHS)


heads = st.builds(
    head,
    st.integers(0, 7),
    st.integers(0, 31),
    st.sampled_from([0, 1, 2, 23, 24, 255, 256, 65535, 2**31, 2**32 - 1, 2**63, 2**64 - 1]),
)
noise = st.builds(b"".join, st.lists(heads | st.binary(max_size=4), max_size=20))


def depth(value: object) -> int:
    inner = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    )
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@settings(max_examples=200)
@given(st.sampled_from([b"", b"\xa1\x61a", b"\xbf\x61a", b"\xa2\x61a\x00", b"\xbf"]), noise)
def test_any_heads_give_a_bounded_map_or_an_error(start: bytes, rest: bytes) -> None:
    try:
        value = decode_map(start + rest)
    except MalformedMessage:
        return
    assert all(isinstance(key, str) for key in value)
    assert depth(value) <= MAX_DEPTH


@pytest.mark.parametrize("info", WIDTHS)
@pytest.mark.parametrize("major", [2, 3, 4, 5])
def test_a_huge_announcement_costs_nothing(major: int, info: int) -> None:
    most = 256 ** WIDTHS[info] - 1
    hostile = b"\xa1\x61a" + head(major, info, most) + b"\x00" * 200
    with at_most(64 * 1024), pytest.raises(MalformedMessage):
        decode_map(hostile)


ENDLESS = {
    "maps": b"\xbf" + b"\x61a\xbf" * 5000,
    "arrays": b"\xbf\x61a" + b"\x9f" * 16000,
    "definite arrays": b"\xbf\x61a" + b"\x81" * 16000,
    "pieces of text": b"\xbf\x61a\x7f" + b"\x60" * 16000,
    "pieces of bytes": b"\xbf\x61a\x5f" + b"\x40" * 16000,
    "elements": b"\xbf\x61a\x9f" + b"\x00" * 16000,
    "breaks": b"\xbf" + b"\xff" * 16000,
    "tags": b"\xa1\x61a" + b"\xc1" * 16000,
    "keys": b"\xbf" + b"".join(b"\x64%04x\x00" % number for number in range(2700)),
}


@pytest.mark.parametrize("data", ENDLESS.values(), ids=ENDLESS)
def test_what_has_no_end_is_refused(data: bytes) -> None:
    with at_most(MEMORY), pytest.raises(MalformedMessage):
        decode_map(data)


DEAR = {
    "empty arrays": b"\xa1\x61a\x99\x3f\x00" + b"\x80" * 0x3F00,
    "empty maps": b"\xa1\x61a\x99\x3f\x00" + b"\xa0" * 0x3F00,
    "empty texts": b"\xa1\x61a\x99\x3f\x00" + b"\x60" * 0x3F00,
    "pieces": b"\xa1\x61a\x5f" + b"\x41a" * 8000 + b"\xff",
    "keys": b"\xbf" + b"".join(b"\x64%04x\xa0" % number for number in range(2700)) + b"\xff",
}


@pytest.mark.parametrize("data", DEAR.values(), ids=DEAR)
def test_the_dearest_maps_are_bounded(data: bytes) -> None:
    with at_most(MEMORY):
        assert decode_map(data)


@pytest.mark.parametrize(
    "text", [b"\x80", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff\xfe"]
)
def test_text_that_is_no_utf_8_is_refused(text: bytes) -> None:
    for value in (
        bytes([0x60 | len(text)]) + text,
        b"\x7f" + bytes([0x60 | len(text)]) + text + b"\xff",
    ):
        with pytest.raises(MalformedMessage):
            decode_map(b"\xa1\x61a" + value)
    with pytest.raises(MalformedMessage):
        decode_map(b"\xa1" + bytes([0x60 | len(text)]) + text + b"\x00")


@pytest.mark.parametrize("value", ["e0", "f3", "f7", "f800", "f814", "f81f", "f820", "f8ff"])
def test_odd_simple_values_are_no_numbers(value: str) -> None:
    with suppress(MalformedMessage):
        answer = decode_map(b"\xa1\x63now" + bytes.fromhex(value))
        with pytest.raises(FieldInvalid):
            load_record(messages.Time, answer)


@pytest.mark.parametrize("tagged", ["c100", "c24101", "d9010444c0a80001", "d81c80", "d81d00"])
def test_a_tag_is_refused_also_where_it_does_not_upset_the_count(tagged: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_map(b"\xa1\x61a\x9f" + bytes.fromhex(tagged) + b"\xff")


# --- streams -------------------------------------------------------------------------------------


def frames(payload: bytes) -> tuple[Message, bytes]:
    message = Message(Op.READ_RESPONSE, GROUP, 6, 9, payload)
    return message, message.encode()


def raw_drained(decoder: Decoder, data: bytes) -> list[Message]:
    found: list[Message] = []
    with suppress(MalformedMessage):
        found.extend(decoder.feed(data))
    return found


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=600), max_size=12))
def test_the_raw_decoder_keeps_little_and_recovers(pieces: list[bytes]) -> None:
    decoder = Decoder(1024)
    for piece in pieces:
        for message in raw_drained(decoder, piece):
            assert len(message.encode()) <= 1024
        assert decoder.pending <= 1024 + 600
    decoder.reset()
    message, encoded = frames(b"\xa0")
    assert raw_drained(decoder, encoded) == [message]


@pytest.mark.parametrize("size", [MAX_MESSAGE - 7, 0xFFFF])
def test_an_announcement_beyond_the_limit_is_refused_at_once(size: int) -> None:
    decoder = Decoder()
    with pytest.raises(MalformedMessage):
        list(decoder.feed(b"\x09\x00" + size.to_bytes(2) + bytes(4)))
    assert decoder.pending == 0


ENDLESS_LINES = {
    "no line feed": b"x" * 4096,
    "a first line without end": b"\x06\x09" + b"QUFB" * 1023,
    "markers only": b"\x06\x09\n" * 1365,
    "continuations only": b"\x04\x14QUFB\n" * 585,
    "empty lines": b"\n" * 4096,
    "a frame that goes on": b"\x04\x14" + b"QUFB" * 30 + b"\n",
    "zeros": bytes(4096),
    "a COBS frame without end": b"\0\x01" + b"\x7f" * 4094,
    "COBS frames of nothing": b"\0\x01" * 2048,
    "COBS frames that lie": b"\0\x02\xff" * 1365,
    "beginnings of lines": b"\n\x01" * 2048,
}


@pytest.mark.parametrize("piece", ENDLESS_LINES.values(), ids=ENDLESS_LINES)
def test_the_decoders_of_a_line_keep_little(piece: bytes) -> None:
    console, line = ConsoleDecoder(), LineDecoder()
    begun = b"\x06\x09QAIA\n"  # a frame of 16384 bytes begins
    for decoder in (console, line):
        assert list(decoder.feed(begun)) == []
        for _ in range(40):
            assert list(decoder.feed(piece)) == []
        assert len(pickle.dumps(decoder)) < KEPT
    message, encoded = frames(b"\xa0")
    assert list(console.feed(b"\n" + encode_console(encoded))) == [message]
    for code in LineCode:
        assert list(line.feed(b"\0\n" + code.encode(encoded)))[-1:] == [(code, message)]


@pytest.mark.parametrize("size", [1025, 65533])
def test_a_frame_beyond_the_limit_is_dropped_at_once(size: int) -> None:
    """Not when it is whole: it would have been kept until then."""
    line, _, _ = encode_console(bytes(size)).partition(b"\n")
    decoder = ConsoleDecoder(1024)
    assert list(decoder.feed(line + b"\n")) == []
    assert decoder.dropped == 1


def test_a_cobs_frame_beyond_the_limit_is_dropped_before_its_end() -> None:
    decoder = LineDecoder(1024)
    assert list(decoder.feed(b"\0\x01" + b"\x7f" * 1000)) == []
    assert decoder.dropped == 0
    assert list(decoder.feed(b"\x7f" * 100)) == []
    assert decoder.dropped == 1


pieces_of_lines = st.lists(
    st.binary(max_size=80)
    | st.sampled_from([b"\x06\x09", b"\x04\x14", b"\n", b"\0\x01", b"\0\x02"])
)


@settings(max_examples=200)
@given(pieces_of_lines, st.binary(max_size=300))
def test_a_message_is_found_behind_any_noise(pieces: list[bytes], payload: bytes) -> None:
    console, line = ConsoleDecoder(1024), LineDecoder(1024)
    for piece in pieces:
        list(console.feed(piece))
        list(line.feed(piece))
    message, encoded = frames(payload)
    assert list(console.feed(b"\n" + encode_console(encoded)))[-1:] == [message]
    for code in LineCode:
        assert list(line.feed(b"\0\n" + code.encode(encoded)))[-1:] == [(code, message)]


# --- records -------------------------------------------------------------------------------------

COMMANDS: list[Command] = [c for c in vars(messages).values() if isinstance(c, Command)]
RECORDS: list[type[Record]] = sorted(
    {record for c in COMMANDS for record in (c.request, c.answer)}, key=lambda cls: cls.__name__
)

NASTY: list[object] = [
    -1, 0, 1, 255, 65536, 2**31, 2**63, 2**64 - 1, -(2**64), True, False, None,
    0.5, float("nan"), float("inf"), -0.0, "", "x", "x" * 100_000, "\x1b[2J", "\u202ex", "a\0",
    "done", "active", b"", bytes(16), bytes(32), bytes(100_000), [], [[]], [2048], ["cert"],
    [0] * 10_000, {}, {"kind": []}, [{}], cbor2.CBORSimpleValue(0), cbor2.undefined,
]  # fmt: skip


def good(what: Rule) -> object:
    """Return a value that a rule lets through, as CBOR has it."""
    makers: dict[type, Callable[..., object]] = {
        Int: lambda r: r.least,
        Flag: lambda r: True,
        Data: lambda r: bytes(r.least),
        Text: lambda r: "x" * r.least,
        Choice: lambda r: next(iter(r.kinds)).value,
        ListOf: lambda r: [good(r.item)] * max(1, r.least),
        Nested: lambda r: good_map(r.cls),
    }
    return makers[type(what)](what)


def good_map(cls: type[Record]) -> dict[str, object]:
    return {f.name: good(f.metadata["rule"]) for f in fields(cls)}


def fits(what: Rule, value: object) -> bool:
    """Say by the page's words whether a value may stand there (PROTOCOL.md 1.2)."""
    judges: dict[type, Callable[..., bool]] = {
        Int: lambda r: type(value) is int and r.least <= value <= r.most,
        Flag: lambda r: value is True or value is False,
        Data: lambda r: type(value) is bytes and r.least <= len(value) <= r.most,
        Text: lambda r: (
            type(value) is str
            and r.least <= len(value.encode()) <= r.most
            and not {"Cc", "Cf", "Cs", "Zl", "Zp"} & set(map(unicodedata.category, value))
        ),
        Choice: lambda r: type(value) is str and value in [kind.value for kind in r.kinds],
        ListOf: lambda r: (
            type(value) is list
            and r.least <= len(value) <= r.most
            and all(fits(r.item, element) for element in value)
        ),
        Nested: lambda r: type(value) is dict and all_fit(r.cls, value),
    }
    return judges[type(what)](what)


def all_fit(cls: type[Record], value: dict[str, object]) -> bool:
    there = [f for f in fields(cls) if f.name in value]
    needed = {f.name for f in fields(cls) if f.default is MISSING}
    return needed <= set(value) and all(fits(f.metadata["rule"], value[f.name]) for f in there)


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_each_field_takes_what_its_rule_says_and_nothing_else(cls: type[Record]) -> None:
    load_record(cls, good_map(cls))
    for f in fields(cls):
        for value in NASTY:
            answer = good_map(cls) | {f.name: value}
            if fits(f.metadata["rule"], value):
                assert dump_record(load_record(cls, answer)) == answer
                continue
            with pytest.raises(FieldInvalid) as caught:
                load_record(cls, answer)
            assert len(str(caught.value)) < 200


values = st.recursive(
    st.sampled_from([v for v in NASTY if len(repr(v)) < 100]) | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@settings(max_examples=150)
@given(st.sampled_from(RECORDS), st.data())
def test_any_map_is_a_record_or_is_refused(cls: type[Record], data: st.DataObject) -> None:
    names = st.sampled_from([f.name for f in fields(cls)] + ["other"])
    drawn = data.draw(st.dictionaries(names, values, max_size=3))
    answer = {**(good_map(cls) if data.draw(st.booleans()) else {}), **drawn}
    if not all_fit(cls, answer):
        with pytest.raises(FieldInvalid):
            load_record(cls, answer)
        return
    record = load_record(cls, answer)
    assert load_record(cls, decode_map(encode_map(dump_record(record)))) == record


def test_no_record_keeps_a_list_or_a_map_of_the_phone() -> None:
    """What is kept is immutable: tuples, enums, records."""
    for cls in RECORDS:
        record = load_record(cls, good_map(cls))
        for f in fields(record):
            kept = getattr(record, f.name)
            assert isinstance(kept, int | str | bytes | tuple | Enum), f.name
