"""Bodies are read with a cap, packed or not."""

import gzip
import io
import tracemalloc
import zlib

import pytest

from usbprov.errors import AnswerInvalid
from usbprov.webservices.bodies import read_capped


class Raw:
    """A body of these bytes that tells how many of them were asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, amt: int, decode_content: bool) -> bytes:
        assert not decode_content
        return self._data.read(amt)

    @property
    def taken(self) -> int:
        return self._data.tell()


PACKED = {
    "gzip": gzip.compress(b"hello"),
    "x-gzip": gzip.compress(b"hello"),
    "deflate": zlib.compress(b"hello"),
    " GZIP ": gzip.compress(b"hello"),
    "": b"hello",
    "identity": b"hello",
}


@pytest.mark.parametrize("encoding", PACKED)
def test_body_is_unpacked(encoding: str) -> None:
    assert read_capped(Raw(PACKED[encoding]), encoding, "pool.test") == b"hello"


def test_endless_body_is_left_at_the_cap() -> None:
    raw = Raw(bytes(10_000_000))
    with pytest.raises(AnswerInvalid, match="larger than 100000 bytes"):
        read_capped(raw, "", "pool.test", 100_000)
    assert raw.taken < 150_000


def test_bomb_is_not_unpacked_beyond_the_cap() -> None:
    bomb = gzip.compress(bytes(50_000_000), 9)
    tracemalloc.start()
    try:
        with pytest.raises(AnswerInvalid, match="larger than"):
            read_capped(Raw(bomb), "gzip", "pool.test")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_largest_body_is_taken() -> None:
    assert len(read_capped(Raw(gzip.compress(bytes(1000))), "gzip", "s", 1000)) == 1000
    assert len(read_capped(Raw(bytes(1000)), "", "s", 1000)) == 1000


@pytest.mark.parametrize(
    ("data", "encoding", "problem"),
    [
        (b"hello", "br", "unknown way"),
        (b"hello", "gzip, gzip", "unknown way"),
        (b"hello", "gzip", "damaged"),
        (gzip.compress(b"hello")[:-9], "gzip", "cut off"),
    ],
    ids=["unknown", "twice", "no-gzip", "cut"],
)
def test_unreadable_packing_is_refused(data: bytes, encoding: str, problem: str) -> None:
    with pytest.raises(AnswerInvalid, match=problem):
        read_capped(Raw(data), encoding, "pool.test")
