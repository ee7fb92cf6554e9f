"""DHCP messages: what is written is read, split, joined and overloaded options included."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.errors import OptionInvalid
from usbprov.webservices.discovery.message import (
    Code,
    Message,
    MessageType,
    Op,
    decode,
    encode,
    inform,
)

addresses = st.ip_addresses(v=4).map(str)
options = st.dictionaries(
    st.integers(1, 254).filter(lambda code: code != Code.OVERLOAD),
    st.binary(max_size=600),
    max_size=5,
)
messages = st.builds(
    Message,
    op=st.sampled_from(Op),
    xid=st.integers(0, 2**32 - 1),
    options=options,
    hardware=st.binary(max_size=16),
    ciaddr=addresses,
    yiaddr=addresses,
    siaddr=addresses,
    giaddr=addresses,
    secs=st.integers(0, 65535),
    flags=st.integers(0, 65535),
)
MAC = bytes.fromhex("02005e000001")


@given(messages)
def test_what_is_written_is_read(message: Message) -> None:
    assert decode(encode(message)) == message


def test_an_inform_is_what_rfc_2131_wants() -> None:
    data = encode(inform(0x01020304, MAC, "192.0.2.10", "MS-UC-Client", (43, 120)))
    assert len(data) == 300
    assert data[:8] == bytes.fromhex("0101060001020304")
    assert data[12:16] == bytes((192, 0, 2, 10))
    assert data[16:28] == bytes(12)
    assert data[28:34] == MAC
    assert data[236:243] == bytes.fromhex("63825363350108")
    assert b"\x3c\x0cMS-UC-Client" in data
    assert b"\x37\x02\x2b\x78\xff" in data


def with_options(area: bytes, file: bytes = b"", sname: bytes = b"") -> bytes:
    head = encode(Message(Op.REPLY, 1))[:240]
    return head[:44] + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + head[236:240] + area


def test_overloaded_fields_are_read_after_the_others() -> None:
    data = with_options(
        b"\x34\x01\x03\x2b\x01a\xff", file=b"\x2b\x01b\xff", sname=b"\x2b\x01c\x78\x01d\xff"
    )
    assert decode(data).options == {43: b"abc", 120: b"d"}


def test_fields_that_are_not_overloaded_are_left_alone() -> None:
    assert decode(with_options(b"\x2b\x01a\xff", file=b"\x2b\x01b\xff")).options == {43: b"a"}


def test_an_option_in_pieces_is_joined() -> None:
    assert decode(with_options(b"\x2b\x01a\0\0\x2b\x01b\xff")).options == {43: b"ab"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(239),
        bytes(300),
        bytes(5000),
        with_options(b"\x2b"),
        with_options(b"\x2b\x05abc"),
        b"\x03" + with_options(b"\xff")[1:],
        with_options(b"\xff")[:2] + b"\x11" + with_options(b"\xff")[3:],
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(OptionInvalid):
        decode(data)


@pytest.mark.parametrize("value", [b"", b"\0", b"\x63", b"\x05\x05"])
def test_a_type_that_is_none(value: bytes) -> None:
    assert Message(Op.REPLY, 1, {Code.MESSAGE_TYPE: value}).type is None


def test_type_and_server() -> None:
    message = Message(Op.REPLY, 1, {Code.MESSAGE_TYPE: b"\x05", Code.SERVER_ID: b"\xc0\0\x02\x01"})
    assert (message.type, message.server) == (MessageType.ACK, "192.0.2.1")
    assert Message(Op.REPLY, 1, {Code.SERVER_ID: b"\xc0"}).server is None


@given(st.binary(max_size=400))
def test_hostile_bytes_raise_nothing_else(noise: bytes) -> None:
    for data in (noise, with_options(noise), with_options(b"\x34\x01\x03" + noise, noise[:128])):
        try:
            decode(data)
        except OptionInvalid:
            continue
