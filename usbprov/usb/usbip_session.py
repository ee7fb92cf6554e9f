"""A session with one imported device: transfers submitted, answered, withdrawn."""

import itertools
import logging
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from usbprov.usb.transfers import TIMED_OUT, Completion, Transfer
from usbprov.usbip import (
    ClientDecoder,
    Direction,
    ExportedDevice,
    MalformedMessage,
    Submit,
    SubmitReply,
    TransferStatus,
    Unlink,
    UnlinkReply,
)

logger = logging.getLogger(__name__)

_CHUNK = 1 << 13
"""Bytes read at a time: the thread of every open device holds so many while it waits."""
_SEND_TIMEOUT = 10.0
_UNLINK_TIMEOUT = 5.0
"""Seconds for the exporter to answer an unlink; without that, nothing is known of the device."""

_LATE = 0.05
"""Seconds for an answer that the answer to its unlink has overtaken (Linux's exporter may)."""

_FAREWELL = 0.5
"""Seconds for the exporter to close its end, which tells that the device is free again."""

_GONE = Completion(TransferStatus.NO_DEVICE)
_TIMED_OUT = Completion(TIMED_OUT)


@dataclass(eq=False)
class _Urb:
    """A transfer under way.

    Attributes:
        roused: Set when it need not be waited for any longer: it is answered, or what it asks
            for has come by another way.
        answered: Set when it has its completion.
        settled: Set when its unlink was answered.
        abandoned: True once nobody waits for its completion any more.
    """

    number: int
    transfer: Transfer
    roused: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)
    settled: threading.Event = field(default_factory=threading.Event)
    completion: Completion | None = None
    abandoned: bool = False


class UsbIpSession:
    """An imported device; a ``Session``.

    A thread reads the answers. The connection's end is the device's end.
    """

    def __init__(self, sock: socket.socket, decoder: ClientDecoder, device: ExportedDevice) -> None:
        self.device = device
        self._sock = sock
        self._decoder = decoder
        self._numbers = itertools.count(1)
        self._urbs: dict[int, _Urb] = {}
        self._unlinks: dict[int, _Urb] = {}
        self._late: dict[int, deque[Completion]] = {}
        self._ended = False
        # Re-entrant: the garbage collector may close a forgotten session at any point.
        self._lock = threading.RLock()
        self._sending = threading.RLock()
        sock.settimeout(_SEND_TIMEOUT)
        name = f"usbip {device.busid}"
        self._reader = threading.Thread(target=self._read, name=name, daemon=True)
        self._reader.start()

    def transfer(self, transfer: Transfer, timeout: float | None) -> Completion:
        """Do one transfer; see ``Session``."""
        late = self._overdue(transfer)
        if late is not None:
            return late
        urb = _Urb(next(self._numbers), transfer)
        if not self._submit(urb):
            return _GONE
        urb.roused.wait(timeout)
        if urb.completion is None:
            self._withdraw(urb)
        return self._in_order(urb)

    def close(self) -> None:
        """Give the device back, and wait a moment until the exporter has it."""
        self._end("closed")
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        if self._reader is not threading.current_thread():
            self._reader.join(_FAREWELL)
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
            self._reader.join(_FAREWELL)
        self._sock.close()

    # --- the caller's side -----------------------------------------------------------------------

    def _submit(self, urb: _Urb) -> bool:
        transfer = urb.transfer
        message = Submit(
            seqnum=urb.number,
            devid=self.device.devid,
            direction=Direction.IN if transfer.incoming else Direction.OUT,
            endpoint=transfer.endpoint & 0x0F,
            length=transfer.length,
            data=transfer.data,
            setup=transfer.setup.encode() if transfer.setup else bytes(8),
            interval=transfer.interval,
        )
        return self._send(message, self._urbs, urb)

    def _withdraw(self, urb: _Urb) -> None:
        """Unlink a transfer that ran out of time, unless its answer comes first."""
        unlink = Unlink(next(self._numbers), self.device.devid, urb.number)
        if self._send(unlink, self._unlinks, urb) and not urb.settled.wait(_UNLINK_TIMEOUT):
            self._end("an unlink was not answered")
        if not urb.answered.wait(_LATE):
            with self._lock:
                urb.abandoned = urb.completion is None

    def _in_order(self, urb: _Urb) -> Completion:
        """Return the outcome of a transfer; what an earlier one left behind goes before it."""
        completion = urb.completion or _TIMED_OUT
        with self._lock:
            late = self._overdue(urb.transfer)
            if late is not None and completion.data:
                self._late[urb.transfer.endpoint].append(completion)
        return late or completion

    def _send(self, message: Submit | Unlink, waiting: dict[int, _Urb], urb: _Urb) -> bool:
        with self._lock:
            if self._ended:
                return False
            waiting[message.seqnum] = urb
        try:
            with self._sending:
                self._decoder.sent(message)
                self._sock.sendall(message.encode())
        except OSError as failure:
            # Part of a message may have gone: nothing sensible can follow on this connection.
            self._end(str(failure))
            return False
        return True

    def _overdue(self, transfer: Transfer) -> Completion | None:
        """Return what came too late for an earlier read of the same endpoint."""
        with self._lock:
            waiting = self._late.get(transfer.endpoint)
            if not waiting or transfer.setup is not None:
                return None
            late = waiting.popleft()
            if late.length <= transfer.length:
                return late
            rest = late.data[transfer.length :]
            waiting.appendleft(Completion(TransferStatus.OK, rest, len(rest)))
            return Completion(TransferStatus.OK, late.data[: transfer.length], transfer.length)

    # --- the reader's side -----------------------------------------------------------------------

    def _read(self) -> None:
        reason = "the exporter closed the connection"
        try:
            while data := self._receive():
                self._decoder.feed(data)
                self._dispatch()
        except (OSError, MalformedMessage) as failure:
            reason = str(failure)
        self._end(reason)

    def _receive(self) -> bytes:
        while True:
            try:
                return self._sock.recv(_CHUNK)
            except TimeoutError:
                continue

    def _dispatch(self) -> None:
        handlers: Mapping[type, Callable[..., None]] = {
            SubmitReply: self._on_answer,
            UnlinkReply: self._on_unlinked,
        }
        while (message := self._decoder.pop()) is not None:
            handlers[type(message)](message)

    def _on_answer(self, reply: SubmitReply) -> None:
        with self._lock:
            urb = self._urbs.pop(reply.seqnum, None)
            if urb is None:
                return
            urb.completion = Completion(reply.status, reply.data, reply.actual)
            if urb.abandoned and reply.data and urb.transfer.setup is None:
                self._keep_for_next_read(urb.transfer.endpoint, urb.completion)
        urb.answered.set()
        urb.roused.set()

    def _keep_for_next_read(self, endpoint: int, late: Completion) -> None:
        self._late.setdefault(endpoint, deque()).append(late)
        for urb in self._urbs.values():
            if urb.transfer.endpoint == endpoint:
                urb.roused.set()

    def _on_unlinked(self, reply: UnlinkReply) -> None:
        with self._lock:
            urb = self._unlinks.pop(reply.seqnum, None)
            if urb is None:
                return
            if reply.status == TransferStatus.UNLINKED:
                self._urbs.pop(urb.number, None)
                urb.completion = urb.completion or _TIMED_OUT
        if urb.completion is not None:
            urb.answered.set()
            urb.roused.set()
        urb.settled.set()

    def _end(self, reason: str) -> None:
        """Let everything under way end with the device; the first reason is the true one."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            urbs = {*self._urbs.values(), *self._unlinks.values()}
            for held in (self._urbs, self._unlinks, self._late):
                held.clear()
            for urb in urbs:
                urb.completion = urb.completion or _GONE
        logger.debug("session with %s ended: %s", self.device.busid, reason)
        for urb in urbs:
            urb.answered.set()
            urb.roused.set()
            urb.settled.set()
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
