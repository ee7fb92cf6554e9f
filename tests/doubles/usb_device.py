"""An in-process host for emulated USB devices, and functions to put behind their interfaces."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from usbprov.emulation.cdc import CdcAcmInterface
from usbprov.emulation.descriptors import DeviceIdentity
from usbprov.emulation.device import UsbDevice
from usbprov.emulation.function import Send
from usbprov.emulation.urb import Completion, Urb
from usbprov.emulation.vendor import VendorBulkInterface
from usbprov.usbip import SetupPacket, TransferFlag

DEADLINE = 5.0


class Recorder:
    """A function that writes down what happens to it, and answers if it is given an answer."""

    def __init__(self, answer: Callable[[bytes], bytes | None] = lambda data: None) -> None:
        self.events: list[str] = []
        self.received: list[bytes] = []
        self.answer = answer
        self.send: Send = lambda data: None
        self._changed = threading.Condition()

    def connect(self, send: Send) -> None:
        self.send = send
        self._note("connect")

    def receive(self, data: bytes) -> None:
        with self._changed:
            self.received.append(data)
        self._note("receive")
        reply = self.answer(data)
        if reply is not None:
            self.send(reply)

    def reset(self) -> None:
        self._note("reset")

    def _note(self, event: str) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, DEADLINE)


def echo() -> Recorder:
    return Recorder(lambda data: data)


def phone_like(
    function: Recorder, *, serial: str = "EMU0001", console: Recorder | None = None
) -> UsbDevice:
    """A vendor interface, and with a console also a CDC-ACM one behind it."""
    interfaces: list[VendorBulkInterface | CdcAcmInterface] = [
        VendorBulkInterface(function, name="test vendor", subclass=0x50, protocol=0x01)
    ]
    if console is not None:
        interfaces.append(CdcAcmInterface(console, name="test console"))
    return UsbDevice(DeviceIdentity(0x1209, 0x0001, "usbprov", "EP-100", serial), interfaces)


@dataclass
class Request:
    """A transfer under way, and what came of it."""

    urb: Urb
    completions: list[Completion] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float = DEADLINE) -> Completion:
        assert self.done.wait(seconds), "the transfer was not answered"
        return self.completions[0]


class Host:
    """A host that has one device."""

    def __init__(self, device: UsbDevice, *, configure: bool = True) -> None:
        self.device = device
        if configure:
            assert self.control(0x00, 9, 1).status == 0

    def start(
        self,
        endpoint: int,
        data: bytes = b"",
        length: int = 0,
        setup: SetupPacket | None = None,
        flags: int = TransferFlag.NONE,
    ) -> Request:
        def complete(completion: Completion) -> None:
            request.completions.append(completion)
            request.done.set()

        request = Request(Urb(endpoint, complete, length, data, setup, flags))
        self.device.submit(request.urb)
        return request

    def control(
        self, kind: int, code: int, value: int = 0, index: int = 0, data: bytes = b"", room: int = 0
    ) -> Completion:
        setup = SetupPacket(kind, code, value, index, room if kind & 0x80 else len(data))
        return self.start(0, data, room, setup).wait()

    def get(self, kind: int, code: int, value: int = 0, index: int = 0, room: int = 4096) -> bytes:
        completion = self.control(kind, code, value, index, room=room)
        assert completion.status == 0
        return completion.data

    def descriptor(self, kind: int, index: int = 0, room: int = 4096) -> bytes:
        return self.get(0x80, 6, kind << 8 | index, room=room)

    def write(self, data: bytes, endpoint: int = 0x01, *, ended: bool = True) -> Completion:
        flags = TransferFlag.ZERO_PACKET if ended else TransferFlag.NONE
        return self.start(endpoint, data, len(data), flags=flags).wait()

    def read(self, room: int = 16384, endpoint: int = 0x81) -> Completion:
        return self.start(endpoint, length=room).wait()

    def clear_halt(self, endpoint: int) -> None:
        assert self.control(0x02, 1, 0, endpoint).status == 0
