"""Cables, recorded: each opened link tells the tape what its family says of its messages."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from usbprov.errors import UsbError
from usbprov.phone.tap import Note, Tap, TappedDriver
from usbprov.tape.deck import Recorder, recorder
from usbprov.tape.events import Kind
from usbprov.tape.failures import error_document
from usbprov.usb.devices import AttachedDevice, DeviceFacts, InterfaceFacts, LinkKind, SerialPort
from usbprov.usb.link import Link

logger = logging.getLogger(__name__)


def taped(device: AttachedDevice, driver: object) -> AttachedDevice:
    """Return the device, recorded if somebody records here."""
    to = recorder()
    return device if to is None else RecordedDevice(device, driver, to)


class RecordedDevice:
    """An ``AttachedDevice`` whose cables are recorded."""

    def __init__(self, device: AttachedDevice, driver: object, to: Recorder) -> None:
        self._device = device
        self._driver = driver
        self._to = to

    @property
    def facts(self) -> DeviceFacts:
        """The device's."""
        return self._device.facts

    def open_bulk(self, interface: InterfaceFacts) -> Link:
        """Open the vendor interface; see ``AttachedDevice``."""
        return self._open(LinkKind.BULK, lambda: self._device.open_bulk(interface))

    def open_serial(self, port: SerialPort) -> Link:
        """Open the serial port; see ``AttachedDevice``."""
        return self._open(LinkKind.SERIAL, lambda: self._device.open_serial(port))

    def _open(self, kind: LinkKind, open_it: Callable[[], Link]) -> Link:
        opened = {"op": "open", "cable": kind.value}
        try:
            link = open_it()
        except UsbError as error:
            self._to.note(Kind.CABLE, opened | {"error": error_document(error)})
            raise
        driver = self._driver
        tap = driver.tap(kind) if isinstance(driver, TappedDriver) else None
        self._to.note(Kind.CABLE, opened | {"tapped": tap is not None})
        return RecordedLink(link, tap, self._to)


class RecordedLink:
    """A ``Link`` that is recorded. It tells what happens, and changes none of it."""

    def __init__(self, link: Link, tap: Tap | None, to: Recorder) -> None:
        self._link = link
        self._tap = tap
        self._to = to

    @property
    def name(self) -> str:
        """The phone's place."""
        return self._link.name

    def write(self, data: bytes, timeout: float) -> None:
        """Send; see ``Link``."""
        with self._failing("write"):
            try:
                self._link.write(data, timeout)
            finally:  # not before: now the phone is at work, and nobody waits for this
                self._note(Kind.SENT, self._tap.sent if self._tap else None, data)

    def read(self, timeout: float) -> bytes:
        """Receive; see ``Link``."""
        with self._failing("read"):
            data = self._link.read(timeout)
        self._note(Kind.RECEIVED, self._tap.received if self._tap else None, data)
        return data

    def resync(self) -> None:
        """Resynchronise; see ``Link``."""
        with self._failing("resync"):
            self._link.resync()
        if self._tap is not None:
            self._tap.resync()
        self._to.note(Kind.CABLE, {"op": "resync"})

    def close(self) -> None:
        """Give the phone back."""
        self._link.close()

    def _note(
        self, kind: Kind, describe: Callable[[bytes], Sequence[Note]] | None, data: bytes
    ) -> None:
        messages: Sequence[Note] = ()
        try:
            messages = describe(data) if describe else ()
        except Exception:  # a fault in the recording must not stop the job
            logger.exception("a message could not be recorded")
        if messages or describe is None or kind is Kind.SENT:
            self._to.note(kind, {"bytes": len(data), "messages": messages})

    @contextmanager
    def _failing(self, op: str) -> Iterator[None]:
        try:
            yield
        except UsbError as error:
            self._to.note(Kind.CABLE, {"op": op, "error": error_document(error)})
            raise
