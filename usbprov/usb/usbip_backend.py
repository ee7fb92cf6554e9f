"""A pyusb backend that speaks USB/IP to an exporter: no root, no kernel module.

The exporter may be ours, with emulated phones, or a ``usbipd`` somewhere that exports real ones.
"""

import errno
from collections.abc import Sequence
from functools import partial

from usbprov.usb.attachment import Attachment
from usbprov.usb.portpath import PortPath
from usbprov.usb.pyusb_bus import PyusbBus
from usbprov.usb.snapshot import listed_snapshot
from usbprov.usb.transfers import Session, usb_error
from usbprov.usb.urb_backend import UrbBackend
from usbprov.usb.usbip_client import DEFAULT_PORT, Address, import_device, list_devices
from usbprov.usbip import ExportedDevice


def open_usbip_bus(uri: str, host: str, port: int | None = None) -> PyusbBus:
    """Return the bus of what the exporter at ``host`` offers; it is not asked yet."""
    backend = UsbIpBackend(Address(host, port or DEFAULT_PORT))
    return PyusbBus(uri, backend)


class UsbIpBackend(UrbBackend):
    """The devices of one exporter; each open device has a connection of its own."""

    def __init__(self, address: Address) -> None:
        super().__init__()
        self._address = address

    def enumerate_devices(self) -> Sequence[Attachment]:
        """Return what the exporter offers now; raises as ``listing``."""
        return self.listed(self.listing())

    def listing(self) -> tuple[ExportedDevice, ...]:
        """Ask the exporter for its list.

        Raises:
            USBError: It is not reached, or is no exporter.
        """
        return list_devices(self._address)

    def listed(self, listing: object) -> Sequence[Attachment]:
        """Return the devices of a list; of two at one port the first counts."""
        assert isinstance(listing, tuple)  # noqa: S101 - our own
        found: dict[PortPath, Attachment] = {}
        for device in listing:
            listed = listed_snapshot(device)
            place = PortPath.of(listed.device.bus, listed.device.port_numbers)
            if place is not None:  # else the busid is anything but a port
                found.setdefault(place, Attachment(listed, partial(self._import, device)))
        return tuple(found.values())

    def _import(self, listed: ExportedDevice, patience: float) -> Session:
        session = import_device(self._address, listed.busid, patience)
        if _identity(session.device) != _identity(listed):
            # Another device is at the port now: the one that was listed is gone.
            session.close()
            raise usb_error(errno.ENODEV)
        return session


def _identity(device: ExportedDevice) -> tuple[int, ...]:
    return (
        device.busnum,
        device.devnum,
        device.vendor_id,
        device.product_id,
        device.release,
    )
