"""The USB/IP protocol, version 1.1.1, without I/O: bytes in, messages out, and back.

Source: the Linux kernel's ``Documentation/usb/usbip_protocol.rst``. Everything is big-endian but
the setup packet, which is as on the cable (little-endian).

A connection has two phases. In the first, *operations* list the exported devices or import one
of them; an import that succeeds turns the connection into a pipe of *transfers* for that device.
"""

from usbprov.usbip.decoding import ClientDecoder, Reply, Request, ServerDecoder
from usbprov.usbip.fields import (
    MAX_TRANSFER,
    VERSION,
    Direction,
    MalformedMessage,
    Speed,
    Status,
    TransferFlag,
    TransferStatus,
)
from usbprov.usbip.operations import (
    DeviceListReply,
    DeviceListRequest,
    ExportedDevice,
    ImportReply,
    ImportRequest,
    InterfaceTriple,
)
from usbprov.usbip.transfers import SetupPacket, Submit, SubmitReply, Unlink, UnlinkReply

__all__ = [
    "MAX_TRANSFER",
    "VERSION",
    "ClientDecoder",
    "DeviceListReply",
    "DeviceListRequest",
    "Direction",
    "ExportedDevice",
    "ImportReply",
    "ImportRequest",
    "InterfaceTriple",
    "MalformedMessage",
    "Reply",
    "Request",
    "ServerDecoder",
    "SetupPacket",
    "Speed",
    "Status",
    "Submit",
    "SubmitReply",
    "TransferFlag",
    "TransferStatus",
    "Unlink",
    "UnlinkReply",
]
