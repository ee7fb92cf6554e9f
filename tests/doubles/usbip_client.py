"""A USB/IP client of a few lines with struct code of its own: it shares nothing with the codec."""

import socket
import struct
from dataclasses import dataclass
from typing import Self

DEADLINE = 5.0


@dataclass(frozen=True)
class Listed:
    """What a device list, or an import, says of a device."""

    path: str
    busid: str
    busnum: int
    devnum: int
    speed: int
    vendor_id: int
    product_id: int
    interfaces: tuple[bytes, ...]
    configuration: int


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode()


class RawClient:
    """One connection to an exporter."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seqnum = 0
        self.devid = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def ended(self) -> bool:
        """Whether the exporter has closed the connection (what it still sends is skipped)."""
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionError:
            return True
        except TimeoutError:
            return False
        return True

    def _device(self) -> tuple[tuple[str, str, int, int, int, int, int], int, int]:
        raw = self.exactly(312)
        path, busid = _text(raw[:256]), _text(raw[256:288])
        busnum, devnum, speed = struct.unpack(">III", raw[288:300])
        vendor, product, _release = struct.unpack(">HHH", raw[300:306])
        return (path, busid, busnum, devnum, speed, vendor, product), raw[311], raw[309]

    def list(self) -> list[Listed]:
        self.sock.sendall(bytes.fromhex("0111800500000000"))
        assert self.exactly(8) == bytes.fromhex("0111000500000000")
        (count,) = struct.unpack(">I", self.exactly(4))
        devices = []
        for _ in range(count):
            fields, interfaces, configuration = self._device()
            triples = tuple(self.exactly(4)[:3] for _ in range(interfaces))
            devices.append(Listed(*fields, triples, configuration))
        return devices

    def attach(self, busid: str) -> int:
        """Import a device; returns the status."""
        self.sock.sendall(bytes.fromhex("0111800300000000") + busid.encode().ljust(32, b"\0"))
        version, code, status = struct.unpack(">HHI", self.exactly(8))
        assert (version, code) == (0x0111, 0x0003)
        if status == 0:
            fields, _, _ = self._device()
            self.devid = fields[2] << 16 | fields[3]
        return status

    def submit(
        self,
        endpoint: int,
        data: bytes = b"",
        room: int = 0,
        setup: bytes = bytes(8),
        flags: int = 0,
    ) -> int:
        """Send a transfer to an endpoint address; returns its seqnum."""
        self.seqnum += 1
        incoming = endpoint >> 7
        size = room if incoming else len(data)
        head = struct.pack(
            ">IIIII IIIII", 1, self.seqnum, self.devid, incoming, endpoint & 15,
            flags, size, 0, 0xFFFFFFFF, 0,
        )  # fmt: skip
        self.sock.sendall(head + setup + data)
        return self.seqnum

    def unlink(self, target: int) -> int:
        self.seqnum += 1
        head = struct.pack(">IIIIII", 2, self.seqnum, self.devid, 0, 0, target)
        self.sock.sendall(head + bytes(24))
        return self.seqnum

    def header(self) -> tuple[int, int, int, int]:
        """Read 48 bytes: command, seqnum, status, length."""
        raw = self.exactly(48)
        command, seqnum = struct.unpack(">II", raw[:8])
        status, length = struct.unpack(">iI", raw[20:28])
        return command, seqnum, status, length

    def answer(self, seqnum: int, *, incoming: bool) -> tuple[int, bytes]:
        """Read the answer to a transfer: status and data."""
        command, number, status, length = self.header()
        assert (command, number) == (3, seqnum)
        return status, self.exactly(length) if incoming else b""

    def control(
        self,
        kind: int,
        code: int,
        value: int = 0,
        index: int = 0,
        length: int = 0,
        data: bytes = b"",
    ) -> tuple[int, bytes]:
        setup = struct.pack("<BBHHH", kind, code, value, index, length or len(data))
        incoming = bool(kind & 0x80)
        seqnum = self.submit(kind & 0x80, data, length, setup)
        return self.answer(seqnum, incoming=incoming)

    def configure(self) -> None:
        assert self.control(0x00, 9, 1) == (0, b"")

    def write(self, data: bytes, *, flags: int = 0x40) -> int:
        return self.answer(self.submit(0x01, data, flags=flags), incoming=False)[0]

    def read(self, room: int = 16384) -> tuple[int, bytes]:
        return self.answer(self.submit(0x81, room=room), incoming=True)
