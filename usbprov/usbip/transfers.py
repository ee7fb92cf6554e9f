"""The second phase of a USB/IP connection: transfers submitted, answered and unlinked."""

import struct
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

from usbprov.usbip.fields import Direction, MalformedMessage, TransferFlag

HEADER_SIZE = 48
"""Bytes of every header of this phase, whatever its command."""

CMD_SUBMIT, CMD_UNLINK, RET_SUBMIT, RET_UNLINK = 1, 2, 3, 4

_NOT_ISOCHRONOUS = 0xFFFFFFFF
_SUBMIT = struct.Struct(">IIIIIIIIII8s")
_SUBMIT_REPLY = struct.Struct(">IIIIIiIIII8x")
_UNLINK = struct.Struct(">IIIIII24x")
_UNLINK_REPLY = struct.Struct(">IIIIIi24x")
_SETUP = struct.Struct("<BBHHH")
_COMMAND = struct.Struct(">I")


@dataclass(frozen=True)
class SetupPacket:
    """The setup packet of a control transfer (USB 2.0, 9.3); little-endian on the wire.

    Attributes:
        request_type: bmRequestType; bit 7 is set when the data stage goes to the host.
        request: bRequest.
        value: wValue.
        index: wIndex.
        length: wLength, the bytes of the data stage at most.
    """

    request_type: int
    request: int
    value: int
    index: int
    length: int

    @property
    def direction(self) -> Direction:
        """Direction of the data stage."""
        return Direction.IN if self.request_type & 0x80 else Direction.OUT

    def encode(self) -> bytes:
        """Return the eight bytes."""
        return _SETUP.pack(self.request_type, self.request, self.value, self.index, self.length)

    @classmethod
    def parse(cls, raw: bytes) -> "SetupPacket":
        """Read the eight bytes.

        Raises:
            MalformedMessage: They are not eight.
        """
        if len(raw) != _SETUP.size:
            raise MalformedMessage(f"a setup packet of {len(raw)} bytes")
        return cls(*_SETUP.unpack(raw))


@dataclass(frozen=True)
class Submit:
    """USBIP_CMD_SUBMIT: a transfer for the device.

    Attributes:
        seqnum: Names the transfer on this connection.
        devid: ``ExportedDevice.devid``.
        direction: Where the data go.
        endpoint: Number without the direction bit; 0 is the control endpoint.
        length: Bytes to send, or the room that the host has for the answer.
        data: What is sent; empty for IN.
        setup: The eight bytes of the setup packet; zeros where there is none.
        flags: ``TransferFlag`` bits; others are carried along.
        interval: Polling interval of interrupt endpoints, informative.
    """

    seqnum: int
    devid: int
    direction: Direction
    endpoint: int
    length: int
    data: bytes = field(default=b"", repr=False)
    setup: bytes = bytes(8)
    flags: int = TransferFlag.NONE
    interval: int = 0

    @property
    def address(self) -> int:
        """Endpoint address with the direction bit, as in an endpoint descriptor."""
        return self.endpoint | self.direction << 7

    def encode(self) -> bytes:
        """Return header and data as they are sent."""
        head = _SUBMIT.pack(
            CMD_SUBMIT,
            self.seqnum,
            self.devid,
            self.direction,
            self.endpoint,
            self.flags,
            self.length,
            0,
            _NOT_ISOCHRONOUS,
            self.interval,
            self.setup,
        )
        return head + self.data


@dataclass(frozen=True)
class SubmitReply:
    """USBIP_RET_SUBMIT: the transfer has ended.

    Attributes:
        seqnum: That of the ``Submit``.
        status: A value of ``TransferStatus``, or another negative errno.
        actual: Bytes transferred.
        data: What the device sent; empty for OUT.
    """

    seqnum: int
    status: int
    actual: int
    data: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """Return header and data as they are sent."""
        head = _SUBMIT_REPLY.pack(
            RET_SUBMIT, self.seqnum, 0, 0, 0, self.status, self.actual, 0, _NOT_ISOCHRONOUS, 0
        )
        return head + self.data


@dataclass(frozen=True)
class Unlink:
    """USBIP_CMD_UNLINK: forget the transfer that has the seqnum ``target``."""

    seqnum: int
    devid: int
    target: int

    def encode(self) -> bytes:
        """Return the message as it is sent."""
        return _UNLINK.pack(CMD_UNLINK, self.seqnum, self.devid, 0, 0, self.target)


@dataclass(frozen=True)
class UnlinkReply:
    """USBIP_RET_UNLINK: the status is UNLINKED, and no answer will come, or it was too late.

    A kernel's exporter may also say 0 for a transfer that ended while it was being unlinked, and
    then sends no answer to it.
    """

    seqnum: int
    status: int

    def encode(self) -> bytes:
        """Return the message as it is sent."""
        return _UNLINK_REPLY.pack(RET_UNLINK, self.seqnum, 0, 0, 0, self.status)


@dataclass(frozen=True)
class Expected:
    """What a client knows of a transfer under way: whether data come back, and how many."""

    direction: Direction
    length: int


def _refuse_isochronous(packets: int) -> None:
    if packets not in (0, _NOT_ISOCHRONOUS):
        raise MalformedMessage(f"an isochronous transfer of {packets} packets: not supported")


def _parse_submit(header: bytes, limit: int) -> Generator[int, bytes, Submit]:
    (_, seqnum, devid, direction, endpoint, flags, length, _, packets, interval, setup) = (
        _SUBMIT.unpack(header)
    )
    _refuse_isochronous(packets)
    if direction > 1 or endpoint > 15 or length > limit:
        raise MalformedMessage(f"direction {direction}, endpoint {endpoint}, {length} bytes")
    data = (yield length) if length and direction == Direction.OUT else b""
    way = Direction(direction)
    return Submit(seqnum, devid, way, endpoint, length, data, setup, flags, interval)


def parse_command(limit: int) -> Generator[int, bytes, Submit | Unlink]:
    """Parse what an exporter gets; a transfer of more than ``limit`` bytes is refused.

    Raises:
        MalformedMessage: It is no command, too long, or isochronous.
    """
    header = yield HEADER_SIZE
    (command,) = _COMMAND.unpack_from(header)
    if command == CMD_SUBMIT:
        return (yield from _parse_submit(header, limit))
    if command != CMD_UNLINK:
        raise MalformedMessage(f"command {command:#x}")
    _, seqnum, devid, _, _, target = _UNLINK.unpack(header)
    return Unlink(seqnum, devid, target)


def _parse_submit_reply(
    header: bytes, expected: Mapping[int, Expected]
) -> Generator[int, bytes, SubmitReply]:
    _, seqnum, _, _, _, status, actual, _, packets, _ = _SUBMIT_REPLY.unpack(header)
    _refuse_isochronous(packets)
    asked = expected.get(seqnum)
    if asked is None or actual > asked.length:
        raise MalformedMessage(f"an answer of {actual} bytes to {seqnum}, which was not asked")
    data = (yield actual) if actual and asked.direction is Direction.IN else b""
    return SubmitReply(seqnum, status, actual, data)


def parse_reply(
    expected: Mapping[int, Expected],
) -> Generator[int, bytes, SubmitReply | UnlinkReply]:
    """Parse what a client gets; ``expected`` says what each seqnum under way asked for.

    Raises:
        MalformedMessage: It is no reply, answers nothing that is under way, or is too long.
    """
    header = yield HEADER_SIZE
    (command,) = _COMMAND.unpack_from(header)
    if command == RET_SUBMIT:
        return (yield from _parse_submit_reply(header, expected))
    if command != RET_UNLINK:
        raise MalformedMessage(f"command {command:#x}")
    _, seqnum, _, _, _, status = _UNLINK_REPLY.unpack(header)
    return UnlinkReply(seqnum, status)
