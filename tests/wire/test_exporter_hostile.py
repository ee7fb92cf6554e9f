"""What clients may send without harm to the exporter and to others."""

import random
import socket
import struct
from collections.abc import Iterator

import pytest
from doubles.usb_device import echo, phone_like
from doubles.usbip_client import RawClient

from usbprov.emulation.exporter import Exporter

IMPORT = bytes.fromhex("0111800300000000")


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    with Exporter({"1-1": phone_like(echo()), "1-2": phone_like(echo())}) as exporter:
        yield exporter
        with RawClient(exporter.port) as client:
            assert client.attach("1-1") == 0, "the exporter did not survive"
            client.configure()
            assert client.write(b"alive") == 0
            assert client.read() == (0, b"alive")


def submit(seqnum: int, *, direction: int, endpoint: int, length: int, packets: int) -> bytes:
    fields = (1, seqnum, 0, direction, endpoint, 0, length, 0, packets, 0)
    return struct.pack(">10I", *fields) + bytes(8)


NOT_ISO = 0xFFFFFFFF
BAD_TRANSFERS = {
    "too long": submit(1, direction=0, endpoint=1, length=1 << 31, packets=NOT_ISO),
    "too much room": submit(1, direction=1, endpoint=1, length=1 << 31, packets=NOT_ISO),
    "isochronous": submit(1, direction=1, endpoint=1, length=64, packets=4),
    "endpoint 99": submit(1, direction=1, endpoint=99, length=64, packets=NOT_ISO),
    "sideways": submit(1, direction=7, endpoint=1, length=64, packets=NOT_ISO),
    "an answer": struct.pack(">I", 3) + bytes(44),
    "same number twice": submit(1, direction=1, endpoint=1, length=64, packets=NOT_ISO) * 2,
    "far too many": b"".join(
        submit(n, direction=1, endpoint=1, length=64, packets=NOT_ISO) for n in range(1, 5000)
    ),
}


@pytest.mark.parametrize("raw", BAD_TRANSFERS.values(), ids=BAD_TRANSFERS)
def test_a_bad_transfer_costs_the_client_its_connection(exporter: Exporter, raw: bytes) -> None:
    with RawClient(exporter.port) as client:
        assert client.attach("1-1") == 0
        client.configure()
        client.sock.sendall(raw)
        assert client.ended()


@pytest.mark.parametrize(
    "raw",
    [b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\xff" * 64, IMPORT + b"1" * 32, bytes(8)],
    ids=["http", "zeros", "ones", "unclosed text", "no code"],
)
def test_a_bad_request_costs_the_client_its_connection(exporter: Exporter, raw: bytes) -> None:
    with RawClient(exporter.port) as client:
        client.sock.sendall(raw)
        assert client.ended()


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_survived(exporter: Exporter, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    with RawClient(exporter.port) as client:
        if seed % 2:
            assert client.attach("1-2") == 0
        try:
            client.sock.sendall(rng.randbytes(rng.randrange(1, 5000)))
            client.sock.shutdown(socket.SHUT_WR)
        except ConnectionError:
            return
        assert client.ended()


def test_a_client_that_says_nothing_is_no_burden(exporter: Exporter) -> None:
    with RawClient(exporter.port):
        pass


def test_a_client_that_breaks_off_is_forgotten(exporter: Exporter) -> None:
    client = RawClient(exporter.port)
    assert client.attach("1-1") == 0
    client.sock.sendall(submit(1, direction=0, endpoint=1, length=512, packets=0) + bytes(100))
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sock.close()


def test_a_list_that_nobody_reads_ends(exporter: Exporter) -> None:
    for n in range(1, 100):
        exporter.attach(f"2-{n}", phone_like(echo()))
    with RawClient(exporter.port) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        assert len(client.list()) == 101
