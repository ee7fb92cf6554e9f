"""A serial port over USB: CDC Abstract Control Model (USB CDC 1.2, PSTN subclass 1.2)."""

import struct
from collections.abc import Callable, Mapping

from usbprov.emulation.function import Function
from usbprov.emulation.interface import ControlReply, EndpointSpec, InterfaceSpec, TransferType
from usbprov.usbip import Direction, SetupPacket

COMMUNICATION_CLASS, DATA_CLASS = 0x02, 0x0A
_ACM = 0x02
_NO_PROTOCOL = 0
"""bInterfaceProtocol. Not 1 (AT commands), which makes ModemManager take the port to probe it."""

SET_LINE_CODING, GET_LINE_CODING, SET_CONTROL_LINE_STATE, SEND_BREAK = 0x20, 0x21, 0x22, 0x23
_LINE_CODING = struct.Struct("<IBBB")
_DEFAULT_CODING = _LINE_CODING.pack(115200, 0, 0, 8)

_CS_INTERFACE = 0x24


def _functional(first: int) -> bytes:
    """Header, call management, ACM and union descriptors (CDC 1.2, 5.2.3; PSTN 5.3)."""
    data = first + 1
    parts = (
        struct.pack("<BBBH", 5, _CS_INTERFACE, 0x00, 0x0120),
        bytes((5, _CS_INTERFACE, 0x01, 0x00, data)),
        bytes((4, _CS_INTERFACE, 0x02, 0x06)),  # line coding and state, send break
        bytes((5, _CS_INTERFACE, 0x06, first, data)),
    )
    return b"".join(parts)


class CdcAcmInterface:
    """A communication and a data interface; the bytes are a stream without boundaries.

    Attributes:
        line_coding: Seven bytes as the host last set them: baud rate (little-endian), stop bits,
            parity, data bits.
        control_lines: Bit 0 DTR, bit 1 RTS.
    """

    def __init__(self, function: Function, *, name: str, max_packet: int = 512) -> None:
        self._function = function
        self._name = name
        self._max_packet = max_packet
        self.line_coding = _DEFAULT_CODING
        self.control_lines = 0
        self._requests: Mapping[int, Callable[[SetupPacket, bytes], ControlReply | None]] = {
            SET_LINE_CODING: self._set_line_coding,
            GET_LINE_CODING: self._get_line_coding,
            SET_CONTROL_LINE_STATE: self._set_control_lines,
            SEND_BREAK: self._send_break,
        }

    @property
    def function(self) -> Function:
        """What stands behind it."""
        return self._function

    @property
    def streaming(self) -> bool:
        """True: each packet is delivered as it comes."""
        return True

    @property
    def winusb_guid(self) -> str | None:
        """None: the operating system has a driver of its own."""
        return None

    @property
    def specs(self) -> tuple[InterfaceSpec, ...]:
        """The communication interface and the data interface."""
        notify = EndpointSpec(Direction.IN, TransferType.INTERRUPT, 16, interval=9)
        pair = tuple(
            EndpointSpec(way, TransferType.BULK, self._max_packet)
            for way in (Direction.OUT, Direction.IN)
        )
        return (
            InterfaceSpec(
                COMMUNICATION_CLASS, _ACM, _NO_PROTOCOL, self._name, (notify,), _functional
            ),
            InterfaceSpec(DATA_CLASS, 0, 0, None, pair),
        )

    def control(self, setup: SetupPacket, data: bytes) -> ControlReply | None:
        """Answer the requests of PSTN subclass 1.2, 6.3; stall all else."""
        if setup.request_type & 0x7F != 0x21:
            return None
        handler = self._requests.get(setup.request)
        return handler(setup, data) if handler else None

    def _set_line_coding(self, setup: SetupPacket, data: bytes) -> ControlReply | None:
        if setup.direction is Direction.IN or len(data) != _LINE_CODING.size:
            return None
        self.line_coding = data
        return ControlReply()

    def _get_line_coding(self, setup: SetupPacket, data: bytes) -> ControlReply | None:
        return ControlReply(self.line_coding) if setup.direction is Direction.IN else None

    def _set_control_lines(self, setup: SetupPacket, data: bytes) -> ControlReply | None:
        self.control_lines = setup.value & 0x03
        return ControlReply()

    def _send_break(self, setup: SetupPacket, data: bytes) -> ControlReply | None:
        return ControlReply()
