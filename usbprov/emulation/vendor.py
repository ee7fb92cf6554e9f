"""A vendor-specific interface with a bulk pair, on which every transfer is one message."""

from dataclasses import dataclass, field

from usbprov.emulation.function import Function
from usbprov.emulation.interface import ControlReply, EndpointSpec, InterfaceSpec, TransferType
from usbprov.usbip import Direction, SetupPacket

VENDOR_CLASS = 0xFF

RESYNC_TYPE = 0x41
"""bmRequestType of RESYNC: vendor, host to device, recipient interface."""

RESYNC = 0x52
"""bRequest of RESYNC: both sides forget what is under way."""

_GUID = "{4F1B31C5-6D5E-4E0B-9A57-2F6C1D0B8E34}"


@dataclass(frozen=True)
class VendorBulkInterface:
    """Class 0xFF with one bulk OUT and one bulk IN endpoint.

    An OUT transfer ends at a short packet, as on a cable: a message of whole packets that no
    zero-length packet follows is not delivered. RESYNC, SET_INTERFACE and CLEAR_FEATURE
    (ENDPOINT_HALT) empty the endpoints.

    Attributes:
        function: What stands behind it.
        name: Interface string.
        subclass: bInterfaceSubClass.
        protocol: bInterfaceProtocol.
        max_packet: wMaxPacketSize at high speed, in bytes.
        winusb_guid: DeviceInterfaceGUID for Windows, or None to have WinUSB not bound.
    """

    function: Function
    name: str = field(kw_only=True)
    subclass: int = field(kw_only=True)
    protocol: int = field(kw_only=True)
    max_packet: int = field(default=512, kw_only=True)
    winusb_guid: str | None = field(default=_GUID, kw_only=True)

    @property
    def streaming(self) -> bool:
        """False: whole transfers are delivered."""
        return False

    @property
    def specs(self) -> tuple[InterfaceSpec, ...]:
        """The one interface."""
        pair = tuple(
            EndpointSpec(way, TransferType.BULK, self.max_packet)
            for way in (Direction.OUT, Direction.IN)
        )
        return (InterfaceSpec(VENDOR_CLASS, self.subclass, self.protocol, self.name, pair),)

    def control(self, setup: SetupPacket, data: bytes) -> ControlReply | None:
        """Answer RESYNC; stall all else."""
        if (setup.request_type, setup.request) == (RESYNC_TYPE, RESYNC) and not setup.length:
            return ControlReply(flush=True)
        return None
