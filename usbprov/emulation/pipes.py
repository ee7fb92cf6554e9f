"""Endpoints as hardware has them: packets in, packets out, and where a transfer ends.

Pure data structures: the device model holds its lock while it uses them.
"""

from collections import deque
from typing import Protocol

from usbprov.emulation.urb import Urb
from usbprov.usbip import TransferStatus

BUFFER = 1 << 20
"""Bytes that a pipe holds at most, against a host, or a function, that never stops."""


class OutPipe(Protocol):
    """The device's end of an OUT endpoint."""

    address: int
    max_packet: int
    halted: bool

    def accept(self, data: bytes, *, zero_packet: bool) -> list[bytes] | None:
        """Take the packets of one request; return what is to be delivered now.

        ``zero_packet`` says that a zero-length packet follows whole packets. None means that
        the buffer ran over.
        """
        ...

    def flush(self) -> None:
        """Forget what was collected."""
        ...


class TransferPipe:
    """Collects packets until a short one, or one of no bytes, ends the transfer.

    A transfer without any bytes is not delivered.
    """

    def __init__(self, address: int, max_packet: int) -> None:
        self.address = address
        self.max_packet = max_packet
        self.halted = False
        self._collected = bytearray()

    def accept(self, data: bytes, *, zero_packet: bool) -> list[bytes] | None:
        """Take the packets of one request; return the transfer that they end, if any."""
        self._collected += data
        if len(self._collected) > BUFFER:
            self.flush()
            return None
        if data and len(data) % self.max_packet == 0 and not zero_packet:
            return []
        transfer = bytes(self._collected)
        self.flush()
        return [transfer] if transfer else []

    def flush(self) -> None:
        """Forget what was collected."""
        self._collected.clear()


class StreamPipe:
    """Hands each packet on as it comes."""

    def __init__(self, address: int, max_packet: int) -> None:
        self.address = address
        self.max_packet = max_packet
        self.halted = False

    def accept(self, data: bytes, *, zero_packet: bool) -> list[bytes] | None:
        """Cut the request into its packets."""
        return [data[i : i + self.max_packet] for i in range(0, len(data), self.max_packet)]

    def flush(self) -> None:
        """Nothing is ever kept."""


class InPipe:
    """The device's end of an IN endpoint: packets that wait for requests, or the reverse.

    Attributes:
        waiting: Requests that wait for packets, oldest first.
    """

    def __init__(self, address: int, max_packet: int) -> None:
        self.address = address
        self.max_packet = max_packet
        self.halted = False
        self.waiting: deque[Urb] = deque()
        self._packets: deque[bytes] = deque()
        self._queued = 0

    def queue(self, data: bytes) -> bool:
        """Queue one transfer; one of whole packets gets a zero-length packet at its end.

        Returns False, and queues nothing, when there is no room.
        """
        if self._queued + len(data) > BUFFER:
            return False
        size = self.max_packet
        self._packets.extend(data[i : i + size] for i in range(0, len(data), size))
        if len(data) % size == 0:
            self._packets.append(b"")
        self._queued += len(data)
        return True

    def queue_babble(self) -> None:
        """Queue a packet that is longer than a packet may be."""
        self._packets.append(bytes(self.max_packet + 1))
        self._queued += self.max_packet + 1

    def take(self, length: int) -> tuple[int, bytes] | None:
        """Return status and data for a request with room for ``length`` bytes.

        A request ends at a short packet or when it is full. None, and nothing is taken, when
        the packets at hand do neither.
        """
        got = count = 0
        for packet in self._packets:
            count, got = count + 1, got + len(packet)
            if len(packet) != self.max_packet or got >= length:
                return self._pull(count, length)
        return None

    def _pull(self, count: int, length: int) -> tuple[int, bytes]:
        packets = [self._packets.popleft() for _ in range(count)]
        data = b"".join(packets)
        self._queued -= len(data)
        if len(data) > length or len(packets[-1]) > self.max_packet:
            return TransferStatus.OVERFLOW, data[:length]
        return TransferStatus.OK, data

    def flush(self) -> None:
        """Forget the packets; requests go on waiting."""
        self._packets.clear()
        self._queued = 0
