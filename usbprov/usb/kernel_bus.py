"""The operating system's own USB, through libusb."""

import ctypes.util
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import libusb_package
import usb.backend.libusb1

from usbprov.errors import BusUnavailable
from usbprov.usb.devices import Bus
from usbprov.usb.linux_bus import Host, LinuxBus
from usbprov.usb.portable_bus import PortableBus
from usbprov.usb.pyusb import Backend
from usbprov.usb.pyusb_bus import PyusbBus
from usbprov.usb.sysfs import has_usb

logger = logging.getLogger(__name__)

_Finder = Callable[[str], str | None]

_NAMES = ("usb-1.0", "libusb-1.0")
"""What pyusb's backend looks for, but for "usb", which is libusb 0.1."""


def open_kernel_bus(uri: str) -> Bus:
    """Return the bus of the devices that the operating system knows.

    Raises:
        BusUnavailable: There is no libusb that can be used.
    """
    backend = _libusb(uri)
    if has_usb():
        return LinuxBus(uri, Host(backend))
    return PortableBus(PyusbBus(uri, backend))


def _libusb(uri: str) -> Backend:
    for name, library in libraries():
        backend = usb.backend.libusb1.get_backend(partial(_as_found, library))  # type: ignore[no-untyped-call]
        if backend is not None:
            logger.debug("libusb of %s", name)
            return cast("Backend", backend)
    raise BusUnavailable(uri, "this system has no usable libusb 1.0")


def libraries() -> Iterator[tuple[str, str]]:
    """Yield where a libusb was found, and its file: the system's first, it suits it best."""
    finders: tuple[tuple[str, _Finder], ...] = (
        ("the system", ctypes.util.find_library),
        ("the package libusb-package", libusb_package.find_library),
    )
    for name, finder in finders:
        found = next(filter(None, map(finder, _NAMES)), None)
        if found is not None:
            yield name, found


def _as_found(library: str, _candidate: str) -> str:
    return library
