"""USB request blocks: one transfer between host and emulated device, and how it ended."""

from collections.abc import Callable
from dataclasses import dataclass, field

from usbprov.usbip import Direction, SetupPacket, TransferFlag, TransferStatus


@dataclass(frozen=True)
class Completion:
    """How a transfer ended.

    Attributes:
        status: A value of ``TransferStatus``.
        data: What the device sent; empty for OUT.
        actual: Bytes transferred, in either direction.
    """

    status: int = TransferStatus.OK
    data: bytes = field(default=b"", repr=False)
    actual: int = 0


@dataclass(eq=False, slots=True)
class Urb:
    """One transfer, as the host asks for it.

    Attributes:
        endpoint: Address with the direction bit (``0x81``); 0 for a control transfer either way.
        on_complete: Called exactly once, from any thread, unless ``UsbDevice.cancel`` returned
            True. It is called with the device's lock held, so that answers keep their order: it
            must neither block nor call the device.
        length: Room for the answer, in bytes; only for IN.
        data: What is sent; only for OUT.
        setup: Only for control transfers.
        flags: ``TransferFlag`` bits.
    """

    endpoint: int
    on_complete: Callable[[Completion], None] = field(repr=False)
    length: int = 0
    data: bytes = field(default=b"", repr=False)
    setup: SetupPacket | None = None
    flags: int = TransferFlag.NONE

    @property
    def direction(self) -> Direction:
        """Direction of the data; for a control transfer, that of its data stage."""
        if self.setup is not None:
            return self.setup.direction
        return Direction.IN if self.endpoint & 0x80 else Direction.OUT
