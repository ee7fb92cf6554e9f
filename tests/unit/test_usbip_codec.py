"""The USB/IP codec: what is encoded is decoded again, however the bytes come."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usbprov.usbip import (
    MAX_TRANSFER,
    ClientDecoder,
    DeviceListReply,
    DeviceListRequest,
    Direction,
    ExportedDevice,
    ImportReply,
    ImportRequest,
    InterfaceTriple,
    MalformedMessage,
    ServerDecoder,
    SetupPacket,
    Submit,
    SubmitReply,
    Unlink,
    UnlinkReply,
)

u8, u16, u32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32))
i32 = st.integers(-(1 << 31), (1 << 31) - 1)
printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=31)


@st.composite
def devices(draw: st.DrawFn, *, listed: bool) -> ExportedDevice:
    triples = draw(st.lists(st.builds(InterfaceTriple, u8, u8, u8), max_size=4))
    return ExportedDevice(
        path=draw(printable),
        busid=draw(printable),
        busnum=draw(u16),
        devnum=draw(u16),
        speed=draw(u32),
        vendor_id=draw(u16),
        product_id=draw(u16),
        release=draw(u16),
        cls=draw(u8),
        subclass=draw(u8),
        protocol=draw(u8),
        configuration=draw(u8),
        configurations=draw(u8),
        interface_count=len(triples),
        interfaces=tuple(triples) if listed else (),
    )


@st.composite
def submits(draw: st.DrawFn) -> Submit:
    data = draw(st.binary(max_size=600))
    direction = draw(st.sampled_from(Direction))
    outgoing = direction is Direction.OUT
    return Submit(
        seqnum=draw(u32),
        devid=draw(u32),
        direction=direction,
        endpoint=draw(st.integers(0, 15)),
        length=len(data) if outgoing else draw(st.integers(0, MAX_TRANSFER)),
        data=data if outgoing else b"",
        setup=draw(st.binary(min_size=8, max_size=8)),
        flags=draw(u32),
        interval=draw(u32),
    )


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(marks)]


def drain(decoder: ServerDecoder | ClientDecoder, stream: list[bytes]) -> list[object]:
    messages: list[object] = []
    for piece in stream:
        decoder.feed(piece)
        while (message := decoder.pop()) is not None:
            messages.append(message)
    return messages


def transfers() -> ServerDecoder:
    decoder = ServerDecoder()
    decoder.imported()
    return decoder


cuts = st.lists(st.integers(0, 1 << 16), max_size=8)


@given(
    st.lists(st.builds(DeviceListRequest) | st.builds(ImportRequest, printable), max_size=5), cuts
)
def test_requests_survive_the_wire(
    messages: list[DeviceListRequest | ImportRequest], cuts: list[int]
) -> None:
    decoder = ServerDecoder()
    assert drain(decoder, pieces(b"".join(m.encode() for m in messages), cuts)) == messages
    assert decoder.idle


@given(st.lists(submits() | st.builds(Unlink, u32, u32, u32), max_size=5), cuts)
def test_transfers_survive_the_wire(messages: list[Submit | Unlink], cuts: list[int]) -> None:
    decoder = transfers()
    assert drain(decoder, pieces(b"".join(m.encode() for m in messages), cuts)) == messages
    assert decoder.idle


@given(st.lists(devices(listed=True), max_size=4), cuts)
def test_device_lists_survive_the_wire(found: list[ExportedDevice], cuts: list[int]) -> None:
    reply = DeviceListReply(tuple(found))
    assert drain(ClientDecoder(), pieces(reply.encode(), cuts)) == [reply]


@given(devices(listed=False), submits(), st.binary(max_size=300), i32, cuts)
def test_answers_follow_an_import(
    device: ExportedDevice, submit: Submit, data: bytes, status: int, cuts: list[int]
) -> None:
    incoming = submit.direction is Direction.IN
    data = data[: submit.length] if incoming else b""
    answer = SubmitReply(submit.seqnum, status, len(data) if incoming else submit.length, data)
    decoder = ClientDecoder()
    decoder.sent(submit)
    stream = [ImportReply(0, device), answer]
    assert drain(decoder, pieces(b"".join(m.encode() for m in stream), cuts)) == stream
    assert decoder.idle


@given(submits(), st.data())
def test_a_message_cut_short_yields_nothing(submit: Submit, data: st.DataObject) -> None:
    raw = submit.encode()
    decoder = transfers()
    decoder.feed(raw[: data.draw(st.integers(1, len(raw) - 1))])
    assert decoder.pop() is None
    assert not decoder.idle


@given(submits(), st.integers(0, 48 * 8 - 1))
def test_a_flipped_bit_gives_a_message_or_malformed(submit: Submit, bit: int) -> None:
    raw = bytearray(submit.encode())
    raw[bit // 8] ^= 1 << bit % 8
    decoder = transfers()
    decoder.feed(bytes(raw))
    try:
        message = decoder.pop()
    except MalformedMessage:
        return
    start_frame = range(28 * 8, 32 * 8)  # means nothing without isochronous transfers
    assert message != submit or bit in start_frame


@given(st.binary(max_size=400), st.booleans())
def test_noise_raises_nothing_else(noise: bytes, in_transfers: bool) -> None:
    decoder = transfers() if in_transfers else ServerDecoder()
    client = ClientDecoder()
    for side in (decoder, client):
        try:
            drain(side, [noise])
        except MalformedMessage:
            with pytest.raises(MalformedMessage):
                side.pop()


# From usbip_protocol.rst, where start_frame is 0xffffffff and number_of_packets is 0.
KERNEL_HEAD = "00000001 {:08x} 0001000f {:08x} 00000001 {:08x} 00000040 ffffffff 00000000 00000004"
KERNEL_IN = KERNEL_HEAD.format(0xD05, 1, 0x200) + "00000000 00000000"
KERNEL_OUT = KERNEL_HEAD.format(0xD06, 0, 0) + "00000000 00000000"
KERNEL_DATA = bytes.fromhex("ffffffff860008a784ce5ae2123763").ljust(64, b"\0")


def test_the_kernels_own_capture_is_understood() -> None:
    decoder = transfers()
    decoder.feed(bytes.fromhex(KERNEL_IN + KERNEL_OUT) + KERNEL_DATA)
    first, second = decoder.pop(), decoder.pop()
    assert isinstance(first, Submit)
    assert isinstance(second, Submit)
    assert (first.seqnum, first.address, first.length, first.data) == (0xD05, 0x81, 64, b"")
    assert (second.seqnum, second.address, second.data) == (0xD06, 0x01, KERNEL_DATA)
    assert decoder.idle


def test_the_layout_is_that_of_the_specification() -> None:
    submit = Submit(7, 0x10002, Direction.IN, 2, 64, setup=bytes(range(8)), flags=1, interval=4)
    assert submit.encode() == bytes.fromhex(
        "00000001 00000007 00010002 00000001 00000002 00000001 00000040 00000000 ffffffff 00000004"
        "0001020304050607"
    )
    assert SubmitReply(7, -32, 0).encode() == bytes.fromhex(
        "00000003 00000007 00000000 00000000 00000000 ffffffe0 00000000 00000000 ffffffff 00000000"
        "0000000000000000"
    )
    assert Unlink(8, 0x10002, 7).encode().hex() == (
        "000000020000000800010002000000000000000000000007" + "00" * 24
    )
    assert UnlinkReply(8, -104).encode().hex() == (
        "0000000400000008000000000000000000000000ffffff98" + "00" * 24
    )
    assert ImportRequest("3-2").encode() == bytes.fromhex("0111800300000000") + b"3-2".ljust(
        32, b"\0"
    )
    assert len(DeviceListReply().encode()) == 12


def refused(decoder: ServerDecoder | ClientDecoder, raw: bytes) -> str:
    decoder.feed(raw)
    with pytest.raises(MalformedMessage) as caught:
        decoder.pop()
    return str(caught.value)


def test_isochronous_transfers_are_refused_by_name() -> None:
    raw = bytearray(Submit(1, 1, Direction.IN, 1, 64).encode())
    raw[32:36] = struct.pack(">I", 8)
    assert "isochronous" in refused(transfers(), bytes(raw))


@pytest.mark.parametrize(
    "submit",
    [
        Submit(1, 1, Direction.OUT, 1, MAX_TRANSFER + 1),
        Submit(1, 1, Direction.IN, 1, MAX_TRANSFER + 1),
        Submit(1, 1, Direction.IN, 16, 0),
    ],
)
def test_absurd_transfers_are_refused_before_they_are_buffered(submit: Submit) -> None:
    refused(transfers(), submit.encode())


def test_transfers_are_refused_before_an_import() -> None:
    refused(ServerDecoder(), Submit(1, 1, Direction.IN, 1, 1).encode())


def test_bytes_behind_an_import_wait_until_it_is_known_what_they_are() -> None:
    decoder = ServerDecoder()
    unlink = Unlink(2, 1, 1)
    decoder.feed(ImportRequest("1-1").encode() + unlink.encode())
    assert decoder.pop() == ImportRequest("1-1")
    decoder.imported()
    assert decoder.pop() == unlink


@pytest.mark.parametrize("version", [0x0100, 0x0106, 0x0111])
def test_minor_versions_are_taken(version: int) -> None:
    decoder = ServerDecoder()
    decoder.feed(struct.pack(">HHI", version, 0x8005, 0))
    assert decoder.pop() == DeviceListRequest()


@pytest.mark.parametrize(("version", "code"), [(0x0211, 0x8005), (0x0111, 0x0005)])
def test_other_versions_and_replies_are_no_requests(version: int, code: int) -> None:
    refused(ServerDecoder(), struct.pack(">HHI", version, code, 0))


def test_a_refused_import_ends_with_its_status() -> None:
    decoder = ClientDecoder()
    decoder.feed(ImportReply(2).encode())
    assert decoder.pop() == ImportReply(2)
    assert decoder.idle


def test_a_list_of_absurd_length_is_refused() -> None:
    refused(ClientDecoder(), struct.pack(">HHII", 0x0111, 5, 0, 0xFFFFFFFF))


def imported(*sent: Submit | Unlink) -> ClientDecoder:
    device = ExportedDevice("/x", "1-1", 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0)
    decoder = ClientDecoder()
    for message in sent:
        decoder.sent(message)
    decoder.feed(ImportReply(0, device).encode())
    assert decoder.pop() == ImportReply(0, device)
    return decoder


def test_an_answer_to_nothing_is_refused() -> None:
    refused(imported(), SubmitReply(9, 0, 0).encode())
    refused(imported(), UnlinkReply(9, 0).encode())


def test_more_than_was_asked_for_is_refused() -> None:
    decoder = imported(Submit(1, 1, Direction.IN, 1, 10))
    refused(decoder, SubmitReply(1, 0, 11, bytes(11)).encode())


def test_an_answer_comes_once() -> None:
    decoder = imported(Submit(1, 1, Direction.IN, 1, 10))
    decoder.feed(SubmitReply(1, 0, 2, b"ab").encode())
    assert decoder.pop() == SubmitReply(1, 0, 2, b"ab")
    refused(decoder, SubmitReply(1, 0, 2, b"ab").encode())


def test_no_answer_comes_to_what_was_unlinked() -> None:
    decoder = imported(Submit(1, 1, Direction.IN, 1, 10), Unlink(2, 1, 1))
    decoder.feed(UnlinkReply(2, -104).encode())
    assert decoder.pop() == UnlinkReply(2, -104)
    refused(decoder, SubmitReply(1, 0, 0).encode())


def test_an_unlink_that_came_too_late_leaves_the_answer_due() -> None:
    # Linux's exporter may send the two in either order.
    decoder = imported(Submit(1, 1, Direction.IN, 1, 10), Unlink(2, 1, 1))
    decoder.feed(UnlinkReply(2, 0).encode() + SubmitReply(1, 0, 2, b"ab").encode())
    assert decoder.pop() == UnlinkReply(2, 0)
    assert decoder.pop() == SubmitReply(1, 0, 2, b"ab")


@given(u8, u8, u16, u16, u16)
def test_setup_packets_are_little_endian(
    kind: int, code: int, value: int, index: int, length: int
) -> None:
    raw = SetupPacket(kind, code, value, index, length).encode()
    assert raw == struct.pack("<BBHHH", kind, code, value, index, length)
    assert SetupPacket.parse(raw) == SetupPacket(kind, code, value, index, length)


@given(st.binary(max_size=20).filter(lambda raw: len(raw) != 8))
def test_setup_packets_have_eight_bytes(raw: bytes) -> None:
    with pytest.raises(MalformedMessage):
        SetupPacket.parse(raw)


def test_text_fields_are_closed_with_a_nul() -> None:
    with pytest.raises(MalformedMessage):
        ImportRequest("1" * 32).encode()
    refused(ServerDecoder(), bytes.fromhex("0111800300000000") + b"1" * 32)
