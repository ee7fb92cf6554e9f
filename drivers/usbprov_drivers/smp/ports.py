"""The emulated phone's two cables: raw messages on vendor bulk, console framing on a serial line.

Both lead to the same firmware. Requests are carried out in a thread that exists only while there
is something to do, so that ``receive`` never blocks (``usbprov.emulation.contract.Function``).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable

from usbprov.emulation.function import Send
from usbprov_drivers.smp.console import ConsoleDecoder, encode_console
from usbprov_drivers.smp.firmware import Firmware
from usbprov_drivers.smp.wire import Decoder, MalformedMessage, Message

_IDLE = 0.2
"""Seconds that the thread waits for more before it ends."""


class _Requests:
    """A queue of requests of one connection, worked off in order by a passing thread."""

    def __init__(self, work: Callable[[Message, threading.Event], None], name: str) -> None:
        self._work = work
        self._name = name
        self._due: deque[Message] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self._cancelled = threading.Event()

    def add(self, request: Message) -> None:
        with self._changed:
            self._due.append(request)
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
                self._work(*taken)
        except BaseException:
            with self._changed:
                self._busy = False  # the next request gets a new thread
            raise

    def _next(self) -> tuple[Message, threading.Event] | None:
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
        self._requests = _Requests(self._work, f"{firmware.model.serial}-bulk")
        self._send: Send | None = None

    def connect(self, send: Send) -> None:
        """Take the way to the host."""
        self._send = send

    def receive(self, data: bytes) -> None:
        """Take one transfer; an impossible header makes the rest of it meaningless."""
        try:
            for request in self._decoder.feed(data):
                self._requests.add(request)
        except MalformedMessage:
            self._decoder.reset()

    def reset(self) -> None:
        """Forget incomplete and unanswered requests; jobs go on."""
        self._decoder.reset()
        self._requests.clear()

    def _work(self, request: Message, cancelled: threading.Event) -> None:
        _answer(self._firmware, request, cancelled, self._deliver)

    def _deliver(self, response: Message) -> None:
        if self._send is not None:
            self._send(response.encode())


class ConsolePort:
    """A serial console: messages in console framing, among log text (PROTOCOL.md 6.3)."""

    def __init__(self, firmware: Firmware) -> None:
        """Lead to ``firmware``."""
        self._firmware = firmware
        self._decoder = ConsoleDecoder(firmware.model.buffer)
        self._requests = _Requests(self._work, f"{firmware.model.serial}-console")
        self._send: Send | None = None

    def connect(self, send: Send) -> None:
        """Take the way to the host, and say what a phone says when it has booted."""
        self._send = send
        send(b"".join(self._chatter()))

    def receive(self, data: bytes) -> None:
        """Take bytes as they come."""
        for request in self._decoder.feed(data):
            self._requests.add(request)

    def reset(self) -> None:
        """Forget incomplete and unanswered requests; jobs go on."""
        self._decoder.reset()
        self._requests.clear()

    def _work(self, request: Message, cancelled: threading.Event) -> None:
        _answer(self._firmware, request, cancelled, self._deliver)

    def _deliver(self, response: Message) -> None:
        if self._send is not None:
            self._send(encode_console(response.encode()))

    def _chatter(self) -> Iterable[bytes]:
        model = self._firmware.model
        yield b"\r\n*** Booting %b %b ***\r\n" % (model.name.encode(), model.firmware.encode())
        yield b"[00:00:00.412] <inf> storage: state is intact\r\n"
        yield b"[00:00:01.036] <inf> smp: ready\r\n"


def _answer(
    firmware: Firmware,
    request: Message,
    cancelled: threading.Event,
    deliver: Callable[[Message], None],
) -> None:
    """Carry out a request and answer it, unless the host has given it up meanwhile."""
    if cancelled.wait(firmware.model.latency) if firmware.model.latency else cancelled.is_set():
        return
    response = firmware.handle(request)
    if not cancelled.is_set():
        deliver(response)
    firmware.answered()
