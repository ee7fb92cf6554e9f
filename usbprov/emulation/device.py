"""The USB device model: what the host asks on the control endpoint, and bulk transfers."""

import threading
from collections.abc import Callable, Sequence
from functools import partial

from usbprov.emulation.delays import Delays
from usbprov.emulation.descriptors import (
    MS_DESCRIPTOR_INDEX,
    MS_VENDOR_CODE,
    DescriptorSet,
    DeviceIdentity,
)
from usbprov.emulation.faults import Cut, Faults, Outcome
from usbprov.emulation.function import Send
from usbprov.emulation.interface import ControlReply, EmulatedInterface
from usbprov.emulation.lane import Lane
from usbprov.emulation.layout import lay_out
from usbprov.emulation.pipes import InPipe, OutPipe
from usbprov.emulation.ports import FunctionPort
from usbprov.emulation.standard import answer_standard
from usbprov.emulation.state import DeviceState
from usbprov.emulation.urb import Urb
from usbprov.usbip import Direction, SetupPacket, Speed, TransferFlag, TransferStatus

_STANDARD, _KIND, _RECIPIENT = 0x00, 0x60, 0x1F
_TO_INTERFACE, _TO_OTHER = 0x01, 0x03
_MS_OS_REQUEST = (0xC0, MS_VENDOR_CODE, MS_DESCRIPTOR_INDEX)

Listener = Callable[[bool], None]
"""Called with True when the device was plugged in, with False when it was unplugged."""


class UsbDevice:
    """A USB device with real descriptors, packets and states; thread-safe.

    Hosts ``submit`` transfers, which are answered through ``Urb.on_complete``, possibly before
    ``submit`` returns. One lock makes sure that a transfer is answered or cancelled, never both.
    The functions are called without the lock, in order, on whichever thread gives occasion.

    A device is made plugged in, with a bus address still to be had, and not configured.

    Attributes:
        identity: Who it says it is.
        interfaces: What it is made of, in the order of its descriptors.
        speed: Its speed.
        descriptors: What it truly is; ``faults.descriptor`` may make it say otherwise.
        faults: What is wrong with it, at first nothing.
        lives: How often it was plugged in.
    """

    def __init__(
        self,
        identity: DeviceIdentity,
        interfaces: Sequence[EmulatedInterface],
        *,
        speed: Speed = Speed.HIGH,
    ) -> None:
        functions = lay_out(interfaces)
        self.identity = identity
        self.interfaces = tuple(interfaces)
        self.speed = speed
        self.descriptors = DescriptorSet(identity, functions, speed)
        self.faults = Faults(self._faults_changed)
        self.lives = 1
        self._lock = threading.RLock()
        self._delays = Delays(self._lock, self._settle)
        ports = [FunctionPort(f, speed, self._lock, self._crashed) for f in functions]
        self._state = DeviceState(ports, self.descriptors, self.faults, self._send_for)
        self._listeners: list[Listener] = []
        self._news = Lane()
        self._lanes = (*(port.lane for port in ports), self._news)

    # --- the bus ---

    @property
    def plugged(self) -> bool:
        """True while the device is on the bus."""
        return self._state.plugged

    @property
    def configuration(self) -> int:
        """Configuration in force (bConfigurationValue), 0 for none."""
        return self._state.configuration

    def plug(self) -> None:
        """Put the device on the bus, not configured; nothing happens when it is there."""
        with self._lock:
            if not self._state.plugged:
                self._state.plugged = True
                self.lives += 1
                self._tell(plugged=True)
        self._settle()

    def unplug(self) -> None:
        """Pull the cable: transfers under way, and all later ones, end with NO_DEVICE."""
        with self._lock:
            self._unplug()
        self._settle()

    def bus_reset(self) -> None:
        """Take the device back to where plugging it in left it; transfers under way are ended."""
        with self._lock:
            self._go_idle(TransferStatus.UNLINKED)
        self._settle()

    def watch(self, listener: Listener) -> Callable[[], None]:
        """Have ``listener`` told of plugging and unplugging; returns what ends that."""
        with self._lock:
            self._listeners.append(listener)
        return partial(self._unwatch, listener)

    def _unwatch(self, listener: Listener) -> None:
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def _tell(self, *, plugged: bool) -> None:
        for listener in self._listeners:
            self._news.post(partial(listener, plugged))

    def _unplug(self) -> None:
        if self._state.plugged:
            self._state.plugged = False
            self._go_idle(TransferStatus.NO_DEVICE)
            self._tell(plugged=False)

    def _go_idle(self, status: int) -> None:
        self._delays.cancel()
        self._state.finish_all(status)
        self._state.configure(0)

    # --- transfers ---

    def submit(self, urb: Urb) -> None:
        """Take a transfer from the host."""
        with self._lock:
            self._state.pending[urb] = None
            self._route(urb)
        self._settle()

    def cancel(self, urb: Urb) -> bool:
        """Unlink a transfer: True when it will never be answered, False when it already was."""
        with self._lock:
            return self._state.forget(urb)

    def _route(self, urb: Urb) -> None:
        pipe = self._state.pipe(urb.endpoint)
        if not self._state.plugged:
            self._state.finish(urb, TransferStatus.NO_DEVICE)
        elif urb.setup is not None:
            self._control(urb, urb.setup)
        elif pipe is None:
            self._state.finish(urb, TransferStatus.STALL)
        elif pipe.halted or self.faults.stalls(urb.endpoint):
            self._state.halt(pipe)
            self._state.finish(urb, TransferStatus.STALL)
        elif isinstance(pipe, InPipe):
            pipe.waiting.append(urb)
            self._pump(pipe)
        else:
            self._put_off_or_take(urb, pipe)

    def _settle(self) -> None:
        """Do, without the lock, what was put on the lanes."""
        for lane in self._lanes:
            lane.run()

    # --- OUT ---

    def _put_off_or_take(self, urb: Urb, pipe: OutPipe) -> None:
        outcome = self.faults.apply(pipe.address, urb.data)
        if outcome.seconds or self._delays.waiting(pipe.address):
            action = partial(self._take, urb, pipe, outcome)
            self._delays.later(pipe.address, outcome.seconds, action)
        else:
            self._take(urb, pipe, outcome)

    def _take(self, urb: Urb, pipe: OutPipe, outcome: Outcome) -> None:
        if urb not in self._state.pending:
            return
        if outcome.status != TransferStatus.OK:
            self._state.finish(urb, outcome.status)
            return
        cut, passed = self.faults.spend(Direction.OUT, len(outcome.data))
        if cut is Cut.WITHIN:
            self._accept(pipe, outcome.data[: passed - passed % pipe.max_packet], ended=False)
        elif not outcome.dropped:
            ended = bool(urb.flags & TransferFlag.ZERO_PACKET) or not outcome.data
            if not self._accept(pipe, outcome.data, ended=ended):
                self._state.finish(urb, TransferStatus.STALL)
        if cut is not Cut.WITHIN:
            self._state.finish(urb, TransferStatus.OK)
        if cut is not Cut.NOT:
            self._unplug()

    def _accept(self, pipe: OutPipe, data: bytes, *, ended: bool) -> bool:
        """Let data into a pipe; False, and the endpoint halts, when it ran over."""
        if not data and not ended:
            return True
        transfers = pipe.accept(data, zero_packet=ended)
        if transfers is None:
            self._state.halt(pipe)
            return False
        for transfer in transfers:
            self._state.port_at(pipe.address).deliver(transfer)
        return True

    # --- IN ---

    def _send_for(self, port: FunctionPort) -> Send:
        return partial(self._send, port, port.life)

    def _send(self, port: FunctionPort, life: int, data: bytes) -> None:
        """Queue one IN transfer for the host; what a function sends too late is thrown away."""
        with self._lock:
            pipe = port.sink
            if port.life == life and pipe is not None:
                self._put_off_or_queue(port, pipe, self.faults.apply(pipe.address, bytes(data)))
        self._settle()

    def _put_off_or_queue(self, port: FunctionPort, pipe: InPipe, outcome: Outcome) -> None:
        if outcome.dropped:
            return
        if outcome.seconds or self._delays.waiting(pipe.address):
            self._delays.later(pipe.address, outcome.seconds, partial(self._queue, pipe, outcome))
        else:
            self._queue(pipe, outcome)

    def _queue(self, pipe: InPipe, outcome: Outcome) -> None:
        if outcome.status == TransferStatus.OVERFLOW:
            pipe.queue_babble()
        else:
            pipe.queue(outcome.data)
        self._pump(pipe)

    def _pump(self, pipe: InPipe) -> None:
        """Answer the requests that the packets at hand suffice for."""
        while pipe.waiting:
            taken = pipe.take(pipe.waiting[0].length)
            if taken is None:
                return
            status, data = taken
            cut, _ = self.faults.spend(Direction.IN, len(data))
            if cut is not Cut.WITHIN:
                self._state.finish(pipe.waiting.popleft(), status, data)
            if cut is not Cut.NOT:
                self._unplug()

    # --- control ---

    def _control(self, urb: Urb, setup: SetupPacket) -> None:
        reply = None if self.faults.stalls(0, setup.request) else self._ask(urb, setup)
        if reply is None:
            self._state.finish(urb, TransferStatus.STALL)
            return
        room = min(setup.length, urb.length) if setup.direction is Direction.IN else 0
        outcome = self.faults.apply(0, reply.data[:room], setup.request)
        if outcome.dropped:
            return
        answer = partial(self._state.finish, urb, outcome.status, outcome.data)
        if reply.flush:
            answer = partial(self._restart, setup.index & 0xFF, answer)
        if outcome.seconds or self._delays.waiting(0):
            self._delays.later(0, outcome.seconds, answer)
        else:
            answer()

    def _restart(self, interface: int, then: Callable[[], None]) -> None:
        port = self._state.port_of(interface)
        if port is None:
            then()
            return
        for address in port.pipes:
            if address & 0x80:
                self._delays.cancel(address)
        port.restart(then)

    def _ask(self, urb: Urb, setup: SetupPacket) -> ControlReply | None:
        if setup.direction is Direction.OUT and len(urb.data) != setup.length:
            return None
        recipient = setup.request_type & _RECIPIENT
        if setup.request_type & _KIND == _STANDARD or recipient == _TO_OTHER:
            data = answer_standard(self._state, setup)
            return None if data is None else ControlReply(data)
        if recipient == _TO_INTERFACE:
            port = self._state.port_of(setup.index & 0xFF)
            return None if port is None else port.placed.source.control(setup, urb.data)
        if (setup.request_type, setup.request, setup.index) == _MS_OS_REQUEST:
            return ControlReply(self.descriptors.ms_os_20) if self.descriptors.ms_os_20 else None
        return None

    # --- trouble ---

    def _crashed(self, port: FunctionPort) -> None:
        with self._lock:
            for pipe in port.pipes.values():
                self._state.halt(pipe)

    def _faults_changed(self) -> None:
        with self._lock:
            for address in [a for port in self._state.ports for a in port.pipes]:
                pipe = self._state.pipe(address)
                if isinstance(pipe, InPipe) and pipe.waiting and self.faults.stalls(address):
                    self._state.halt(pipe)
        self._settle()
