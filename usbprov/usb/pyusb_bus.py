"""A bus that a pyusb backend reaches: libusb's, or one of ours."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

from usbprov.errors import BusUnavailable, NoSuchLink, PhoneGone
from usbprov.usb.bulk import BulkLink
from usbprov.usb.description import GetDescriptor, getter
from usbprov.usb.devices import AttachedDevice, DeviceFacts, InterfaceFacts, LinkKind, SerialPort
from usbprov.usb.facts import read_facts, read_serial
from usbprov.usb.failures import FAILURES, in_words, opening_error
from usbprov.usb.link import Link
from usbprov.usb.portpath import PortPath
from usbprov.usb.pyusb import Backend, Device, Identification, Listed, USBError, device_of, dispose
from usbprov.usb.urb_backend import UrbBackend

logger = logging.getLogger(__name__)

T = TypeVar("T")

_HUB_CLASS = 9
_READERS = 128
"""Devices read at the same time, as many as a bus can have: none waits for another's silence."""


def _hold_nothing(_identification: Identification) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Sighting:
    """A device as the bus lists it: two of them are equal only while the device stays.

    Attributes:
        place: Where it is.
        address: Its address on the bus.
        vendor_id: idVendor.
        product_id: idProduct.
        release: bcdDevice.
    """

    place: PortPath
    address: int
    vendor_id: int
    product_id: int
    release: int

    @classmethod
    def of(cls, listed: Listed) -> "Sighting | None":
        """Make one of what the bus tells; None of a hub, and of what has no port."""
        place = PortPath.of(listed.bus, listed.port_numbers)
        if place is None or listed.bDeviceClass == _HUB_CLASS:
            return None
        ids = (listed.idVendor, listed.idProduct, listed.bcdDevice)
        return cls(place, listed.address or 0, *ids)


@dataclass(frozen=True)
class PyusbDevice:
    """An ``AttachedDevice`` on such a bus."""

    facts: DeviceFacts
    sighting: Sighting = field(repr=False)
    _identification: Identification = field(repr=False)
    _backend: Backend = field(repr=False)

    def open_bulk(self, interface: InterfaceFacts) -> BulkLink:
        """Claim a vendor interface with one bulk pair; see ``AttachedDevice``.

        Raises:
            PhoneGone: Another device is at the port now, though it has the same address.
        """
        device = device_of(self._identification, self._backend)
        self._require_same(device)
        return BulkLink.open(device, interface, self.facts.name)

    def open_serial(self, port: SerialPort) -> Link:
        """Refuse: this bus has no serial ports; see ``AttachedDevice``."""
        raise NoSuchLink(self.facts.name, LinkKind.SERIAL)

    @contextmanager
    def asking(self) -> Iterator[GetDescriptor]:
        """Open the device for GET_DESCRIPTOR only; see ``description.Askable``."""
        device = device_of(self._identification, self._backend)
        self._require_same(device)
        try:
            yield getter(device)
        finally:
            dispose(device)

    def _require_same(self, device: Device) -> None:
        """Ask for the serial number again: addresses are used again, and so are identifications."""
        if self.facts.serial is None:
            return
        try:
            same = read_serial(device) == self.facts.serial
        except FAILURES as failure:
            dispose(device)
            raise opening_error(failure, self.facts.name) from failure
        if not same:
            dispose(device)
            raise PhoneGone(self.facts.name)


class PyusbBus:
    """A ``Bus`` over a pyusb backend.

    Args:
        uri: The bus as given to ``--bus``.
        backend: The way to it.
    """

    def __init__(self, uri: str, backend: Backend) -> None:
        self._uri = uri
        self._backend = backend
        self._look: Callable[[Identification], Listed] = backend.get_device_descriptor
        self._hold: Callable[[Identification], AbstractContextManager[None]] = _hold_nothing
        self._listing: Callable[[], object] = lambda: None
        self._listed: Callable[[object], Iterable[Identification]] = lambda _: (
            backend.enumerate_devices()
        )
        self._last: tuple[object, Sequence[PyusbDevice]] = (None, ())
        if isinstance(backend, UrbBackend):
            # It opens a device to give its descriptor, and opening one is dear.
            self._look, self._hold = backend.look, backend.hold
            self._listing, self._listed = backend.listing, backend.listed

    @property
    def uri(self) -> str:
        """The bus as given to ``--bus``."""
        return self._uri

    def devices(self, known: Sequence[AttachedDevice] = ()) -> Sequence[PyusbDevice]:
        """Search the bus, hubs left out, and return what is there by port path; see ``Bus``."""
        listing = self._asked(self._listing)
        listed, last = self._last
        if known is last and listing is not None and listing == listed:
            return last  # most looks end here
        before = {device.sighting: device for device in known if isinstance(device, PyusbDevice)}
        found = list(self._sightings(listing))
        new = [entry for entry in found if entry[0] not in before]
        there = [before[sighting] for sighting, _ in found if sighting in before]
        if new:
            with ThreadPoolExecutor(min(_READERS, len(new)), "usb-list") as pool:
                there += [device for device in pool.map(self._read, new) if device is not None]
        there.sort(key=lambda device: device.sighting.place)
        is_whole = len(there) == len(found)  # otherwise one is to be tried again
        self._last = (listing if is_whole else None, tuple(there))
        return self._last[1]

    def device_at(self, port_path: str) -> PyusbDevice | None:
        """Look at one port only; see ``Bus``."""
        found = self._sightings(self._asked(self._listing))
        there = (entry for entry in found if str(entry[0].place) == port_path)
        entry = next(there, None)
        return None if entry is None else self._read(entry)

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except USBError as failure:
            raise BusUnavailable(self._uri, str(failure.strerror or failure)) from failure

    def _sightings(self, listing: object) -> Iterator[tuple[Sighting, Identification]]:
        for identification in self._asked(lambda: list(self._listed(listing))):
            try:
                sighting = Sighting.of(self._look(identification))
            except FAILURES as failure:
                logger.debug("%s: a device cannot be listed: %s", self._uri, failure)
                continue
            if sighting is not None:
                yield sighting, identification

    def _read(self, entry: tuple[Sighting, Identification]) -> PyusbDevice | None:
        sighting, identification = entry
        try:
            with self._hold(identification):
                return self._device(sighting, identification, None)
        except FAILURES as failure:
            problem = in_words(failure)
        try:
            return self._device(sighting, identification, problem)
        except FAILURES as failure:
            logger.debug("%s: a device cannot be listed: %s", self._uri, failure)
            return None

    def _device(
        self, sighting: Sighting, identification: Identification, problem: str | None
    ) -> PyusbDevice | None:
        device = device_of(identification, self._backend)
        if device.bDeviceClass == _HUB_CLASS:
            return None
        try:
            facts = read_facts(device, self._uri, sighting.place, problem)
        finally:
            dispose(device)
        return PyusbDevice(facts, sighting, identification, self._backend)
