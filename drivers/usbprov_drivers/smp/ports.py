"""The emulated phone's two cables: raw messages on vendor bulk, frames on a serial line.

Both lead to the same firmware. Requests are carried out in a thread that exists only while there
is something to do, so that ``receive`` never blocks (``usbprov.emulation.contract.Function``).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from time import monotonic

from usbprov.emulation.function import Send
from usbprov_drivers.smp.firmware import Firmware
from usbprov_drivers.smp.framing import LineCode, LineDecoder
from usbprov_drivers.smp.wire import Decoder, MalformedMessage, Message

_IDLE = 0.2
"""Seconds that the thread waits for more before it ends."""

_STALE = 1.0
"""Seconds of silence after which the rest of a frame is not waited for any longer (6.3)."""

Deliver = Callable[[Message], None]
"""Sends a response the way that its request came."""


@dataclass(frozen=True)
class _Due:
    """A request to be carried out, and where its response goes."""

    request: Message
    deliver: Deliver


class _Requests:
    """A queue of requests of one connection, worked off in order by a passing thread."""

    def __init__(self, firmware: Firmware, cable: str) -> None:
        self._firmware = firmware
        self._name = f"{firmware.model.serial}-{cable}"
        self._due: deque[_Due] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self._cancelled = threading.Event()

    def add(self, request: Message, deliver: Deliver) -> None:
        with self._changed:
            self._due.append(_Due(request, deliver))
            self._changed.notify()
            if not self._busy:
                self._busy = True
                threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def clear(self) -> None:
        """Forget what waits, and let what is being carried out go unanswered."""
        with self._changed:
            self._due.clear()
            self._cancelled.set()
            self._cancelled = threading.Event()

    def _run(self) -> None:
        try:
            while (taken := self._next()) is not None:
                _answer(self._firmware, *taken)
        except BaseException:
            with self._changed:
                self._busy = False  # the next request gets a new thread
            raise

    def _next(self) -> tuple[_Due, threading.Event] | None:
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._due), _IDLE):
                self._busy = False
                return None
            return self._due.popleft(), self._cancelled


class RawPort:
    """Vendor bulk: one message is one transfer (PROTOCOL.md 6.2)."""

    def __init__(self, firmware: Firmware) -> None:
        """Lead to ``firmware``."""
        self._firmware = firmware
        self._decoder = Decoder(firmware.model.buffer)
        self._requests = _Requests(firmware, "bulk")
        self._send: Send | None = None

    def connect(self, send: Send) -> None:
        """Take the way to the host."""
        self._send = send

    def receive(self, data: bytes) -> None:
        """Take one transfer; an impossible header makes the rest of it meaningless."""
        try:
            for request in self._decoder.feed(data):
                self._requests.add(request, self._deliver)
        except MalformedMessage:
            self._decoder.reset()

    def reset(self) -> None:
        """Forget incomplete and unanswered requests; jobs go on."""
        self._decoder.reset()
        self._requests.clear()

    def _deliver(self, response: Message) -> None:
        if self._send is not None:
            self._send(response.encode())


class ConsolePort:
    """A serial port: frames in either coding, among log text (PROTOCOL.md 6.3, 6.4).

    A response is coded as its request was.
    """

    def __init__(self, firmware: Firmware, clock: Callable[[], float] = monotonic) -> None:
        """Lead to ``firmware``; ``clock`` gives seconds, from anywhere on."""
        self._firmware = firmware
        self._clock = clock
        self._heard = clock()
        self._decoder = LineDecoder(firmware.model.room, cobs=firmware.model.cobs)
        self._requests = _Requests(firmware, "console")
        self._send: Send | None = None

    def connect(self, send: Send) -> None:
        """Take the way to the host, and say what a phone says when it has booted."""
        self._send = send
        send(b"".join(self._boot_messages()))

    def receive(self, data: bytes) -> None:
        """Take bytes as they come."""
        now = self._clock()
        if now - self._heard > _STALE:
            self._decoder.reset()
        self._heard = now
        for code, request in self._decoder.feed(data):
            self._requests.add(request, partial(self._deliver, code))

    def reset(self) -> None:
        """Forget incomplete and unanswered requests; jobs go on."""
        self._decoder.reset()
        self._requests.clear()

    def _deliver(self, code: LineCode, response: Message) -> None:
        if self._send is not None:
            frame = code.encode(response.encode())
            self._send(_amid_log(code, frame) if self._firmware.model.chatty else frame)

    def _boot_messages(self) -> Iterable[bytes]:
        model = self._firmware.model
        yield b"\r\n*** Booting %b %b ***\r\n" % (model.name.encode(), model.firmware.encode())
        yield b"[00:00:00.412] <inf> storage: state is intact\r\n"
        yield b"[00:00:01.036] <inf> smp: ready\r\n"


_LOG = b"[00:00:09.731] <dbg> smp: at work\r\n"
_PROMPT = b"uart:~$ "


def _amid_log(code: LineCode, frame: bytes) -> bytes:
    """Put log text before, behind and, where the coding allows it, between the lines of a frame."""
    pieces = frame.split(b"\n")[:-1] if code is LineCode.CONSOLE else [frame]
    end = b"\n" if code is LineCode.CONSOLE else b""
    return _LOG + b"".join(_PROMPT + piece + end + _LOG for piece in pieces)


def _answer(firmware: Firmware, due: _Due, cancelled: threading.Event) -> None:
    """Carry out a request and answer it, unless the host has given it up meanwhile."""
    pause = firmware.pause(due.request)
    if cancelled.wait(pause) if pause else cancelled.is_set():
        return
    response = firmware.handle(due.request)
    if not cancelled.is_set():
        due.deliver(response)
    firmware.answered()
