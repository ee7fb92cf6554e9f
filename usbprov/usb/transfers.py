"""One transfer to an open device, and how its outcome is said in pyusb's exceptions."""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from usbprov.usb.pyusb import USBError, new_error, new_timeout
from usbprov.usbip import SetupPacket, TransferStatus

DIRECTION_IN = 0x80
"""Bit 7 of an endpoint address, and of bmRequestType: from the device to the host."""

TIMED_OUT = -110
"""ETIMEDOUT as a status: given by a session, or by an exporter for a control transfer."""

SHUT_DOWN = -108
"""ESHUTDOWN as a status: the host controller or the port was switched off."""


@dataclass(frozen=True)
class Transfer:
    """What is asked of the device.

    Attributes:
        endpoint: Endpoint address with its direction bit; 0x00 or 0x80 for a control transfer.
        length: Bytes of ``data`` for OUT, most bytes wanted for IN.
        data: What an OUT transfer carries.
        setup: The setup packet, of control transfers only.
        interval: Polling interval of an interrupt endpoint, in frames (low and full speed) or
            microframes; 0 for other transfers.
    """

    endpoint: int
    length: int
    data: bytes = field(default=b"", repr=False)
    setup: SetupPacket | None = None
    interval: int = 0

    @property
    def incoming(self) -> bool:
        """Whether the data goes from the device to the host."""
        return bool(self.endpoint & DIRECTION_IN)


@dataclass(frozen=True)
class Completion:
    """How a transfer ended.

    Attributes:
        status: 0, or a negative errno of Linux: a ``TransferStatus``, ``TIMED_OUT`` or another.
        data: What came in, also of a transfer that failed.
        length: Bytes that went either way.
    """

    status: int
    data: bytes = field(default=b"", repr=False)
    length: int = 0


class Session(Protocol):
    """A device that is open for transfers; safe for many threads."""

    def transfer(self, transfer: Transfer, timeout: float | None) -> Completion:
        """Do one transfer, for at most ``timeout`` seconds (None: for ever).

        A transfer that ran out of time is withdrawn, and its status is ``TIMED_OUT``; if it was
        completed at the same moment, the completion is returned instead. A device that is gone
        gives ``NO_DEVICE``; nothing is raised.
        """
        ...

    def close(self) -> None:
        """Give the device back; transfers under way end with ``NO_DEVICE``. Callable twice."""
        ...


def control(
    request_type: int,
    request: int,
    value: int = 0,
    index: int = 0,
    *,
    data: bytes = b"",
    length: int = 0,
) -> Transfer:
    """Make a control transfer that sends ``data``, or asks for ``length`` bytes."""
    incoming = bool(request_type & DIRECTION_IN)
    size = length if incoming else len(data)
    setup = SetupPacket(request_type, request, value, index, size)
    return Transfer(DIRECTION_IN if incoming else 0, size, b"" if incoming else data, setup)


# What goes wrong on the wire (CRC, no handshake, bit stuffing) all is an I/O error to libusb.
_ERRNO: Mapping[int, int] = {
    TransferStatus.NO_DEVICE: errno.ENODEV,
    SHUT_DOWN: errno.ENODEV,
    TransferStatus.STALL: errno.EPIPE,
    TransferStatus.OVERFLOW: errno.EOVERFLOW,
    TransferStatus.INVALID: errno.EINVAL,
    TIMED_OUT: errno.ETIMEDOUT,
}


def usb_error(number: int, text: str | None = None) -> USBError:
    """Return pyusb's exception for an errno of this system."""
    make = new_timeout if number == errno.ETIMEDOUT else new_error
    return make(number, text or os.strerror(number))


def completed(completion: Completion) -> Completion:
    """Return the completion of a transfer that succeeded.

    Raises:
        USBError: It did not; with the errno that libusb gives in the same case.
    """
    if completion.status:
        raise usb_error(_ERRNO.get(completion.status, errno.EIO))
    return completion
