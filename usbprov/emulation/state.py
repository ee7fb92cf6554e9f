"""What an emulated device remembers: configuration, endpoints, transfers under way.

Everything here is used with the lock of ``UsbDevice`` held.
"""

from collections.abc import Callable, Sequence

from usbprov.emulation.descriptors import CONFIGURATION, DescriptorSet
from usbprov.emulation.faults import Faults
from usbprov.emulation.function import Send
from usbprov.emulation.pipes import InPipe, OutPipe
from usbprov.emulation.ports import FunctionPort
from usbprov.emulation.urb import Completion, Urb
from usbprov.usbip import Direction, TransferFlag, TransferStatus


class DeviceState:
    """The state behind the standard requests (``StandardTarget``), and the pending transfers.

    Attributes:
        ports: The functions, in order.
        plugged: False while the device is not on the bus.
        pending: Transfers that are neither answered nor unlinked, oldest first.
    """

    def __init__(
        self,
        ports: Sequence[FunctionPort],
        descriptors: DescriptorSet,
        faults: Faults,
        send_for: Callable[[FunctionPort], Send],
    ) -> None:
        self.ports = tuple(ports)
        self.plugged = True
        self.pending: dict[Urb, None] = {}
        self._descriptors = descriptors
        self._faults = faults
        self._send_for = send_for
        self._configuration = 0
        self._by_address = {a: port for port in self.ports for a in port.pipes}
        self._by_interface = {i.number: port for port in self.ports for i in port.placed.interfaces}

    # --- transfers ---

    def finish(self, urb: Urb, status: int, data: bytes = b"") -> None:
        """Answer a transfer; one that was answered or unlinked before is left alone."""
        if urb not in self.pending:
            return
        del self.pending[urb]
        if urb.direction is Direction.OUT:
            actual = len(urb.data) if status == TransferStatus.OK else 0
            urb.on_complete(Completion(status, b"", actual))
            return
        if status == TransferStatus.OK and urb.flags & TransferFlag.SHORT_NOT_OK:
            status = TransferStatus.SHORT if len(data) < urb.length else status
        urb.on_complete(Completion(status, data, len(data)))

    def forget(self, urb: Urb) -> bool:
        """Unlink a transfer; False when it was too late."""
        if urb not in self.pending:
            return False
        del self.pending[urb]
        pipe = self.pipe(urb.endpoint)
        if isinstance(pipe, InPipe) and urb in pipe.waiting:
            pipe.waiting.remove(urb)
        return True

    def finish_all(self, status: int) -> None:
        """End all transfers, those of the control endpoint included."""
        for port in self.ports:
            for pipe in port.pipes.values():
                if isinstance(pipe, InPipe):
                    pipe.waiting.clear()
        for urb in list(self.pending):
            self.finish(urb, status)

    # --- endpoints ---

    def port_of(self, interface: int) -> FunctionPort | None:
        """Return the function that an interface belongs to, while configured."""
        return self._by_interface.get(interface) if self._configuration else None

    def port_at(self, endpoint: int) -> FunctionPort:
        """Return the function that an existing endpoint belongs to."""
        return self._by_address[endpoint]

    def pipe(self, endpoint: int) -> OutPipe | InPipe | None:
        """Return an endpoint, while configured."""
        port = self._by_address.get(endpoint) if self._configuration else None
        return None if port is None else port.pipes[endpoint]

    def halt(self, pipe: OutPipe | InPipe) -> None:
        """Halt an endpoint; transfers that wait there are stalled."""
        pipe.halted = True
        self._end_waiting(pipe, TransferStatus.STALL)

    def _end_waiting(self, pipe: OutPipe | InPipe, status: int) -> None:
        if isinstance(pipe, InPipe):
            ended = list(pipe.waiting)
            pipe.waiting.clear()
            for urb in ended:
                self.finish(urb, status)

    # --- standard requests ---

    @property
    def configuration(self) -> int:
        """Configuration in force (bConfigurationValue), 0 for none."""
        return self._configuration

    def descriptor(self, kind: int, index: int) -> bytes | None:
        """Return a descriptor as the device gives it, lies included."""
        true = self._descriptors.get(kind, index)
        return None if true is None else self._faults.descriptor(kind, index, true)

    def configure(self, value: int) -> bool:
        """Take a configuration, or 0 for none; the functions begin anew."""
        if value not in (0, CONFIGURATION):
            return False
        for port in self.ports:
            for pipe in port.pipes.values():
                self._end_waiting(pipe, TransferStatus.UNLINKED)
            port.disconnect()
            if value:
                port.connect(self._send_for(port))
        self._configuration = value
        return True

    def alternate(self, interface: int) -> int | None:
        """Return 0, the only alternate setting there is; None where there is no interface."""
        return None if self.port_of(interface) is None else 0

    def select(self, interface: int, alternate: int) -> bool:
        """Take an alternate setting; the function forgets what is under way."""
        port = self.port_of(interface)
        if port is None or alternate != 0:
            return False
        port.restart(_nothing_more)
        return True

    def halted(self, endpoint: int) -> bool | None:
        """Say whether an endpoint is halted; None where there is no such endpoint."""
        if endpoint & 0x7F == 0:
            return False
        pipe = self.pipe(endpoint)
        return None if pipe is None else pipe.halted

    def set_halt(self, endpoint: int, *, on: bool) -> bool:
        """Halt an endpoint, or empty it and make it good again."""
        pipe = self.pipe(endpoint)
        if pipe is None:
            return endpoint & 0x7F == 0
        if on:
            self.halt(pipe)
        else:
            pipe.halted = False
            pipe.flush()
        return True

    def reset_port(self) -> bool:
        """Reset the device as a host does, which gives it back its configuration."""
        return self.configure(self._configuration)


def _nothing_more() -> None:
    pass
