"""A bus that a pyusb backend reaches: libusb's, or one of ours."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from usbprov.errors import BusUnavailable
from usbprov.usb.bulk import BulkLink
from usbprov.usb.devices import DeviceFacts, InterfaceFacts
from usbprov.usb.facts import read_facts
from usbprov.usb.failures import FAILURES, in_words
from usbprov.usb.portpath import PortPath
from usbprov.usb.pyusb import Backend, Identification, USBError, device_of, dispose

logger = logging.getLogger(__name__)

_HUB_CLASS = 9
_READERS = 16
"""Devices read at the same time, so that a few that do not answer cost no more than one."""

Hold = Callable[[Identification], AbstractContextManager[None]]
"""Keeps a device open meanwhile; raises what pyusb raises when it cannot be opened."""


def _hold_nothing(_identification: Identification) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class PyusbDevice:
    """An ``AttachedDevice`` on such a bus."""

    facts: DeviceFacts
    _identification: Identification = field(repr=False)
    _backend: Backend = field(repr=False)

    def open_bulk(self, interface: InterfaceFacts) -> BulkLink:
        """Claim a vendor interface with one bulk pair; see ``AttachedDevice``."""
        device = device_of(self._identification, self._backend)
        return BulkLink.open(device, interface, self.facts.name)


class PyusbBus:
    """A ``Bus`` over a pyusb backend.

    Args:
        uri: The bus as given to ``--bus``.
        backend: The way to it.
        hold: Of a backend to which opening a device is dear.
    """

    def __init__(self, uri: str, backend: Backend, hold: Hold = _hold_nothing) -> None:
        self._uri = uri
        self._backend = backend
        self._hold = hold

    @property
    def uri(self) -> str:
        """The bus as given to ``--bus``."""
        return self._uri

    def devices(self) -> Sequence[PyusbDevice]:
        """Search the bus, hubs left out, and return what is there by port path; see ``Bus``."""
        try:
            found = list(self._backend.enumerate_devices())
        except USBError as failure:
            raise BusUnavailable(self._uri, str(failure.strerror or failure)) from failure
        if not found:
            return ()
        with ThreadPoolExecutor(min(_READERS, len(found)), "usb-list") as pool:
            read = [entry for entry in pool.map(self._read, found) if entry is not None]
        return tuple(device for _, device in sorted(read, key=lambda entry: entry[0]))

    def _read(self, identification: Identification) -> tuple[PortPath, PyusbDevice] | None:
        try:
            with self._hold(identification):
                return self._facts(identification, None)
        except FAILURES as failure:
            problem = in_words(failure)
        try:
            return self._facts(identification, problem)
        except FAILURES as failure:
            logger.debug("%s: a device cannot be listed: %s", self._uri, failure)
            return None

    def _facts(
        self, identification: Identification, problem: str | None
    ) -> tuple[PortPath, PyusbDevice] | None:
        device = device_of(identification, self._backend)
        place = PortPath.of(device.bus, device.port_numbers)
        if place is None or device.bDeviceClass == _HUB_CLASS:
            return None
        try:
            facts = read_facts(device, self._uri, place, problem)
        finally:
            dispose(device)
        return place, PyusbDevice(facts, identification, self._backend)
