"""Reading what a device says of itself, whatever it says.

All that comes from the device is hostile: a string may stall, never come, not be text, or hold
what upsets a terminal. Any of that gives a ``problem``, and the rest is read nevertheless.
"""

import errno
import struct
import time
from collections.abc import Iterator
from dataclasses import replace

from usbprov.usb.device_text import shown
from usbprov.usb.devices import DeviceFacts, InterfaceFacts
from usbprov.usb.failures import FAILURES, in_words
from usbprov.usb.portpath import PortPath
from usbprov.usb.pyusb import Device, Interface

_STRING = 3
_ENGLISH = 0x0409
_STRING_SIZE = 255
_TIMEOUT_MS = 1000
_BUDGET = 3.0
"""Seconds for all strings of a device: a slow one must not hold up the list of the others."""

MAX_INTERFACES = 64
"""Alternate settings that are looked at; what has more is no phone."""

_HOPELESS = frozenset(
    {errno.ETIMEDOUT, errno.ENODEV, errno.EBUSY, errno.EACCES, errno.EPERM, errno.ENOTSUP}
)
"""After these, further requests to the device would only take more time."""


def read_facts(
    device: Device, bus: str, place: PortPath, problem: str | None = None
) -> DeviceFacts:
    """Read the facts of a device; never raises for what the device does.

    Args:
        device: As found by pyusb.
        bus: The bus as given to ``--bus``.
        place: Where the device is.
        problem: Why it cannot be opened; then nothing is asked of it.
    """
    reader = _Reader(device, problem)
    return DeviceFacts(
        bus=bus,
        port_path=str(place),
        vendor_id=device.idVendor,
        product_id=device.idProduct,
        manufacturer=reader.string(device.iManufacturer, "manufacturer"),
        product=reader.string(device.iProduct, "product name"),
        serial=reader.string(device.iSerialNumber, "serial number"),
        interfaces=reader.interfaces(),
        problem=reader.problem,
        address=device.address or 0,
    )


def read_serial(device: Device) -> str | None:
    """Ask the device for its serial number, as ``read_facts`` does.

    Raises:
        USBError: It does not give it.
        ValueError: What it gives is no text.
    """
    reader = _Reader(device, None)
    serial = reader.string(device.iSerialNumber, "serial number")
    if reader.failure is not None:
        raise reader.failure
    return serial


class _Reader:
    """Reads one device; ``problem`` is the first thing that went wrong, ``failure`` the last."""

    def __init__(self, device: Device, problem: str | None) -> None:
        self._device = device
        self._silent = problem is not None
        self._language: int | None = None
        self._strings: dict[int, str | None] = {}
        self._deadline = time.monotonic() + _BUDGET
        self.problem = problem
        self.failure: Exception | None = None

    def string(self, index: int, what: str) -> str | None:
        """Return a string descriptor's text, or None; 0 is the index of none."""
        if index == 0 or self._silent:
            return None
        if index not in self._strings:
            if time.monotonic() > self._deadline:
                self._silent = True
                self._note("it answers too slowly")
                return None
            self._strings[index] = self._read_string(index, what)
        return self._strings[index]

    def interfaces(self) -> tuple[InterfaceFacts, ...]:
        """Return all alternate settings of the active configuration."""
        try:
            settings = list(self._settings())
        except FAILURES as failure:
            self._note(f"its interfaces cannot be read: {in_words(failure)}")
            return ()
        facts = tuple(_interface(setting) for setting in settings[:MAX_INTERFACES])
        names = (self.string(s.iInterface, "name of an interface") for s in settings)
        return tuple(replace(fact, name=name) for fact, name in zip(facts, names, strict=False))

    def _settings(self) -> Iterator[Interface]:
        # Nearly all devices have one configuration, and then it need not be asked for, which
        # also works for a device that may not be opened.
        if self._device.bNumConfigurations > 1 and not self._silent:
            yield from self._device.get_active_configuration()
        else:
            yield from self._device[0]

    def _read_string(self, index: int, what: str) -> str | None:
        try:
            if self._language is None:
                self._language = self._read_language()
            return _text(self._descriptor(index, self._language))
        except FAILURES as failure:
            self.failure = failure
            number = getattr(failure, "errno", None)
            self._silent = number in _HOPELESS
            why = in_words(failure)
            self._note(why if self._silent else f"its {what} cannot be read: {why}")
            return None

    def _read_language(self) -> int:
        """Return the first language; English where the list makes no sense, as Linux does."""
        raw = self._descriptor(0, 0)
        if len(raw) < 4 or raw[1] != _STRING:
            return _ENGLISH
        (language,) = struct.unpack_from("<H", raw, 2)
        return int(language)

    def _descriptor(self, index: int, language: int) -> bytes:
        value = _STRING << 8 | index
        raw = self._device.ctrl_transfer(0x80, 6, value, language, _STRING_SIZE, _TIMEOUT_MS)
        return bytes(raw)

    def _note(self, problem: str) -> None:
        self.problem = self.problem or problem


def _interface(setting: Interface) -> InterfaceFacts:
    return InterfaceFacts(
        number=setting.bInterfaceNumber,
        alternate=setting.bAlternateSetting,
        cls=setting.bInterfaceClass,
        subclass=setting.bInterfaceSubClass,
        protocol=setting.bInterfaceProtocol,
    )


def _text(raw: bytes) -> str | None:
    """Return the text of a string descriptor (USB 2.0, 9.6.7), fit to be shown, or None if empty.

    Raises:
        ValueError: It is no string descriptor, or no UTF-16.
    """
    if len(raw) < 2 or raw[1] != _STRING or raw[0] < 2:
        raise ValueError("it is no string descriptor")
    try:
        text = raw[2 : raw[0] & ~1].decode("utf-16-le")
    except UnicodeDecodeError as failure:
        raise ValueError("it is not text") from failure
    return shown(text)
