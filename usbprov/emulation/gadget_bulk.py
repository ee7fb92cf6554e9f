"""Joins a function with a bulk pair to FunctionFS, and so to a real cable. Linux only."""

import errno
import fcntl
import logging
import os
import selectors
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from usbprov.emulation import gadget_aio
from usbprov.emulation.gadget_descriptors import EVENT_SIZE, Event, describe, read_event
from usbprov.emulation.interface import EmulatedInterface
from usbprov.emulation.layout import PlacedEndpoint
from usbprov.emulation.pipes import BUFFER
from usbprov.usbip import Direction, SetupPacket

assert sys.platform == "linux"  # noqa: S101 - so that mypy takes the rest for no other

logger = logging.getLogger(__name__)

_ROOM = 16 * 1024
"""Bytes that one request takes from the host; what is longer comes in several."""

_ENDPOINT_DESCRIPTOR = 0x80096782
"""FUNCTIONFS_ENDPOINT_DESC: the descriptor at the speed in force, 9 bytes."""
_SPEED_UNKNOWN = 512


class FunctionFsPort:
    """One function behind a mounted FunctionFS instance.

    A transfer from the host ends at a short packet, or at one of no bytes; ours are ended in the
    same way. One thread does everything, the function's ``receive`` included.
    """

    def __init__(self, interface: EmulatedInterface, folder: Path) -> None:
        """Tell the kernel what the function is; the gadget can be bound then.

        Args:
            interface: With one bulk endpoint each way.
            folder: Where its FunctionFS instance is mounted.

        Raises:
            OSError: The kernel does not take it.
        """
        self._interface = interface
        blobs = describe(interface)
        self._files: list[int] = []
        self._transfers = gadget_aio.Transfers()
        try:
            self._control = self._open(folder / "ep0")
            for blob in (blobs.descriptors, blobs.strings):
                os.write(self._control, blob)
            self._out, self._in = self._endpoint_files(folder, blobs.endpoints)
        except BaseException:
            self._close_files()
            raise
        self._lock = threading.Lock()
        self._outgoing: deque[bytes] = deque()
        self._life = 0
        self._connected = False
        self._open_for_work = True
        self._reading: gadget_aio.Transfer | None = None
        self._stale: set[int] = set()
        self._writing: set[int] = set()
        self._collected = bytearray()
        self._packet = _SPEED_UNKNOWN
        self._handlers: Mapping[Event, Callable[[], None]] = {
            Event.ENABLE: self._enable,
            Event.DISABLE: self._disable,
            Event.UNBIND: self._disable,
        }
        self._thread = threading.Thread(target=self._serve, name="gadget-bulk", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Reset the function and give the files back; may be called twice."""
        with self._lock:
            if not self._open_for_work:
                return
            self._open_for_work = False
        self._transfers.wake()
        self._thread.join()
        self._disable()
        self._close_files()

    # --- set-up ---

    def _open(self, path: Path) -> int:
        file = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._files.append(file)
        return file

    def _endpoint_files(self, folder: Path, endpoints: tuple[PlacedEndpoint, ...]) -> list[int]:
        """Return the files towards the phone and from it."""
        found = {
            endpoint.spec.direction: folder / f"ep{number}"
            for number, endpoint in enumerate(endpoints, 1)
        }
        return [self._open(found[way]) for way in (Direction.OUT, Direction.IN)]

    def _close_files(self) -> None:
        self._transfers.close()
        for file in self._files:
            os.close(file)

    # --- the thread ---

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ, self._take_event)
            selector.register(self._transfers.event, selectors.EVENT_READ, self._advance)
            while self._open_for_work:
                for key, _ in selector.select():
                    key.data()

    def _take_event(self) -> None:
        try:
            event, setup = read_event(os.read(self._control, EVENT_SIZE))
        except (OSError, ValueError) as error:
            # EIDRM: the host has given a request up. Types are added by later kernels.
            logger.debug("no event: %s", error)
            return
        logger.debug("gadget: %s", event.name)
        if event is Event.SETUP:
            self._answer(setup)
        elif event in self._handlers:
            self._handlers[event]()

    def _enable(self) -> None:
        """Begin anew: the host has configured the gadget, perhaps once more."""
        self._disable()
        self._packet = self._packet_size()
        with self._lock:
            self._connected = True
        self._guarded(partial(self._interface.function.connect, partial(self._send, self._life)))
        self._receive_more()

    def _disable(self) -> None:
        """Forget everything: the host has gone, or has reset the device."""
        with self._lock:
            self._life += 1
            was_connected, self._connected = self._connected, False
        self._forget()
        if was_connected:
            self._guarded(self._interface.function.reset)

    def _flush(self) -> None:
        """Forget what is under way, and have the function do so too; the connection stays."""
        self._forget()
        self._guarded(self._interface.function.reset)
        self._forget()  # what the function said before its reset is as old as the rest

    # --- control requests ---

    def _answer(self, setup: SetupPacket) -> None:
        """Answer a class or vendor request; what the interface does not know is stalled."""
        try:
            if setup.direction is Direction.IN:
                self._give(setup)
            elif setup.length:
                # Reading the data has acknowledged the request already.
                self._ask(setup, os.read(self._control, setup.length))
            elif self._ask(setup, b""):
                os.read(self._control, 0)
            else:
                os.write(self._control, b"")  # the wrong way round: that stalls it
        except OSError as error:
            # EL2HLT: stalled, as it was to be. Else the host has given up.
            logger.debug("gadget: request %#x: %s", setup.request, error.strerror)

    def _give(self, setup: SetupPacket) -> None:
        reply = self._interface.control(setup, b"")
        if reply is None:
            os.read(self._control, 0)  # the wrong way round: that stalls it
        else:
            os.write(self._control, reply.data[: setup.length])

    def _ask(self, setup: SetupPacket, data: bytes) -> bool:
        reply = self._interface.control(setup, data)
        if reply is not None and reply.flush:
            self._flush()
        return reply is not None

    # --- transfers ---

    def _advance(self) -> None:
        """Go on where transfers have ended, or where there is something new to send."""
        for transfer, result in self._transfers.ended():
            if transfer is self._reading:
                self._reading = None
                self._received(transfer, result)
            self._writing.discard(transfer.number)
            self._stale.discard(transfer.number)
        self._send_more()

    def _received(self, transfer: gadget_aio.Transfer, result: int) -> None:
        stale = transfer.number in self._stale
        if not stale and result >= 0:
            self._collect(transfer.data(result), ended=result < transfer.size)
        if self._connected and (stale or result >= 0):
            self._receive_more()

    def _collect(self, data: bytes, *, ended: bool) -> None:
        """Put a transfer together; one without any bytes, or without end, is not delivered."""
        self._collected += data
        if len(self._collected) > BUFFER:
            self._collected.clear()
        elif ended and self._collected:
            whole = bytes(self._collected)
            self._collected.clear()
            self._guarded(partial(self._interface.function.receive, whole))

    def _receive_more(self) -> None:
        if self._reading is None:
            self._reading = self._transfers.read(self._out, _ROOM)

    def _send(self, life: int, data: bytes) -> None:
        """Queue one transfer for the host; what comes for an earlier connection is too late."""
        with self._lock:
            if self._life != life or not self._open_for_work:
                return
            self._outgoing.append(bytes(data))
        self._transfers.wake()

    def _send_more(self) -> None:
        with self._lock:
            if self._writing or not self._outgoing or not self._connected:
                return
            data = self._outgoing.popleft()
        pieces = [data]
        if data and len(data) % self._packet == 0:
            pieces.append(b"")  # the host cannot know otherwise that it ends here (USB 2.0, 5.8.3)
        begun = [self._transfers.write(self._in, piece) for piece in pieces]
        self._writing.update(transfer.number for transfer in begun if transfer)

    def _forget(self) -> None:
        with self._lock:
            self._outgoing.clear()
        self._collected.clear()
        for transfer in self._transfers.under_way:
            self._stale.add(transfer.number)
            self._transfers.cancel(transfer)

    def _packet_size(self) -> int:
        """Return wMaxPacketSize towards the host at the speed in force, in bytes."""
        descriptor = bytearray(9)
        try:
            fcntl.ioctl(self._in, _ENDPOINT_DESCRIPTOR, descriptor)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            return _SPEED_UNKNOWN  # disabled again meanwhile
        size: int = struct.unpack_from("<H", descriptor, 4)[0]
        return size & 0x07FF

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # a crash of the firmware, not of the cable
            # The text of the error may hold what the host sent; its class does not.
            logger.error("an emulated function failed: %s", type(error).__name__)  # noqa: TRY400
