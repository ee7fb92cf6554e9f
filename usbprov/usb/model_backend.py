"""A pyusb backend over device models in this process: for tests, without sockets."""

import errno
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from usbprov.emulation.berths import Berth, bus_number
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.urb import Completion as UrbCompletion
from usbprov.emulation.urb import Urb
from usbprov.usb.attachment import Attachment
from usbprov.usb.snapshot import listed_snapshot
from usbprov.usb.transfers import TIMED_OUT, Completion, Session, Transfer, usb_error
from usbprov.usb.urb_backend import UrbBackend
from usbprov.usbip import TransferStatus

_ROOT_HUB_ADDRESS = 1
_LAST_ADDRESS = 1 << 16
"""Not 127: a bus of models may have more of them than a bus of devices."""

_Life = tuple[UsbDevice, int]
"""A model, and which of its times on the bus."""

_GONE = Completion(TransferStatus.NO_DEVICE)


class ModelBackend(UrbBackend):
    """Device models as a bus.

    Args:
        devices: The models by port path (``1-1.4.2``). The mapping may change meanwhile; a model
            that is unplugged is not listed.
    """

    def __init__(self, devices: Mapping[str, UsbDevice]) -> None:
        super().__init__()
        self._devices = devices
        self._addresses: dict[str, tuple[_Life, int]] = {}
        self._last = _ROOT_HUB_ADDRESS
        self._in_use: set[UsbDevice] = set()
        self._freed = threading.Condition()

    def enumerate_devices(self) -> Sequence[Attachment]:
        """Return the models that are plugged in."""
        return [
            self._attachment(place, device)
            for place, device in list(self._devices.items())
            if device.plugged
        ]

    def _attachment(self, place: str, device: UsbDevice) -> Attachment:
        life = (device, device.lives)
        berth = Berth(place, device, bus_number(place), self._address(place, life))
        return Attachment(listed_snapshot(berth.describe()), partial(self._open, place, life))

    def _address(self, place: str, life: _Life) -> int:
        """Return the address at a place: another one each time that something is plugged in."""
        with self._freed:
            known, address = self._addresses.get(place, (None, 0))
            if known != life:
                self._last = address = self._last % _LAST_ADDRESS + 1
                self._addresses[place] = (life, address)
            return address

    def _open(self, place: str, life: _Life, patience: float) -> Session:
        device = life[0]
        with self._freed:
            if not self._freed.wait_for(lambda: device not in self._in_use, patience):
                raise usb_error(errno.EBUSY)
            self._in_use.add(device)
        session = ModelSession(device, partial(self._free, device))
        if not device.plugged or (self._devices.get(place), device.lives) != life:
            session.close()
            raise usb_error(errno.ENODEV)
        return session

    def _free(self, device: UsbDevice) -> None:
        with self._freed:
            self._in_use.discard(device)
            self._freed.notify_all()


class ModelSession:
    """An open model; a ``Session``. Once the model was unplugged, the session is dead for good."""

    def __init__(self, device: UsbDevice, closed: Callable[[], None]) -> None:
        self._device = device
        self._closed = closed
        self._lock = threading.RLock()
        self._open = True
        self._alive = True
        self._forget = device.watch(self._plugged)

    def transfer(self, transfer: Transfer, timeout: float | None) -> Completion:
        """Do one transfer; see ``Session``."""
        if not self._alive:
            return _GONE
        ended: list[UrbCompletion] = []
        answered = threading.Event()

        def complete(completion: UrbCompletion) -> None:
            ended.append(completion)
            answered.set()

        urb = Urb(
            endpoint=0 if transfer.setup else transfer.endpoint,
            on_complete=complete,
            length=transfer.length if transfer.incoming else 0,
            data=transfer.data,
            setup=transfer.setup,
        )
        self._device.submit(urb)
        if not answered.wait(timeout) and self._device.cancel(urb):
            return Completion(TIMED_OUT)
        answered.wait()
        return self._completion(ended[0])

    def close(self) -> None:
        """Give the model back as an exporter does: reset, not configured."""
        with self._lock:
            if not self._open:
                return
            self._open = self._alive = False
        self._forget()
        self._device.bus_reset()
        self._closed()

    def _completion(self, completion: UrbCompletion) -> Completion:
        if not self._alive and completion.status:
            return _GONE
        return Completion(completion.status, completion.data, completion.actual)

    def _plugged(self, plugged: bool) -> None:
        self._alive = self._alive and plugged
