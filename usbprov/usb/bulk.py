"""A link over a pair of bulk endpoints of any pyusb device."""

import errno
import logging
import math
import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from usbprov.errors import LinkBroken, LinkTimeout, PhoneGone
from usbprov.usb.devices import InterfaceFacts
from usbprov.usb.failures import FAILURES, link_error, opening_error
from usbprov.usb.pyusb import Device, Interface, USBError, claim, dispose, release, send_request

logger = logging.getLogger(__name__)

_READ_SIZE = 16 * 1024
_BULK = 2
_TYPE_MASK = 0x03  # bmAttributes, bits 1..0 (USB 2.0, table 9-13)
_ADDRESS_MASK = 0x7F  # bEndpointAddress without its direction; bits 6..4 are reserved, 0
_PACKET_SIZE_MASK = 0x07FF  # wMaxPacketSize, bits 10..0 (USB 2.0, table 9-13)

_RESYNC_TYPE = 0x41
_RESYNC_REQUEST = 0x52
_RESYNC_TIMEOUT = 1.0
"""The vendor request, to the interface, by which a phone forgets what is under way."""

_QUIET = 0.02
"""Seconds without data after which nothing old is on its way any more."""

_DRAIN_TIMEOUT = 1.0

_NOTICE = 3.0
"""Seconds in which a host controller notices that a device was pulled, with plenty to spare."""

_GET_STATUS = (0x80, 0, 0, 0)
_STATUS_SIZE = 2
_STATUS_TIMEOUT = 200
"""The request that every device answers (USB 2.0, 9.4.5); milliseconds."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True)
class BulkPair:
    """The two endpoints of a link.

    Attributes:
        out_address: bEndpointAddress towards the phone.
        in_address: bEndpointAddress from the phone.
        out_packet: wMaxPacketSize towards the phone, in bytes.
        in_packet: wMaxPacketSize from the phone, in bytes.
    """

    out_address: int
    in_address: int
    out_packet: int
    in_packet: int


class BulkLink:
    """A ``Link``: one write is one transfer, ended by a short packet or by one of no bytes."""

    def __init__(self, device: Device, number: int, pair: BulkPair, name: str) -> None:
        self._device = device
        self._number = number
        self._pair = pair
        self._name = name
        # One buffer for all reads, and arrays for writes: pyusb makes them anew of anything else,
        # which takes longer than what it does besides.
        self._buffer = array("B", bytes(math.ceil(_READ_SIZE / pair.in_packet) * pair.in_packet))
        self._close: Callable[[], None] | None = None

    @classmethod
    def open(cls, device: Device, interface: InterfaceFacts, name: str) -> "BulkLink":
        """Claim ``interface`` and return a link over its bulk endpoints.

        Args:
            device: As found by pyusb, not shared with another link.
            interface: The interface, and which of its alternate settings.
            name: The phone as errors call it.

        Raises:
            PhoneBusy: Another program holds it.
            AccessDenied: The operating system does not allow it.
            PhoneGone: It is no longer there.
            LinkBroken: It has no such endpoints, or they cannot be set up.
        """
        undo = _Undo()
        undo.add(lambda: dispose(device))
        try:
            pair = _set_up(device, interface, name, undo)
        except FAILURES as failure:
            undo.run()
            raise opening_error(failure, name) from failure
        except BaseException:
            undo.run()
            raise
        link = cls(device, interface.number, pair, name)
        link._close = undo.run
        return link

    @property
    def name(self) -> str:
        """The phone as errors call it."""
        return self._name

    def write(self, data: bytes, timeout: float) -> None:
        """Send ``data`` as one transfer; see ``Link``."""
        deadline = time.monotonic() + timeout
        self._send(data, timeout, timeout)
        if data and len(data) % self._pair.out_packet == 0:
            # Without it the phone cannot know that the transfer ends here (USB 2.0, 5.8.3).
            self._send(b"", deadline - time.monotonic(), timeout)

    def read(self, timeout: float) -> bytes:
        """Return the bytes of the next transfer; see ``Link``."""
        deadline = time.monotonic() + timeout
        left = timeout
        while not (data := self._receive(left, timeout)):
            left = deadline - time.monotonic()
            if left <= 0:
                raise LinkTimeout(self._name, "a transfer", timeout)
        return data

    def resync(self) -> None:
        """Have the phone forget what is under way, and throw away what it had sent; see ``Link``.

        A phone that does not know the request stalls it, and is then only drained.

        Raises:
            LinkTimeout: The phone does not answer at all.
            PhoneGone: The phone vanished.
            LinkBroken: It sends without end, or its endpoints stay halted.
        """
        logger.debug("%s: resynchronising", self._name)
        self._guarded(_RESYNC_TIMEOUT, self._ask_to_forget)
        self._clear_halts()
        self._drain()

    def close(self) -> None:
        """Release the interface, give a kernel driver back what was its; callable twice."""
        close, self._close = self._close, None
        if close is not None:
            close()

    # ---------------------------------------------------------------------------------------------

    def _send(self, data: bytes, left: float, timeout: float) -> None:
        out, content = self._pair.out_address, array("B", data)
        sent = self._guarded(timeout, self._device.write, out, content, _milliseconds(left))
        if sent != len(data):
            # libusb reports a time-out in the middle of a transfer as a short write.
            raise LinkTimeout(self._name, "a transfer", timeout)

    def _receive(self, left: float, timeout: float) -> bytes:
        source, into = self._pair.in_address, self._buffer
        size = self._guarded(timeout, self._device.read, source, into, _milliseconds(left))
        return into[:size].tobytes()

    def _guarded(
        self, timeout: float, action: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Call what talks to the device, and raise what it raises as an error of the tree."""
        try:
            return action(*args, **kwargs)
        except FAILURES as failure:
            error = link_error(failure, self._name, timeout)
            if isinstance(error, LinkBroken) and self._vanishes():
                error = PhoneGone(self._name)
            raise error from failure

    def _vanishes(self) -> bool:
        """Say whether a transfer failed because the cable was just pulled.

        What is under way then fails in any way: as on a disturbed line mostly, by too much data
        (noise), by what libusb has no name for, and on Windows by a stall. Only a moment later the
        host controller finds that nobody is there. A phone that is there answers at once.
        """
        deadline = time.monotonic() + _NOTICE
        while time.monotonic() < deadline:
            try:
                self._device.ctrl_transfer(*_GET_STATUS, _STATUS_SIZE, _STATUS_TIMEOUT)
            except FAILURES as answer:
                if isinstance(link_error(answer, self._name), PhoneGone):
                    return True
                time.sleep(_QUIET)
            else:
                return False
        return False

    def _ask_to_forget(self) -> None:
        try:
            timeout = int(_RESYNC_TIMEOUT * 1000)
            send_request(self._device, _RESYNC_TYPE, _RESYNC_REQUEST, self._number, timeout)
        except USBError as failure:
            if failure.errno != errno.EPIPE:
                raise
            logger.debug("%s does not know the resynchronisation request", self._name)

    def _clear_halts(self) -> None:
        for endpoint in (self._pair.out_address, self._pair.in_address):
            self._guarded(_RESYNC_TIMEOUT, self._device.clear_halt, endpoint)

    def _drain(self) -> None:
        end = time.monotonic() + _DRAIN_TIMEOUT
        while time.monotonic() < end:
            try:
                dropped = self._receive(_QUIET, _QUIET)
            except LinkTimeout:
                return
            except LinkBroken:
                self._clear_halts()
            else:
                logger.debug("%s: dropped %d old bytes", self._name, len(dropped))
        raise LinkBroken(self._name, "it does not stop sending")


class _Undo:
    """What is to be undone when a link is closed, last first; failures do not matter then."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], None]] = []

    def add(self, step: Callable[[], None]) -> None:
        self._steps.append(step)

    def run(self) -> None:
        while self._steps:
            with suppress(*FAILURES):
                self._steps.pop()()


def _set_up(device: Device, interface: InterfaceFacts, name: str, undo: _Undo) -> BulkPair:
    _detach_kernel_driver(device, interface.number, undo)
    settings = [s for s in _configuration(device) if s.bInterfaceNumber == interface.number]
    setting = next((s for s in settings if s.bAlternateSetting == interface.alternate), None)
    if setting is None:
        raise LinkBroken(name, f"it has no interface {interface.number}.{interface.alternate}")
    pair = _bulk_pair(setting, name)
    claim(device, interface.number)
    undo.add(lambda: release(device, interface.number))
    if len(settings) > 1:
        # A device with one setting may stall the request (USB 2.0, 9.4.10).
        setting.set_altsetting()
    return pair


def _detach_kernel_driver(device: Device, number: int, undo: _Undo) -> None:
    with suppress(NotImplementedError):
        if device.is_kernel_driver_active(number):
            device.detach_kernel_driver(number)
            undo.add(lambda: device.attach_kernel_driver(number))


def _configuration(device: Device) -> Sequence[Interface]:
    try:
        return tuple(device.get_active_configuration())
    except USBError as failure:
        # pyusb has no errno for a device without a configuration.
        if failure.errno is not None:
            raise
    device.set_configuration()
    return tuple(device.get_active_configuration())


def _bulk_pair(setting: Interface, name: str) -> BulkPair:
    possible = [e for e in setting if 0 < e.bEndpointAddress & _ADDRESS_MASK < 16]
    bulk = [e for e in possible if e.bmAttributes & _TYPE_MASK == _BULK]
    found_in = [e for e in bulk if e.bEndpointAddress & 0x80]
    found_out = [e for e in bulk if not e.bEndpointAddress & 0x80]
    sizes = [e.wMaxPacketSize & _PACKET_SIZE_MASK for e in (*found_out, *found_in)]
    if len(found_in) != 1 or len(found_out) != 1 or 0 in sizes:
        raise LinkBroken(name, "the interface has not one bulk endpoint each way")
    addresses = (found_out[0].bEndpointAddress, found_in[0].bEndpointAddress)
    return BulkPair(*addresses, *sizes)


def _milliseconds(seconds: float) -> int:
    # Never 0, which means "for ever" to libusb.
    return max(1, math.ceil(seconds * 1000))
