"""One client of a USB/IP exporter: its requests, and the device that it has imported."""

import contextlib
import logging
import socket
from functools import partial

from usbprov.emulation.berths import Berth, Berths
from usbprov.emulation.outbox import Outbox
from usbprov.emulation.urb import Completion, Urb
from usbprov.usbip import (
    DeviceListReply,
    DeviceListRequest,
    Direction,
    ImportReply,
    ImportRequest,
    MalformedMessage,
    Request,
    ServerDecoder,
    SetupPacket,
    Status,
    Submit,
    SubmitReply,
    TransferStatus,
    Unlink,
    UnlinkReply,
)

logger = logging.getLogger(__name__)

PATIENCE = 0.25
"""Seconds that an import waits for the client before it, which may just be leaving."""

_LAST_WORDS = 5.0
"""Seconds that a client has to read the answer after which the connection is closed."""

_CHUNK = 1 << 16
_MOST_PENDING = 4096
"""Transfers that a client may have under way; vhci and libusb stay far below."""


class Connection:
    """Serves one client until it leaves, misbehaves, or loses its device.

    As with the kernel's exporter, a list or a refused import ends the connection, and a
    successful import turns it into the pipe for one device.
    """

    def __init__(self, sock: socket.socket, berths: Berths) -> None:
        self._sock = sock
        self._berths = berths
        self._outbox = Outbox(sock)
        self._decoder = ServerDecoder()
        self._berth: Berth | None = None
        self._urbs: dict[int, Urb] = {}
        self._left = False

    def run(self) -> None:
        """Serve; returns when the connection is closed and the device is free again."""
        with self._sock:
            try:
                while self._go_on():
                    pass
            except MalformedMessage as error:
                logger.debug("a client is dropped: %s", error)
            except OSError as error:
                logger.debug("a client is lost: %s", error.strerror)
            finally:
                self._leave()

    def hang_up(self) -> None:
        """Have ``run`` end soon; from any thread."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _go_on(self) -> bool:
        data = self._sock.recv(_CHUNK)
        self._decoder.feed(data)
        while (message := self._decoder.pop()) is not None:
            if not self._handle(message):
                self._outbox.drain(_LAST_WORDS)
                return False
        return bool(data)

    def _handle(self, message: Request) -> bool:
        match message:
            case Submit():
                return self._submit(message)
            case Unlink():
                return self._unlink(message)
            case ImportRequest():
                return self._import(message)
            case DeviceListRequest():
                return self._list()

    def _leave(self) -> None:
        """Reset the device, so that the next client finds it as new, and free it.

        The connection is closed after that: a client that waits for the end of the stream knows
        then that it may import again.
        """
        self._left = True
        if self._berth is not None:
            self._berth.device.bus_reset()
            self._berths.free(self._berth)
        self._outbox.close()

    # --- operations ---

    def _list(self) -> bool:
        devices = tuple(berth.describe() for berth in self._berths.plugged())
        self._outbox.post(DeviceListReply(devices).encode())
        return False

    def _import(self, request: ImportRequest) -> bool:
        status = self._take(self._berths.find(request.busid))
        if self._berth is None:
            self._outbox.post(ImportReply(status).encode())
            return False
        self._decoder.imported()
        self._outbox.post(ImportReply(status, self._berth.describe()).encode())
        return True

    def _take(self, berth: Berth | None) -> Status:
        if berth is None:
            return Status.NO_DEVICE
        if not self._berths.take(berth, self.hang_up, PATIENCE):
            return Status.BUSY
        if not berth.device.plugged:  # unplugged between the two, when nobody could be told
            self._berths.free(berth)
            return Status.NO_DEVICE
        self._berth = berth
        return Status.OK

    # --- transfers ---

    def _submit(self, request: Submit) -> bool:
        if self._berth is None or request.seqnum in self._urbs or len(self._urbs) >= _MOST_PENDING:
            raise MalformedMessage(f"transfer {request.seqnum} is there twice, or one too many")
        control = request.endpoint == 0
        urb = Urb(
            0 if control else request.address,
            partial(self._answer, request.seqnum, request.direction),
            request.length,
            request.data,
            SetupPacket.parse(request.setup) if control else None,
            request.flags,
        )
        self._urbs[request.seqnum] = urb
        self._berth.device.submit(urb)
        return True

    def _answer(self, seqnum: int, direction: Direction, completion: Completion) -> None:
        if self._left:
            return
        del self._urbs[seqnum]
        # The client knows from its own request, not from the answer, whether data follow.
        data = completion.data if direction is Direction.IN else b""
        actual = len(data) if direction is Direction.IN else completion.actual
        self._outbox.post(SubmitReply(seqnum, completion.status, actual, data).encode())

    def _unlink(self, request: Unlink) -> bool:
        urb = self._urbs.get(request.target)
        status = TransferStatus.OK
        if urb is not None and self._berth is not None and self._berth.device.cancel(urb):
            del self._urbs[request.target]
            status = TransferStatus.UNLINKED
        self._outbox.post(UnlinkReply(request.seqnum, status).encode())
        return True
