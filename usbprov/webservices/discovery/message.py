"""DHCP messages (RFC 2131, RFC 2132): encoding and decoding, no I/O.

Long options are split and joined as RFC 3396 says; option overload (52) is understood.
"""

import ipaddress
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from usbprov.errors import OptionInvalid

_HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")
_COOKIE = bytes.fromhex("63825363")
_LEAST = 300
"""Old relays and servers drop what is shorter than a BOOTP message."""
_MOST = 4096
_ETHERNET = 1
_PAD, _END = 0, 255
_MOST_OPTION = 255
_FILE, _SNAME = 1, 2


class Op(IntEnum):
    """Direction of a message."""

    REQUEST = 1
    REPLY = 2


class MessageType(IntEnum):
    """Value of option 53."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


class Code(IntEnum):
    """The options of RFC 2132 that are used here."""

    OVERLOAD = 52
    MESSAGE_TYPE = 53
    SERVER_ID = 54
    PARAMETER_LIST = 55
    MAX_SIZE = 57
    VENDOR_CLASS = 60


@dataclass(frozen=True)
class Message:
    """A DHCP message.

    Attributes:
        op: Request or reply.
        xid: Transaction, 32 bits; an answer has the question's.
        options: Value by code, joined; without pad, end and overload.
        hardware: Address of the client's interface, 6 bytes for Ethernet, at most 16.
        ciaddr: Client's IPv4 address, if it has one.
        yiaddr: Address given to the client.
        siaddr: Next server in booting.
        giaddr: Relay agent.
        secs: Seconds since the client began.
        flags: 0x8000 asks for a broadcast answer.
    """

    op: Op
    xid: int
    options: Mapping[int, bytes] = field(default_factory=dict)
    hardware: bytes = b""
    ciaddr: str = "0.0.0.0"  # noqa: S104 - no address
    yiaddr: str = "0.0.0.0"  # noqa: S104
    siaddr: str = "0.0.0.0"  # noqa: S104
    giaddr: str = "0.0.0.0"  # noqa: S104
    secs: int = 0
    flags: int = 0

    @property
    def type(self) -> MessageType | None:
        """What kind of message it is, or None if it does not say."""
        value = self.options.get(Code.MESSAGE_TYPE, b"")
        try:
            return MessageType(value[0]) if len(value) == 1 else None
        except ValueError:
            return None

    @property
    def server(self) -> str | None:
        """Which server it is from, by option 54."""
        value = self.options.get(Code.SERVER_ID, b"")
        return str(ipaddress.IPv4Address(value)) if len(value) == 4 else None


def inform(
    xid: int, hardware: bytes, address: str, vendor_class: str, wanted: tuple[int, ...]
) -> Message:
    """Make a DHCPINFORM: a client that has an address asks for options only (RFC 2131, 4.4.3).

    Args:
        xid: A random number.
        hardware: MAC address, 6 bytes.
        address: The client's IPv4 address.
        vendor_class: Option 60.
        wanted: Option 55, the codes that are asked for.
    """
    options: dict[int, bytes] = {
        Code.MESSAGE_TYPE: bytes((MessageType.INFORM,)),
        Code.MAX_SIZE: (1400).to_bytes(2, "big"),
        Code.VENDOR_CLASS: vendor_class.encode("ascii"),
        Code.PARAMETER_LIST: bytes(wanted),
    }
    return Message(Op.REQUEST, xid, options, hardware, ciaddr=address)


def encode(message: Message) -> bytes:
    """Write a message, at least 300 bytes long."""
    addresses = (message.ciaddr, message.yiaddr, message.siaddr, message.giaddr)
    header = _HEADER.pack(
        message.op,
        _ETHERNET,
        len(message.hardware),
        0,
        message.xid,
        message.secs,
        message.flags,
        *(ipaddress.IPv4Address(address).packed for address in addresses),
        message.hardware,
        b"",
        b"",
        _COOKIE,
    )
    options = b"".join(_encoded(code, value) for code, value in message.options.items())
    return (header + options + bytes((_END,))).ljust(_LEAST, b"\0")


def _encoded(code: int, value: bytes) -> bytes:
    pieces = [value[at : at + _MOST_OPTION] for at in range(0, len(value), _MOST_OPTION)] or [b""]
    return b"".join(bytes((code, len(piece))) + piece for piece in pieces)


def decode(data: bytes) -> Message:
    """Read a message.

    Raises:
        OptionInvalid: It is no DHCP message, or an option in it is cut off.
    """
    if not _HEADER.size <= len(data) <= _MOST:
        raise _invalid(f"it has {len(data)} bytes")
    op, _, hardware_length, _, xid, secs, flags, *rest = _HEADER.unpack_from(data)
    *addresses, hardware, sname, file, cookie = rest
    if cookie != _COOKIE:
        raise _invalid("the magic cookie is not there")
    if op not in set(Op) or hardware_length > len(hardware):
        raise _invalid("its header has impossible values")
    ciaddr, yiaddr, siaddr, giaddr = (str(ipaddress.IPv4Address(a)) for a in addresses)
    return Message(
        op=Op(op),
        xid=xid,
        options=_options(data[_HEADER.size :], file, sname),
        hardware=hardware[:hardware_length],
        ciaddr=ciaddr,
        yiaddr=yiaddr,
        siaddr=siaddr,
        giaddr=giaddr,
        secs=secs,
        flags=flags,
    )


def _options(area: bytes, file: bytes, sname: bytes) -> dict[int, bytes]:
    """Read the options, those in the fields ``file`` and ``sname`` after the others."""
    found: dict[int, bytes] = {}
    _collect(area, found)
    overload = int.from_bytes(found.pop(Code.OVERLOAD, b"\0")[:1], "big")
    for bit, more in ((_FILE, file), (_SNAME, sname)):
        if overload & bit:
            _collect(more, found)
            found.pop(Code.OVERLOAD, None)
    return found


def _collect(area: bytes, found: dict[int, bytes]) -> None:
    at = 0
    while at < len(area) and area[at] != _END:
        if area[at] == _PAD:
            at += 1
            continue
        value = area[at + 2 : at + 2 + area[at + 1]] if at + 1 < len(area) else b""
        if at + 1 >= len(area) or len(value) < area[at + 1]:
            raise _invalid(f"option {area[at]} is cut off")
        found[area[at]] = found.get(area[at], b"") + value
        at += 2 + len(value)


def _invalid(problem: str) -> OptionInvalid:
    return OptionInvalid("the DHCP message", problem)
