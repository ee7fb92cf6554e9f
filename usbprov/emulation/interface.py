"""What the device model asks of an emulated interface, and in which words it describes itself."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from usbprov.emulation.function import Function
from usbprov.usbip import Direction, SetupPacket


class TransferType(IntEnum):
    """Transfer type of an endpoint (USB 2.0, 9.6.6, bmAttributes)."""

    BULK = 2
    INTERRUPT = 3


@dataclass(frozen=True)
class EndpointSpec:
    """An endpoint before it has an address.

    Attributes:
        direction: OUT or IN, seen from the host.
        transfer: Transfer type.
        max_packet: wMaxPacketSize at high speed, in bytes; at full speed never above 64.
        interval: bInterval, for interrupt endpoints.
    """

    direction: Direction
    transfer: TransferType
    max_packet: int
    interval: int = 0


def _nothing(_first: int) -> bytes:
    return b""


@dataclass(frozen=True)
class InterfaceSpec:
    """One USB interface before it has a number.

    Attributes:
        cls: bInterfaceClass.
        subclass: bInterfaceSubClass.
        protocol: bInterfaceProtocol.
        name: Interface string, or None.
        endpoints: At most one bulk pair, and interrupt endpoints.
        functional: Makes the class-specific descriptors, given the number of the first interface
            of the same function.
    """

    cls: int
    subclass: int
    protocol: int
    name: str | None = None
    endpoints: tuple[EndpointSpec, ...] = ()
    functional: Callable[[int], bytes] = _nothing


@dataclass(frozen=True)
class ControlReply:
    """The answer to a class or vendor request.

    Attributes:
        data: Data stage, for a request that reads.
        flush: Empty the endpoints and reset the function before the request completes.
    """

    data: bytes = b""
    flush: bool = False


class EmulatedInterface(Protocol):
    """One function of a device: one USB interface, or several that belong together."""

    @property
    def function(self) -> Function:
        """What stands behind it."""
        ...

    @property
    def streaming(self) -> bool:
        """True when each OUT packet is delivered at once, False for whole transfers."""
        ...

    @property
    def winusb_guid(self) -> str | None:
        """DeviceInterfaceGUID (in braces) under which Windows binds WinUSB to it, or None."""
        ...

    @property
    def specs(self) -> tuple[InterfaceSpec, ...]:
        """Its interfaces, in order."""
        ...

    def control(self, setup: SetupPacket, data: bytes) -> ControlReply | None:
        """Answer a class or vendor request to one of its interfaces; None stalls it.

        Called with the device's lock held: must neither block nor call the device.
        """
        ...
