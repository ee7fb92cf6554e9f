"""A session with one imported device: transfers submitted, answered, withdrawn.

There is no thread that reads: whoever waits for an answer reads what comes, for the others, too,
if there are any. A thread of its own would have to be woken for each answer, and to wake the one
that waits for it; with many phones that costs more than all the rest of a transfer.
"""

import itertools
import logging
import math
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

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

_CHUNK = 1 << 14
"""Bytes read at a time."""

_SEND_TIMEOUT = 10.0

_LONGEST_READ = 10.0
"""Seconds after which who reads looks whether it still is waited for; no answer is late then."""

_SHORTEST_READ = 0.001
"""Seconds; 0 would make the socket one that never waits."""

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
        roused: It need not be waited for any longer: it is answered, or what it asks for has come
            by another way.
        settled: Its unlink was answered.
        abandoned: Nobody waits for its completion any more.
    """

    number: int
    transfer: Transfer
    roused: bool = False
    settled: bool = False
    completion: Completion | None = None
    abandoned: bool = False


class UsbIpSession:
    """An imported device; a ``Session``. The connection's end is the device's end."""

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
        self._news = threading.Condition(self._lock)
        self._is_read = False
        self._others = 0
        self._sending = threading.RLock()
        self._answers = sock.dup()  # with a time-out of its own
        sock.settimeout(_SEND_TIMEOUT)
        # Of a session that is forgotten, the sockets would else be collected before it is closed.
        self._close_sockets = weakref.finalize(self, _close, sock, self._answers)

    def transfer(self, transfer: Transfer, timeout: float | None) -> Completion:
        """Do one transfer; see ``Session``."""
        late = self._overdue(transfer) if self._late else None
        if late is not None:
            return late
        urb = _Urb(next(self._numbers), transfer)
        if not self._submit(urb):
            return _GONE
        self._wait(lambda: urb.roused, timeout)
        if urb.completion is None:
            self._withdraw(urb)
        return self._in_order(urb)

    def close(self) -> None:
        """Give the device back, and wait a moment until the exporter has it."""
        self._end("closed", socket.SHUT_WR)
        if not self._sees_the_end(_FAREWELL):
            self._shut(socket.SHUT_RDWR)
            self._sees_the_end(_FAREWELL)
        self._close_sockets()

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
        if self._send(unlink, self._unlinks, urb):
            self._wait(lambda: urb.settled, _UNLINK_TIMEOUT)
            if not urb.settled:
                self._end("an unlink was not answered")
        self._wait(lambda: urb.completion is not None, _LATE)
        with self._lock:
            urb.abandoned = urb.completion is None

    def _in_order(self, urb: _Urb) -> Completion:
        """Return the outcome of a transfer; what an earlier one left behind goes before it."""
        completion = urb.completion or _TIMED_OUT
        if not self._late:
            return completion
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

    # --- whoever waits, reads --------------------------------------------------------------------

    def _wait(self, is_over: Callable[[], bool], timeout: float | None) -> None:
        """Wait until something is so, or the time is over; read answers unless others do."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while self._may_read(is_over, deadline):
            try:
                self._read(is_over, deadline)
            finally:
                self._let_others_read()

    def _may_read(self, is_over: Callable[[], bool], deadline: float) -> bool:
        """Wait while others read; True when it is this thread's turn, False when all is over."""
        with self._news:
            while not is_over() and (left := deadline - time.monotonic()) > 0:
                if not self._is_read:
                    self._is_read = True
                    return True
                self._others += 1
                self._news.wait(min(left, _LONGEST_READ))
                self._others -= 1
        return False

    def _let_others_read(self) -> None:
        with self._lock:
            self._is_read = False
            self._tell_others()

    def _tell_others(self) -> None:
        """Have those look who wait while another reads; the lock is held."""
        if self._others:
            self._news.notify_all()

    def _read(self, is_over: Callable[[], bool], deadline: float) -> None:
        reason = "the exporter closed the connection"
        try:
            while (left := deadline - time.monotonic()) > 0:
                data = self._receive(left)
                if data is None:
                    continue
                if not data:
                    break
                self._decoder.feed(data)
                self._dispatch()
                if is_over():
                    return
            else:
                return
        except (OSError, MalformedMessage) as failure:
            reason = str(failure)
        self._end(reason)

    def _receive(self, seconds: float) -> bytes | None:
        """Return what comes, no bytes at the end, or None if nothing came in time."""
        self._answers.settimeout(max(min(seconds, _LONGEST_READ), _SHORTEST_READ))
        try:
            return self._answers.recv(_CHUNK)
        except TimeoutError:
            return None

    def _sees_the_end(self, seconds: float) -> bool:
        """Read until the exporter has closed its end; False if it has not within the time."""
        deadline = time.monotonic() + seconds
        if not self._may_read(lambda: False, deadline):
            return False
        try:
            while (left := deadline - time.monotonic()) > 0:
                if self._receive(left) == b"":
                    return True
        except OSError:  # torn, or closed before
            return True
        finally:
            self._let_others_read()
        return False

    def _dispatch(self) -> None:
        while (message := self._decoder.pop()) is not None:
            if isinstance(message, SubmitReply):
                self._on_answer(message)
            elif isinstance(message, UnlinkReply):
                self._on_unlinked(message)

    def _on_answer(self, reply: SubmitReply) -> None:
        with self._lock:
            urb = self._urbs.pop(reply.seqnum, None)
            if urb is None:
                return
            urb.completion = Completion(reply.status, reply.data, reply.actual)
            if urb.abandoned and reply.data and urb.transfer.setup is None:
                self._keep_for_next_read(urb.transfer.endpoint, urb.completion)
            urb.roused = True
            self._tell_others()

    def _keep_for_next_read(self, endpoint: int, late: Completion) -> None:
        self._late.setdefault(endpoint, deque()).append(late)
        for urb in self._urbs.values():
            if urb.transfer.endpoint == endpoint:
                urb.roused = True

    def _on_unlinked(self, reply: UnlinkReply) -> None:
        with self._lock:
            urb = self._unlinks.pop(reply.seqnum, None)
            if urb is None:
                return
            if reply.status == TransferStatus.UNLINKED:
                self._urbs.pop(urb.number, None)
                urb.completion = urb.completion or _TIMED_OUT
            urb.roused |= urb.completion is not None
            urb.settled = True
            self._tell_others()

    def _end(self, reason: str, shut: int = socket.SHUT_RDWR) -> None:
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
                urb.roused = urb.settled = True
            self._tell_others()
        logger.debug("session with %s ended: %s", self.device.busid, reason)
        self._shut(shut)

    def _shut(self, how: int) -> None:
        with suppress(OSError):
            self._sock.shutdown(how)


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        each.close()
