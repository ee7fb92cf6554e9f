"""Option 120 is written as RFC 3361 says, and any bytes are explained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.errors import OptionInvalid
from usbprov.webservices.discovery import option120
from usbprov.webservices.discovery.findings import FindingKind

NAME = "lyncpool.contoso.com"
VECTOR = bytes.fromhex("00086c796e63706f6f6c07636f6e746f736f03636f6d00")

labels = st.from_regex(r"[a-z]([a-z0-9-]{0,60}[a-z0-9])?", fullmatch=True)
fqdns = st.lists(labels, min_size=2, max_size=4).map(".".join).filter(lambda n: len(n) < 200)


def test_the_vector() -> None:
    assert option120.encode(NAME) == VECTOR
    assert option120.read(VECTOR).registrar == NAME
    assert option120.read(VECTOR).findings == ()


@given(fqdns)
def test_what_is_written_is_read(fqdn: str) -> None:
    reading = option120.read(option120.encode(fqdn))
    assert (reading.names, reading.findings) == ((fqdn,), ())


@pytest.mark.parametrize(
    ("data", "kind", "names"),
    [
        (b"", FindingKind.EMPTY_VALUE, ()),
        (b"\0", FindingKind.EMPTY_VALUE, ()),
        (b"\x01\x0a\0\0\x01", FindingKind.ADDRESS_IN_120, ()),
        (b"\x01\x0a\0\0\x01\x0a", FindingKind.TRUNCATED, ()),
        (NAME.encode(), FindingKind.TEXT_IN_120, (NAME,)),
        (NAME.encode() + b"\0", FindingKind.TEXT_IN_120, (NAME,)),
        (b"\0" + NAME.encode(), FindingKind.TEXT_IN_120, (NAME,)),
        (VECTOR[1:], FindingKind.ENCODING_MISSING, (NAME,)),
        (b"\x07" + VECTOR, FindingKind.ENCODING_UNKNOWN, ()),
        (VECTOR[:-1], FindingKind.LABEL_INVALID, (NAME,)),
        (VECTOR[:-3], FindingKind.LABEL_INVALID, ("lyncpool.contoso.c",)),
        (VECTOR.replace(b"\x08", b"\x09"), FindingKind.LABEL_INVALID, ()),
        (VECTOR + b"\0", FindingKind.TRAILING_ZERO, (NAME,)),
        (VECTOR + b"\x03sip\x02de\0", FindingKind.SEVERAL_NAMES, (NAME, "sip.de")),
        (VECTOR + b"\x02fe\xc0\x09", FindingKind.SEVERAL_NAMES, (NAME, "fe.contoso.com")),
        (b"\0\xc0\0", FindingKind.LABEL_INVALID, ()),
        (b"\0\x01a\xc0\x05", FindingKind.LABEL_INVALID, ()),
        (b"\0\x08lyncpool\0", FindingKind.NAME_NOT_QUALIFIED, ("lyncpool",)),
        (b"\0\x02a \x03com\0", FindingKind.LABEL_INVALID, ()),
        (b"\0\x0210\x010\x010\x011\0", FindingKind.NAME_IS_ADDRESS, ("10.0.0.1",)),
        (b"\x78\x17" + VECTOR, FindingKind.OPTION_HEADER, (NAME,)),
        (VECTOR.hex().encode(), FindingKind.HEX_AS_TEXT, (NAME,)),
    ],
)
def test_each_fault_is_named(data: bytes, kind: FindingKind, names: tuple[str, ...]) -> None:
    reading = option120.read(data)
    assert kind in {finding.kind for finding in reading.findings}
    assert reading.names[: len(names)] == names or not names


def test_addresses_are_told() -> None:
    assert option120.read(b"\x01\x0a\0\0\x01\xc0\0\x02\x07").addresses == ("10.0.0.1", "192.0.2.7")


@pytest.mark.parametrize("name", ["10.0.0.1", "pool", "a..b", "sip:pool.contoso.com", "é.com"])
def test_what_cannot_be_written(name: str) -> None:
    with pytest.raises(OptionInvalid):
        option120.encode(name)


@given(st.binary(max_size=300))
def test_any_bytes_are_explained_to_the_last(data: bytes) -> None:
    reading = option120.read(data)
    assert b"".join(span.data for span in reading.spans) == reading.data
    for finding in reading.findings:
        assert str(finding)


@given(st.lists(st.sampled_from([b"\xc0\x00", b"\xc0\x02", b"\x01a", b"\0", b"\xff"]), max_size=99))
def test_pointers_never_loop(pieces: list[bytes]) -> None:
    reading = option120.read(b"\0" + b"".join(pieces))
    assert len(reading.names) <= 16
