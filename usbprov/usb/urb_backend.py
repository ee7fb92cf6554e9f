"""What our pyusb backends have in common: everything but the way to the device.

A backend of this kind sees the bare bus, as an operating system does, so it does here what the
kernel does under libusb: reads and keeps the descriptors, sets the first configuration on a device
that has none, knows who has claimed which interface.
"""

import array
import errno
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

import usb.backend

from usbprov.usb.attachment import LISTING_PATIENCE, OPENING_PATIENCE, Attachment, Handle
from usbprov.usb.descriptors import (
    ConfigurationDescriptor,
    DeviceDescriptor,
    EndpointDescriptor,
    InterfaceDescriptor,
)
from usbprov.usb.pyusb import Identification, USBError
from usbprov.usb.snapshot import Snapshot
from usbprov.usb.transfers import (
    DIRECTION_IN,
    TIMED_OUT,
    Completion,
    Transfer,
    completed,
    control,
    usb_error,
)

_SETTING_TIMEOUT = 5.0
"""Seconds that a device may take for a request that the kernel makes (USB_CTRL_SET_TIMEOUT)."""

_HIGH_SPEED = 3
_CLEAR_FEATURE = 1
_SET_FEATURE = 3
_GET_CONFIGURATION = 8
_SET_CONFIGURATION = 9
_SET_INTERFACE = 11
"""Requests of USB 2.0, table 9-4."""

_PORT_RESET = 4
"""The hub port's feature (USB 2.0, table 11-17) by which USB/IP asks to reset the device."""

_CHUNK = 1 << 18
"""Bytes of one URB at most; a multiple of every packet size, so that no packet is cut short."""


class UrbBackend(usb.backend.IBackend):
    """The common part of our pyusb backends; see ``usb.backend.IBackend`` for the methods."""

    @abstractmethod
    def enumerate_devices(self) -> Iterable[Attachment]:
        """Return what is attached now."""

    def listing(self) -> object:
        """Ask what is attached, for ``listed``; None where the bus has no list to be asked for.

        Two of them are equal as long as nothing comes or goes, and cheap to compare.

        Raises:
            USBError: The bus cannot be asked.
        """
        return None

    def listed(self, listing: object) -> Iterable[Attachment]:
        """Return what is attached by a ``listing``."""
        return self.enumerate_devices()

    @contextmanager
    def hold(self, identification: Identification) -> Iterator[None]:
        """Keep the device open meanwhile, so that opening it again costs nothing.

        Raises:
            USBError: It cannot be opened, or its device descriptor cannot be read.
        """
        attachment = _attachment(identification)
        attachment.acquire(LISTING_PATIENCE)
        try:
            attachment.require()
            yield
        finally:
            attachment.release()

    def look(self, identification: Identification) -> DeviceDescriptor:
        """Return what the bus lists of the device, without opening it."""
        return _attachment(identification).listed.device

    def _snapshot(self, attachment: Attachment) -> Snapshot:
        if not attachment.asked:
            with suppress(USBError), self.hold(attachment):
                pass
        return attachment.snapshot

    # --- descriptors ---------------------------------------------------------------------------

    def get_parent(self, dev: Attachment) -> None:
        """Return None: hubs are not part of what is exported."""

    def get_device_descriptor(self, dev: Attachment) -> DeviceDescriptor:
        """Return the device descriptor; of a device that cannot be asked, what is listed."""
        return self._snapshot(dev).device

    def get_configuration_descriptor(self, dev: Attachment, config: int) -> ConfigurationDescriptor:
        """Return a configuration by its index; IndexError ends pyusb's iteration."""
        return self._snapshot(dev).configuration(config)

    def get_interface_descriptor(
        self, dev: Attachment, intf: int, alt: int, config: int
    ) -> InterfaceDescriptor:
        """Return an alternate setting by the three indices."""
        return self.get_configuration_descriptor(dev, config).interfaces[intf][alt]

    def get_endpoint_descriptor(
        self, dev: Attachment, ep: int, intf: int, alt: int, config: int
    ) -> EndpointDescriptor:
        """Return an endpoint by the four indices."""
        return self.get_interface_descriptor(dev, intf, alt, config).endpoints[ep]

    # --- open, configure, claim ----------------------------------------------------------------

    def open_device(self, dev: Attachment) -> Handle:
        """Open the device for transfers."""
        return Handle(dev, dev.acquire(OPENING_PATIENCE))

    def close_device(self, dev_handle: Handle) -> None:
        """Give the device back."""
        dev_handle.close()

    def get_configuration(self, dev_handle: Handle) -> int:
        """Return the active bConfigurationValue, after giving one to a device that has none."""
        if dev_handle.configuration is None:
            answer = self._control(dev_handle, control(0x80, _GET_CONFIGURATION, length=1))
            dev_handle.configuration = answer[0] if answer else 0
        if dev_handle.configuration == 0:
            with suppress(IndexError):
                first = self.get_configuration_descriptor(dev_handle.attachment, 0)
                self.set_configuration(dev_handle, first.bConfigurationValue)
        return dev_handle.configuration

    def set_configuration(self, dev_handle: Handle, config_value: int) -> None:
        """Set a configuration, 0 for none."""
        if dev_handle.claimed:
            raise usb_error(errno.EBUSY)
        self._control(dev_handle, control(0x00, _SET_CONFIGURATION, max(config_value, 0)))
        dev_handle.configuration = config_value

    def set_interface_altsetting(self, dev_handle: Handle, intf: int, altsetting: int) -> None:
        """Choose an alternate setting."""
        self._control(dev_handle, control(0x01, _SET_INTERFACE, altsetting, intf))

    def claim_interface(self, dev_handle: Handle, intf: int) -> None:
        """Claim an interface of the active configuration."""
        if intf not in self._interface_numbers(dev_handle):
            raise usb_error(errno.ENOENT)
        dev_handle.claim(intf)

    def release_interface(self, dev_handle: Handle, intf: int) -> None:
        """Release a claimed interface."""
        dev_handle.release_claim(intf)

    def _interface_numbers(self, handle: Handle) -> set[int]:
        settings = self._active(handle).interfaces
        return {setting[0].bInterfaceNumber for setting in settings}

    def _active(self, handle: Handle) -> ConfigurationDescriptor:
        value = self.get_configuration(handle)
        found = handle.attachment.snapshot.configuration_by_value(value)
        if found is None:
            raise usb_error(errno.ENOENT)
        return found

    # --- transfers: time-outs are in ms, 0 for none ----------------------------------------------

    def bulk_write(
        self, dev_handle: Handle, ep: int, intf: int, data: "array.array[int]", timeout: int
    ) -> int:
        """Send ``data`` to a bulk endpoint."""
        return self._stream(dev_handle, ep, data, timeout)

    def bulk_read(
        self, dev_handle: Handle, ep: int, intf: int, buff: "array.array[int]", timeout: int
    ) -> int:
        """Fill ``buff`` from a bulk endpoint, as far as the transfer goes."""
        return self._stream(dev_handle, ep, buff, timeout)

    def intr_write(
        self, dev_handle: Handle, ep: int, intf: int, data: "array.array[int]", timeout: int
    ) -> int:
        """Send ``data`` to an interrupt endpoint."""
        return self._stream(dev_handle, ep, data, timeout, self._interval(dev_handle, ep))

    def intr_read(
        self, dev_handle: Handle, ep: int, intf: int, size: "array.array[int]", timeout: int
    ) -> int:
        """Fill the buffer ``size`` (pyusb's name for it) from an interrupt endpoint."""
        return self._stream(dev_handle, ep, size, timeout, self._interval(dev_handle, ep))

    def ctrl_transfer(
        self,
        dev_handle: Handle,
        bmRequestType: int,  # noqa: N803
        bRequest: int,  # noqa: N803
        wValue: int,  # noqa: N803
        wIndex: int,  # noqa: N803
        data: "array.array[int]",
        timeout: int,
    ) -> int:
        """Do a control transfer on endpoint 0."""
        sent = b"" if bmRequestType & DIRECTION_IN else data.tobytes()
        size = len(data) * data.itemsize
        asked = control(bmRequestType, bRequest, wValue, wIndex, data=sent, length=size)
        completion = dev_handle.session.transfer(asked, _remaining(_deadline(timeout)))
        return _taken(completion, memoryview(data).cast("B"), asked)

    def clear_halt(self, dev_handle: Handle, ep: int) -> None:
        """Clear the halt of an endpoint."""
        self._control(dev_handle, control(0x02, _CLEAR_FEATURE, 0, ep))

    def reset_device(self, dev_handle: Handle) -> None:
        """Reset the device and give it its configuration again, as the kernel does."""
        value = self.get_configuration(dev_handle)
        self._control(dev_handle, control(0x23, _SET_FEATURE, _PORT_RESET))
        self._control(dev_handle, control(0x00, _SET_CONFIGURATION, value))

    # --- kernel drivers: none can be bound, the kernel does not know of these devices ------------

    def is_kernel_driver_active(self, dev_handle: Handle, intf: int) -> bool:
        """Return False."""
        return False

    def detach_kernel_driver(self, dev_handle: Handle, intf: int) -> None:
        """Do nothing: none is bound."""

    def attach_kernel_driver(self, dev_handle: Handle, intf: int) -> None:
        """Do nothing: none was bound."""

    # --------------------------------------------------------------------------------------------

    def _stream(
        self,
        handle: Handle,
        endpoint: int,
        buffer: "array.array[int]",
        timeout: int,
        interval: int = 0,
    ) -> int:
        """Transfer a buffer in URBs of at most ``_CHUNK`` bytes; a short one ends it."""
        deadline = _deadline(timeout)
        view, done = memoryview(buffer).cast("B"), 0
        while True:
            part = view[done : done + _CHUNK]
            sent = b"" if endpoint & DIRECTION_IN else bytes(part)
            asked = Transfer(endpoint, len(part), sent, interval=interval)
            completion = handle.session.transfer(asked, _remaining(deadline))
            if completion.status == TIMED_OUT and done:
                return done  # as libusb does: bytes that went are not given up
            done += _taken(completion, part, asked)
            if done == len(view) or completion.length < len(part):
                return done

    def _control(self, handle: Handle, transfer: Transfer) -> bytes:
        return completed(handle.session.transfer(transfer, _SETTING_TIMEOUT)).data

    def _interval(self, handle: Handle, endpoint: int) -> int:
        """Return an interrupt endpoint's polling interval (USB 2.0, table 9-13)."""
        found = self._active(handle).endpoint(endpoint)
        exponent = max(found.bInterval if found else 1, 1)
        fast = (handle.attachment.snapshot.device.speed or _HIGH_SPEED) >= _HIGH_SPEED
        return 1 << min(exponent - 1, 15) if fast else exponent


def _attachment(identification: Identification) -> Attachment:
    if not isinstance(identification, Attachment):
        raise TypeError(f"{identification!r} is not of this backend")
    return identification


def _taken(completion: Completion, part: memoryview, asked: Transfer) -> int:
    """Put what came into the buffer, and return how many bytes went."""
    completed(completion)
    if not asked.incoming:
        return completion.length
    data = completion.data[: asked.length]
    part[: len(data)] = data
    return len(data)


def _deadline(milliseconds: int) -> float | None:
    return monotonic() + milliseconds / 1000 if milliseconds else None


def _remaining(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - monotonic())
