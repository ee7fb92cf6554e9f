"""All descriptors of a device, raw, to be shown or kept: standard requests only, no payload.

They are asked of the device where it can be opened; where it cannot, Linux has kept the device
descriptor and the configurations in sysfs. Nothing is set, claimed or written, and the vendor
request for the MS OS 2.0 descriptor set is not made: the BOS says whether there is one.
"""

import errno
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol, runtime_checkable

from usbprov.errors import UsbError
from usbprov.usb.descriptors import MAX_CONFIGURATIONS
from usbprov.usb.device_text import shown
from usbprov.usb.devices import AttachedDevice
from usbprov.usb.failures import FAILURES, in_words
from usbprov.usb.pyusb import Device, USBTimeoutError
from usbprov.usb.sysfs import SYSFS, SysfsDevice, read_device

DEVICE, CONFIGURATION, STRING, QUALIFIER, BOS = 1, 2, 3, 6, 15
"""bDescriptorType (USB 2.0, table 9-5; USB 3.2, table 9-6)."""

MS_OS_STRING = 0xEE
"""Index of the string by which a device offers MS OS 1.0 descriptors."""

_BOS_SINCE = 0x0201
"""bcdUSB from which on a device may be asked for its BOS."""

_HIGH_SPEED_SINCE = 0x0200
_STRING_INDICES: Mapping[int, int] = {CONFIGURATION: 6, 4: 8, 11: 7}
"""Offset of the string's index in configurations, interfaces and interface associations."""

_GET_DESCRIPTOR = 6
_TIMEOUT_MS = 1000
_MOST_STRINGS = 64
_SHORT, _LONGEST = 255, 4096
_BUDGET = 10.0
"""Seconds for a device that answers everything late."""

_HOPELESS = frozenset({errno.ETIMEDOUT, errno.ENODEV, errno.EACCES, errno.EPERM, errno.EBUSY})

GetDescriptor = Callable[[int, int, int, int], bytes]
"""Asks for a descriptor: type, index, language, length; raises what ``FAILURES`` lists."""


@runtime_checkable
class Askable(Protocol):
    """A device of which descriptors can be asked."""

    def asking(self) -> AbstractContextManager[GetDescriptor]:
        """Open the device for GET_DESCRIPTOR; no interface is claimed.

        Raises:
            UsbError: It cannot be opened.
        """
        ...


class Source(Enum):
    """Where the descriptors are from."""

    DEVICE = "device"
    SYSFS = "sysfs"
    NONE = "none"


@dataclass(frozen=True)
class Description:
    """The descriptors of a device, as bytes; empty where there are none or they were not given.

    Attributes:
        source: Where they are from.
        device: The device descriptor.
        configurations: All configurations, each with all that belongs to it.
        qualifier: What would be different at the other speed (USB 2.0, 9.6.2).
        bos: The binary device object store, by which MS OS 2.0 descriptors are announced.
        ms_os_string: The string 0xEE, whole.
        languages: Language ids of the strings.
        strings: The strings that the descriptors name, by index, in the first language.
        unread: What could not be read, and why, in words.
    """

    source: Source
    device: bytes = b""
    configurations: tuple[bytes, ...] = ()
    qualifier: bytes = b""
    bos: bytes = b""
    ms_os_string: bytes = b""
    languages: tuple[int, ...] = ()
    strings: Mapping[int, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


def getter(device: Device) -> GetDescriptor:
    """Return what asks pyusb's device for descriptors."""

    def get(kind: int, index: int, language: int, length: int) -> bytes:
        value = kind << 8 | index
        raw = device.ctrl_transfer(0x80, _GET_DESCRIPTOR, value, language, length, _TIMEOUT_MS)
        return bytes(raw)

    return get


def describe_device(device: AttachedDevice, known: SysfsDevice | None = None) -> Description:
    """Return all descriptors that are to be had; never raises for what the device does.

    Args:
        device: The device; it is opened for a moment, if this user may.
        known: What sysfs says of it, for when it cannot be opened.
    """
    problem = "it cannot be asked on this bus"
    if isinstance(device, Askable):
        try:
            with device.asking() as get:
                asked = read_descriptors(get)
        except UsbError as error:
            problem = str(error)
        else:
            if asked.device:
                return asked
            problem = "; ".join(asked.unread)
    if known is not None and known.descriptors:
        return from_sysfs(known, problem)
    return Description(Source.NONE, unread=(problem,))


def read_descriptors(get: GetDescriptor) -> Description:
    """Ask a device for all its descriptors."""
    ask = _Asker(get)
    device = ask(DEVICE, 0, "device descriptor", 18)
    release, count = _release(device), device[17] if len(device) >= 18 else 0
    configurations = tuple(filter(None, map(ask.configuration, range(min(count, 8)))))
    qualifier = b""
    if release >= _HIGH_SPEED_SINCE and not ask.hopeless:
        qualifier = ask(QUALIFIER, 0, "device qualifier", 10)
    bos = ask.whole(BOS, 0, "BOS") if release >= _BOS_SINCE else b""
    languages = _languages(ask(STRING, 0, "list of languages"))
    strings = ask.strings(_named(device, configurations), languages)
    return Description(
        Source.DEVICE,
        device,
        configurations,
        qualifier,
        bos,
        ask(STRING, MS_OS_STRING, "MS OS string", 18) if strings else b"",
        languages,
        strings,
        tuple(ask.unread),
    )


def from_sysfs(known: SysfsDevice, problem: str) -> Description:
    """Return what Linux keeps of a device's descriptors; ``problem`` is why it was not asked."""
    device, rest = known.descriptors[:18], known.descriptors[18:]
    configurations = tuple(_configurations(rest))
    strings: dict[int, str] = {}
    if len(device) == 18:
        texts = (known.manufacturer, known.product, known.serial)
        strings |= {i: t for i, t in zip(device[14:17], texts, strict=True) if i and t}
    names = {interface.number: interface.name for interface in known.interfaces}
    for record in (r for c in configurations for r in records(c) if r[1] == 4 and len(r) >= 9):
        if record[8] and (name := names.get(record[2])):
            strings.setdefault(record[8], name)
    strings = dict(sorted(strings.items()))
    return Description(Source.SYSFS, device, configurations, strings=strings, unread=(problem,))


def chain_of(port_path: str, root: Path = SYSFS) -> tuple[SysfsDevice, ...]:
    """Return the device at a port and the hubs above it, the root hub first; () for nothing."""
    chain: list[SysfsDevice] = []
    while port_path and (device := read_device(port_path, root)) is not None:
        chain.insert(0, device)
        port_path = device.parent
    return tuple(chain)


def records(raw: bytes) -> Iterator[bytes]:
    """Yield the descriptors that stand one after the other, up to the first that cannot be one."""
    at = 0
    while at + 2 <= len(raw) and raw[at] >= 2 and at + raw[at] <= len(raw):
        yield raw[at : at + raw[at]]
        at += raw[at]


class _Asker:
    """Asks one device; notes what it does not give, and gives it up when that is hopeless."""

    def __init__(self, get: GetDescriptor) -> None:
        self._get = get
        self._deadline = time.monotonic() + _BUDGET
        self.unread: list[str] = []
        self.hopeless = False

    def __call__(
        self, kind: int, index: int, what: str, length: int = _SHORT, language: int = 0
    ) -> bytes:
        if self.hopeless:
            return b""
        if time.monotonic() > self._deadline:
            return self._give_up(f"{what}: it answers too slowly")
        try:
            raw = self._get(kind, index, language, length)
        except FAILURES as failure:
            return self._failed(failure, what)
        if len(raw) < 2 or raw[1] != kind:
            self.unread.append(f"{what}: what came is none")
            return b""
        return raw

    def whole(self, kind: int, index: int, what: str) -> bytes:
        """Return a descriptor that says its total length at offset 2, with all that follows it."""
        head = self(kind, index, what, 9)
        if len(head) < 5:
            return b""
        total = struct.unpack_from("<H", head, 2)[0]
        return self(kind, index, what, min(max(total, len(head)), _LONGEST))

    def configuration(self, index: int) -> bytes:
        """Return a configuration by its index."""
        return self.whole(CONFIGURATION, index, f"configuration {index}")

    def strings(self, indices: tuple[int, ...], languages: tuple[int, ...]) -> dict[int, str]:
        """Return the text of the strings, in the first of the languages."""
        language = languages[0] if languages else 0x0409
        raw = {i: self(STRING, i, f"string {i}", language=language) for i in indices}
        texts = {index: _text(found) for index, found in raw.items() if found}
        return {index: text for index, text in texts.items() if text}

    def _failed(self, failure: Exception, what: str) -> bytes:
        words = f"{what}: {in_words(failure)}"
        number = getattr(failure, "errno", None)
        if number in _HOPELESS or isinstance(failure, USBTimeoutError):
            return self._give_up(words)
        self.unread.append(words)
        return b""

    def _give_up(self, words: str) -> bytes:
        self.unread.append(words)
        self.hopeless = True
        return b""


def _release(device: bytes) -> int:
    return int(struct.unpack_from("<H", device, 2)[0]) if len(device) >= 4 else 0


def _configurations(raw: bytes) -> Iterator[bytes]:
    """Divide what sysfs has after the device descriptor; a configuration says its own length."""
    found = 0
    while len(raw) >= 9 and raw[1] == CONFIGURATION and found < MAX_CONFIGURATIONS:
        total = max(struct.unpack_from("<H", raw, 2)[0], 9)
        yield raw[:total]
        raw, found = raw[total:], found + 1


def _languages(raw: bytes) -> tuple[int, ...]:
    if len(raw) < 4:
        return ()
    body = raw[2 : min(raw[0], len(raw)) & ~1]
    return struct.unpack(f"<{len(body) // 2}H", body)


def _named(device: bytes, configurations: tuple[bytes, ...]) -> tuple[int, ...]:
    """Return the indices of the strings that the descriptors name, each once."""
    indices = list(device[14:17])
    for configuration in configurations:
        for record in records(configuration):
            at = _STRING_INDICES.get(record[1])
            if at is not None and at < len(record):
                indices.append(record[at])
    return tuple(sorted({index for index in indices if index}))[:_MOST_STRINGS]


def _text(raw: bytes) -> str | None:
    return shown(raw[2 : min(raw[0], len(raw)) & ~1].decode("utf-16-le", "replace"))
