"""The operating system's own USB, through libusb."""

import ctypes.util
import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import libusb_package
import usb.backend.libusb1

from usbprov.errors import BusUnavailable
from usbprov.usb.pyusb import Backend
from usbprov.usb.pyusb_bus import PyusbBus

logger = logging.getLogger(__name__)

_Finder = Callable[[str], str | None]

_NAMES = ("usb-1.0", "libusb-1.0")
"""What pyusb's backend looks for, but for "usb", which is libusb 0.1."""


def open_kernel_bus(uri: str) -> PyusbBus:
    """Return the bus of the devices that the operating system knows.

    Raises:
        BusUnavailable: There is no libusb that can be used.
    """
    for name, finder in _finders():
        backend = usb.backend.libusb1.get_backend(finder)  # type: ignore[no-untyped-call]
        if backend is not None:
            logger.debug("libusb of %s", name)
            return PyusbBus(uri, cast("Backend", backend))
    raise BusUnavailable(uri, "this system has no usable libusb 1.0")


def _finders() -> Iterator[tuple[str, _Finder]]:
    """Yield where a libusb was found: that of the system first, it suits the system best."""
    finders: tuple[tuple[str, _Finder], ...] = (
        ("the system", ctypes.util.find_library),
        ("the package libusb-package", libusb_package.find_library),
    )
    for name, finder in finders:
        found = next(filter(None, map(finder, _NAMES)), None)
        if found is not None:
            yield name, partial(_as_found, found)


def _as_found(library: str, _candidate: str) -> str:
    return library
