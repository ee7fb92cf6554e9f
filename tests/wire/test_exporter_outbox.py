"""The outgoing side of a connection: in order, complete, and never in the sender's way."""

import socket
import threading
from collections.abc import Iterator

import pytest

from usbprov.emulation import outbox
from usbprov.emulation.outbox import Outbox

DEADLINE = 5.0
BLOCK = bytes(range(256)) * 256


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    theirs.settimeout(DEADLINE)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def theirs(ends: tuple[socket.socket, socket.socket]) -> socket.socket:
    return ends[1]


@pytest.fixture
def box(ends: tuple[socket.socket, socket.socket]) -> Iterator[Outbox]:
    box = Outbox(ends[0])
    yield box
    box.close()


def exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        assert piece, "the stream ended early"
        data += piece
    return data


def ended(sock: socket.socket) -> bool:
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


def test_what_fits_is_sent_at_once_and_by_the_caller(box: Outbox, theirs: socket.socket) -> None:
    before = set(threading.enumerate())
    box.post(b"small")
    assert set(threading.enumerate()) <= before
    theirs.setblocking(False)
    assert theirs.recv(100) == b"small"


def test_what_does_not_fit_follows_in_order(box: Outbox, theirs: socket.socket) -> None:
    blocks = [bytes((n,)) + BLOCK for n in range(40)]
    for block in blocks:
        box.post(block)
    for block in blocks:
        assert exactly(theirs, len(block)) == block


def test_nothing_overtakes_while_the_peer_catches_up(box: Outbox, theirs: socket.socket) -> None:
    def send() -> None:
        for n in range(400):
            box.post(n.to_bytes(2, "big") * 1500)

    sender = threading.Thread(target=send)
    sender.start()
    for n in range(400):
        assert exactly(theirs, 3000) == n.to_bytes(2, "big") * 1500
    sender.join()


def test_it_works_without_sockets_that_can_refuse_to_wait(
    box: Outbox, theirs: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_DONT_WAIT", None)
    for n in range(100):
        box.post(bytes((n,)))
    assert exactly(theirs, 100) == bytes(range(100))


def test_blocks_of_many_senders_stay_whole(box: Outbox, theirs: socket.socket) -> None:
    def send(n: int) -> None:
        for _ in range(20):
            box.post(bytes((n,)) * 5000)

    senders = [threading.Thread(target=send, args=(n,)) for n in range(8)]
    for sender in senders:
        sender.start()
    got = [exactly(theirs, 5000) for _ in range(160)]
    for sender in senders:
        sender.join()
    assert all(len(set(block)) == 1 for block in got)
    assert sorted(block[0] for block in got) == sorted(n for n in range(8) for _ in range(20))


def test_draining_waits_until_all_is_sent(box: Outbox, theirs: socket.socket) -> None:
    for _ in range(20):
        box.post(BLOCK)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(exactly(theirs, 20 * len(BLOCK))))
    reader.start()
    box.drain(DEADLINE)
    box.close()
    reader.join()
    assert got == [BLOCK * 20]


def test_draining_does_not_wait_for_ever(box: Outbox) -> None:
    for _ in range(20):
        box.post(BLOCK)
    box.drain(0.01)


def test_closing_does_not_wait_for_a_peer_that_does_not_read(box: Outbox) -> None:
    for _ in range(20):
        box.post(BLOCK)
    box.close()
    assert box._writer is not None
    assert not box._writer.is_alive()
    box.post(b"too late")


def test_a_peer_that_reads_too_little_is_given_up(
    box: Outbox, theirs: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "LIMIT", 4 * len(BLOCK))
    for _ in range(20):
        box.post(BLOCK)
    assert box._closed
    assert ended(theirs)


def test_a_peer_that_has_gone_is_no_error(box: Outbox, theirs: socket.socket) -> None:
    theirs.close()
    box.post(b"to nobody")
    box.post(b"to nobody")
    box.drain(DEADLINE)


def test_a_peer_that_goes_in_the_middle_is_no_error(box: Outbox, theirs: socket.socket) -> None:
    for _ in range(20):
        box.post(BLOCK)
    theirs.close()
    box.drain(DEADLINE)
    assert box._closed
