"""A function in its place in a device: its pipes, and what the device has it do."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from usbprov.emulation.function import Send
from usbprov.emulation.interface import TransferType
from usbprov.emulation.lane import Lane
from usbprov.emulation.layout import PlacedEndpoint, PlacedFunction
from usbprov.emulation.pipes import InPipe, OutPipe, StreamPipe, TransferPipe
from usbprov.usbip import Direction

logger = logging.getLogger(__name__)


class FunctionPort:
    """One function of a device. Used with the device's lock held.

    What concerns the function itself is put on the lane, and runs once the lock is free.

    Attributes:
        placed: The function with its numbers.
        lane: What the function is yet to be told, in order.
        pipes: Its endpoints by address.
        life: Counts connections; what the function sends for an earlier one is thrown away.
        connected: True while the host has the device configured.
    """

    def __init__(
        self,
        placed: PlacedFunction,
        speed: int,
        lock: AbstractContextManager[bool],
        crashed: Callable[["FunctionPort"], None],
    ) -> None:
        self.placed = placed
        self.lane = Lane()
        self.life = 0
        self.connected = False
        self._lock = lock
        self._crashed = crashed
        self.pipes: dict[int, OutPipe | InPipe] = {
            endpoint.address: self._pipe(endpoint, speed)
            for interface in placed.interfaces
            for endpoint in interface.endpoints
        }
        self.sink = self._bulk_in()

    def _pipe(self, endpoint: PlacedEndpoint, speed: int) -> OutPipe | InPipe:
        size = endpoint.max_packet(speed)
        if endpoint.spec.direction is Direction.IN:
            return InPipe(endpoint.address, size)
        kind = StreamPipe if self.placed.source.streaming else TransferPipe
        return kind(endpoint.address, size)

    def _bulk_in(self) -> InPipe | None:
        """Return the pipe that the function's ``send`` fills."""
        for interface in self.placed.interfaces:
            for endpoint in interface.endpoints:
                pipe = self.pipes[endpoint.address]
                if isinstance(pipe, InPipe) and endpoint.spec.transfer is TransferType.BULK:
                    return pipe
        return None

    def connect(self, send: Send) -> None:
        """Tell the function that the host is there."""
        self.connected = True
        self._post(partial(self.placed.source.function.connect, send))

    def disconnect(self) -> None:
        """Tell the function, if it was connected, that the host has gone."""
        self.life += 1
        self.flush()
        for pipe in self.pipes.values():
            pipe.halted = False
        if self.connected:
            self.connected = False
            self._post(self.placed.source.function.reset)

    def restart(self, then: Callable[[], None]) -> None:
        """Forget what is under way, have the function do so too, then call ``then``.

        ``then`` is called with the lock held.
        """
        self.flush()
        self._post(self.placed.source.function.reset)
        self.lane.post(partial(self._restarted, then))

    def _restarted(self, then: Callable[[], None]) -> None:
        with self._lock:
            # What the function said between the first flush and its reset is as old as the rest.
            for pipe in self.pipes.values():
                if isinstance(pipe, InPipe):
                    pipe.flush()
            then()

    def deliver(self, data: bytes) -> None:
        """Hand the function what came from the host."""
        self._post(partial(self.placed.source.function.receive, data))

    def flush(self) -> None:
        """Empty all pipes."""
        for pipe in self.pipes.values():
            pipe.flush()

    def _post(self, action: Callable[[], None]) -> None:
        self.lane.post(partial(self._guarded, action))

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # a crash of the firmware, not of the device
            # The text of the error may hold what the host sent; its class does not.
            logger.error("an emulated function failed: %s", type(error).__name__)  # noqa: TRY400
            self._crashed(self)
