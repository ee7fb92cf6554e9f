"""Numbers and small fields that both phases of a USB/IP connection share."""

from enum import IntEnum, IntFlag

VERSION = 0x0111
"""Protocol version 1.1.1 in BCD, as it stands in the header of every operation."""

MAX_TRANSFER = 1 << 20
"""Bytes that one transfer may carry; a longer one is refused before it is buffered."""

BUSID_SIZE = 32
"""Bytes of a busid field, the closing NUL included."""

PATH_SIZE = 256
"""Bytes of a path field, the closing NUL included."""


class MalformedMessage(ValueError):
    """Raised when bytes are no USB/IP message, or one that is not supported (isochronous)."""


class Direction(IntEnum):
    """Direction of a transfer, seen from the host."""

    OUT = 0
    IN = 1


class Status(IntEnum):
    """Outcome of an operation (``ST_*`` in the kernel's ``usbip_common.h``)."""

    OK = 0
    NOT_AVAILABLE = 1
    BUSY = 2
    """Another client has imported the device."""
    DEVICE_ERROR = 3
    NO_DEVICE = 4
    ERROR = 5


class Speed(IntEnum):
    """Device speed (``enum usb_device_speed`` of ``linux/usb/ch9.h``)."""

    UNKNOWN = 0
    LOW = 1
    FULL = 2
    HIGH = 3
    WIRELESS = 4
    SUPER = 5
    SUPER_PLUS = 6


class TransferStatus(IntEnum):
    """Outcomes of a transfer, as negative Linux errno values whatever the platform."""

    OK = 0
    NO_DEVICE = -19
    """ENODEV: the device is unplugged."""
    INVALID = -22
    """EINVAL: the request makes no sense."""
    STALL = -32
    """EPIPE: the endpoint is halted, or the control request was refused."""
    PROTOCOL = -71
    """EPROTO: bit stuffing, no handshake: an error on the wire."""
    OVERFLOW = -75
    """EOVERFLOW: the device sent more than was asked for (babble)."""
    UNLINKED = -104
    """ECONNRESET: the transfer was unlinked before it was answered."""
    SHORT = -121
    """EREMOTEIO: fewer bytes came than were asked for, and SHORT_NOT_OK was set."""


class TransferFlag(IntFlag):
    """Flags of a submitted transfer that mean something on the device side (``URB_*``)."""

    NONE = 0
    SHORT_NOT_OK = 0x0001
    ZERO_PACKET = 0x0040
    """End an OUT transfer of whole packets with a zero-length packet."""


def pack_text(text: str, size: int) -> bytes:
    """Return ``text`` closed with a NUL and padded with NULs to ``size`` bytes.

    Raises:
        MalformedMessage: It does not fit, or holds a NUL itself.
    """
    raw = text.encode("utf-8", "surrogateescape")
    if len(raw) >= size or b"\0" in raw:
        raise MalformedMessage(f"text of {len(raw)} bytes for a field of {size}")
    return raw.ljust(size, b"\0")


def unpack_text(field: bytes) -> str:
    """Return the text before the first NUL; bytes that are not UTF-8 survive a round trip.

    Raises:
        MalformedMessage: No NUL closes the field.
    """
    raw, nul, _ = field.partition(b"\0")
    if not nul:
        raise MalformedMessage("a text field is not closed with a NUL")
    return raw.decode("utf-8", "surrogateescape")
