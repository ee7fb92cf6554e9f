"""CBOR from hostile hands: maps pass, everything that could hurt is refused before decoding."""

import tracemalloc
from contextlib import suppress

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usbprov_drivers.smp.cbor import MAX_DEPTH, decode_map, encode_map
from usbprov_drivers.smp.wire import MalformedMessage

scalars = st.one_of(
    st.integers(-(2**64), 2**64 - 1),
    st.binary(max_size=40),
    st.text(max_size=20),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False),
)
keys = st.text(max_size=10)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=6,
)

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


maps = st.dictionaries(keys, values, max_size=4).filter(lambda value: depth(value) <= MAX_DEPTH)


@steady
@given(maps)
def test_a_map_comes_back_as_it_was(value: dict[str, object]) -> None:
    assert decode_map(encode_map(value)) == value


@steady
@given(maps)
def test_every_truncation_and_every_tail_is_refused(value: dict[str, object]) -> None:
    encoded = encode_map(value)
    for size in range(len(encoded)):
        with pytest.raises(MalformedMessage):
            decode_map(encoded[:size])
    with pytest.raises(MalformedMessage):
        decode_map(encoded + b"\x00")


@steady
@given(maps, st.data())
def test_flipped_bits_give_a_map_or_an_error_and_nothing_else(
    value: dict[str, object], data: st.DataObject
) -> None:
    damaged = bytearray(encode_map(value))
    bit = data.draw(st.integers(0, len(damaged) * 8 - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    with suppress(MalformedMessage):
        assert isinstance(decode_map(bytes(damaged)), dict)


@steady
@given(st.binary(max_size=200))
def test_any_bytes_give_a_map_or_an_error(noise: bytes) -> None:
    for data in (noise, b"\xbf" + noise, b"\xa3" + noise):
        with suppress(MalformedMessage):
            decode_map(data)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("bf616101ff", {"a": 1}),
        ("a161619f0102ff", {"a": [1, 2]}),
        ("a161615f41014102ff", {"a": b"\x01\x02"}),
        ("a161617f61786179ff", {"a": "xy"}),
        ("bf6161bf616200ff6163f5ff", {"a": {"b": 0}, "c": True}),
    ],
)
def test_indefinite_lengths_are_taken(data: str, value: dict[str, object]) -> None:
    assert decode_map(bytes.fromhex(data)) == value


@pytest.mark.parametrize(
    "data",
    [
        "",  # nothing
        "80",  # an array
        "01",  # a number
        "a10102",  # a key that is a number
        "a1416102",  # a key that is bytes
        "a17f6161ff02",  # a key in pieces
        "a2616101616102",  # a key twice
        "a261610178016102",  # a key twice, the second with its size in a byte of its own
        "bf616101616102ff",  # the same, indefinite
        "a161617f417841ff",  # text in pieces of bytes
        "a161615f5f4100ffff",  # pieces within pieces
        "a16161c100",  # a tag: a time
        "a16161d9010444c0a80001",  # a tag: an address
        "a16161c482200f",  # a tag: a decimal fraction
        "a161611c",  # a reserved length
        "a161611f",  # an integer without length
        "a16161ff",  # a break in the place of a value
        "bf6161ff",  # a key without a value
        "a1616162c328",  # text that is not UTF-8
        "a161619bffffffffffffffff",  # an array of 2**64 - 1
        "a161615bffffffffffffffff00",  # a string of 2**64 - 1
        "bbffffffffffffffff",  # a map of 2**64 - 1
        "a161617b7fffffffffffffff",
    ],
)
def test_what_could_hurt_is_refused(data: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_map(bytes.fromhex(data))


def nested(levels: int) -> bytes:
    return b"\xa1\x61a" + b"\x81" * (levels - 1) + b"\x00"


def test_nesting_is_bounded() -> None:
    decode_map(nested(MAX_DEPTH))
    for levels in (MAX_DEPTH + 1, 10_000):
        with pytest.raises(MalformedMessage, match="deep"):
            decode_map(nested(levels))


def test_huge_announcements_cost_no_memory() -> None:
    hostile = b"\xa1\x61a\x9b\x00\x00\x00\x01\x00\x00\x00\x00" + b"\x00" * 1000
    tracemalloc.start()
    with pytest.raises(MalformedMessage):
        decode_map(hostile)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


def test_the_error_does_not_tell_the_content() -> None:
    with pytest.raises(MalformedMessage) as caught:
        decode_map(cbor2.dumps({"pin": "4711"}) + b"\x00")
    assert "4711" not in str(caught.value)
