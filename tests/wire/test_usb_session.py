"""A USB/IP session against an exporter that does exactly what a test tells it."""

import errno
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import usb.core
from usb_support import eventually, exported, phone

from usbprov.errors import PhoneGone
from usbprov.usb import usbip_session
from usbprov.usb.transfers import TIMED_OUT, Completion, Transfer, control
from usbprov.usb.usbip_client import Address, import_device
from usbprov.usb.usbip_session import UsbIpSession
from usbprov.usbip import (
    ExportedDevice,
    ImportReply,
    ImportRequest,
    ServerDecoder,
    Status,
    Submit,
    SubmitReply,
    TransferStatus,
    Unlink,
    UnlinkReply,
)

DEVICE = ExportedDevice("/sys/1-1", "1-1", 1, 5, 3, 0x1209, 1, 0x100, 0, 0, 0, 1, 1, 0)
READ = Transfer(0x81, 512)


class Script:
    """The exporter's end: gives what came, sends what it is told."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._decoder = ServerDecoder()

    def next(self) -> object:
        while (message := self._decoder.pop()) is None:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self._decoder.feed(data)
        return message

    def expect(self, kind: type):
        message = self.next()
        assert isinstance(message, kind), message
        return message

    def send(self, *messages) -> None:
        self.sock.sendall(b"".join(message.encode() for message in messages))

    def grant(self) -> None:
        assert self.expect(ImportRequest).busid == "1-1"
        self._decoder.imported()
        self.send(ImportReply(Status.OK, DEVICE))


@contextmanager
def scripted(script: Callable[[Script], None]) -> Iterator[Address]:
    """Run ``script`` for the one connection that comes; its failure is the test's."""
    failures: queue.Queue[BaseException] = queue.Queue()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            sock, _ = server.accept()
            with sock:
                sock.settimeout(10)
                try:
                    script(Script(sock))
                except BaseException as failure:
                    failures.put(failure)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Address("127.0.0.1", server.getsockname()[1])
        finally:
            thread.join(10)
    assert not thread.is_alive()
    if not failures.empty():
        raise failures.get()


@contextmanager
def session_with(script: Callable[[Script], None]) -> Iterator[UsbIpSession]:
    def granted(end: Script) -> None:
        end.grant()
        script(end)

    with scripted(granted) as address:
        session = import_device(address, "1-1", 0.0)
        try:
            yield session
        finally:
            session.close()


def left_open() -> tuple[int, int]:
    """Return how many threads and how many files this process has."""
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def until_end(end: Script) -> None:
    with pytest.raises(EOFError):
        end.next()


class TestSubmit:
    def test_what_is_on_the_wire(self):
        seen = []

        def script(end: Script) -> None:
            for actual in (5, 0, 2):
                seen.append(end.expect(Submit))
                data = b"\x01\x00"[:actual] if seen[-1].direction else b""
                end.send(SubmitReply(seen[-1].seqnum, 0, actual, data))
            until_end(end)

        with session_with(script) as session:
            assert session.transfer(Transfer(0x02, 5, b"hello"), 1.0) == Completion(0, b"", 5)
            assert session.transfer(Transfer(0x83, 64, interval=8), 1.0) == Completion(0, b"", 0)
            asked = control(0x81, 0, 0x1234, 0x5678, length=2)
            assert session.transfer(asked, 1.0) == Completion(0, b"\x01\x00", 2)
        out, interrupt, request = seen
        assert (out.devid, out.address, out.data) == (1 << 16 | 5, 0x02, b"hello")
        assert (interrupt.address, interrupt.length, interrupt.interval) == (0x83, 64, 8)
        assert request.setup == bytes.fromhex("8100341278560200")
        assert len({message.seqnum for message in seen}) == 3

    def test_answers_in_another_order(self):
        def script(end: Script) -> None:
            asked = [end.expect(Submit) for _ in range(3)]
            for message in reversed(asked):
                answer = bytes([message.endpoint])
                end.send(SubmitReply(message.seqnum, 0, 1, answer))
            until_end(end)

        got = {}
        with session_with(script) as session:

            def read(endpoint: int) -> None:
                got[endpoint] = session.transfer(Transfer(0x80 | endpoint, 512), 5.0).data

            threads = [threading.Thread(target=read, args=(n,)) for n in (1, 2, 3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert got == {1: b"\x01", 2: b"\x02", 3: b"\x03"}


class TestUnlink:
    def test_that_came_in_time(self):
        def script(end: Script) -> None:
            asked, unlink = end.expect(Submit), end.expect(Unlink)
            assert (unlink.target, unlink.devid) == (asked.seqnum, asked.devid)
            assert unlink.seqnum != asked.seqnum
            end.send(UnlinkReply(unlink.seqnum, TransferStatus.UNLINKED))
            again = end.expect(Submit)
            end.send(SubmitReply(again.seqnum, 0, 4, b"next"))
            until_end(end)

        with session_with(script) as session:
            assert session.transfer(READ, 0.02).status == TIMED_OUT
            assert session.transfer(READ, 1.0).data == b"next"

    def test_that_crossed_the_answer(self):
        def script(end: Script) -> None:
            asked, unlink = end.expect(Submit), end.expect(Unlink)
            end.send(SubmitReply(asked.seqnum, 0, 4, b"data"), UnlinkReply(unlink.seqnum, 0))
            until_end(end)

        with session_with(script) as session:
            assert session.transfer(READ, 0.02) == Completion(0, b"data", 4)

    def test_whose_answer_overtook_that_of_the_transfer(self):
        def script(end: Script) -> None:
            asked, unlink = end.expect(Submit), end.expect(Unlink)
            end.send(UnlinkReply(unlink.seqnum, 0), SubmitReply(asked.seqnum, 0, 4, b"data"))
            until_end(end)

        with session_with(script) as session:
            assert session.transfer(READ, 0.02) == Completion(0, b"data", 4)

    def test_very_late_data_go_to_the_next_read_of_the_endpoint_once(self):
        late = threading.Event()

        def script(end: Script) -> None:
            asked, unlink = end.expect(Submit), end.expect(Unlink)
            end.send(UnlinkReply(unlink.seqnum, 0))
            assert late.wait(5)
            end.send(SubmitReply(asked.seqnum, 0, 4, b"late"))
            other = end.expect(Submit)
            assert other.endpoint == 2
            end.send(SubmitReply(other.seqnum, 0, 5, b"other"))
            again = end.expect(Submit)
            end.send(SubmitReply(again.seqnum, 0, 4, b"next"))
            until_end(end)

        with session_with(script) as session:
            assert session.transfer(READ, 0.02).status == TIMED_OUT
            late.set()
            assert session.transfer(Transfer(0x82, 512), 1.0).data == b"other"
            assert session.transfer(Transfer(0x81, 3), 1.0) == Completion(0, b"lat", 3)
            assert session.transfer(READ, 1.0).data == b"e"
            assert session.transfer(READ, 1.0).data == b"next"

    def test_very_late_data_find_a_read_that_waits_already(self):
        def script(end: Script) -> None:
            asked, unlink = end.expect(Submit), end.expect(Unlink)
            end.send(UnlinkReply(unlink.seqnum, 0))
            second = end.expect(Submit)
            end.send(SubmitReply(asked.seqnum, 0, 4, b"late"))
            unlink = end.expect(Unlink)
            assert unlink.target == second.seqnum
            end.send(SubmitReply(second.seqnum, 0, 4, b"next"), UnlinkReply(unlink.seqnum, 0))
            until_end(end)

        with session_with(script) as session:
            assert session.transfer(READ, 0.02).status == TIMED_OUT
            assert session.transfer(READ, 5.0).data == b"late"
            assert session.transfer(READ, 1.0).data == b"next"

    def test_that_is_never_answered_ends_the_session(self, monkeypatch):
        monkeypatch.setattr(usbip_session, "_UNLINK_TIMEOUT", 0.1)

        def script(end: Script) -> None:
            end.expect(Submit)
            end.expect(Unlink)
            until_end(end)

        with session_with(script) as session:
            assert session.transfer(READ, 0.02).status == TransferStatus.NO_DEVICE
            assert session.transfer(READ, 1.0).status == TransferStatus.NO_DEVICE


class TestEnd:
    def test_exporter_closes(self):
        def script(end: Script) -> None:
            end.expect(Submit)

        with session_with(script) as session:
            began = time.monotonic()
            assert session.transfer(READ, 5.0).status == TransferStatus.NO_DEVICE
            assert time.monotonic() - began < 1.0

    @pytest.mark.parametrize(
        "rubbish",
        [
            bytes(48),
            b"\xff" * 48,
            SubmitReply(4711, 0, 0).encode(),
            UnlinkReply(4711, 0).encode(),
        ],
        ids=["zeros", "ones", "answer to nothing", "unlink of nothing"],
    )
    def test_exporter_sends_rubbish(self, rubbish):
        def script(end: Script) -> None:
            end.expect(Submit)
            end.sock.sendall(rubbish)
            until_end(end)

        with session_with(script) as session:
            assert session.transfer(READ, 5.0).status == TransferStatus.NO_DEVICE

    def test_exporter_sends_more_than_was_asked_for(self):
        def script(end: Script) -> None:
            asked = end.expect(Submit)
            end.send(SubmitReply(asked.seqnum, 0, 513, bytes(513)))
            until_end(end)

        with session_with(script) as session:
            assert session.transfer(READ, 5.0).status == TransferStatus.NO_DEVICE

    def test_close_ends_what_is_under_way_and_may_be_repeated(self):
        asked = threading.Event()

        def script(end: Script) -> None:
            end.expect(Submit)
            asked.set()
            until_end(end)

        got = []
        with session_with(script) as session:
            thread = threading.Thread(target=lambda: got.append(session.transfer(READ, None)))
            thread.start()
            assert asked.wait(5)
            session.close()
            thread.join(5)
            session.close()
        assert [completion.status for completion in got] == [TransferStatus.NO_DEVICE]

    def test_no_thread_and_no_socket_is_left(self):
        with exported({"1-1": phone()}) as rig:
            rig.link().close()
            before = left_open()
            for _ in range(5):
                rig.link().close()
            assert eventually(lambda: left_open() <= before)  # the exporter's ends, too

    def test_exporter_that_does_not_close_its_end_does_not_hold_us_up(self):
        done = threading.Event()

        def script(end: Script) -> None:
            until_end(end)
            done.wait(10)

        with session_with(script) as session:
            began = time.monotonic()
            session.close()
            assert time.monotonic() - began < 2.0
            done.set()

    def test_a_session_that_breaks_ends_whoever_waits_at_once(self, monkeypatch):
        monkeypatch.setattr(usbip_session, "_UNLINK_TIMEOUT", 0.1)
        over = threading.Event()

        def script(end: Script) -> None:
            for kind in (Submit, Submit, Unlink):
                end.expect(kind)
            assert over.wait(10)  # it neither answers nor closes its end

        got = []
        with session_with(script) as session:
            reader = threading.Thread(target=lambda: got.append(session.transfer(READ, None)))
            reader.start()
            assert eventually(lambda: session._is_read)
            assert session.transfer(Transfer(0x82, 8), 0.02).status == TransferStatus.NO_DEVICE
            reader.join(5)
            over.set()
        assert [completion.status for completion in got] == [TransferStatus.NO_DEVICE]


class TestImport:
    @pytest.mark.parametrize(
        ("status", "number"),
        [
            (Status.BUSY, errno.EBUSY),
            (Status.NOT_AVAILABLE, errno.EBUSY),
            (Status.NO_DEVICE, errno.ENODEV),
            (Status.DEVICE_ERROR, errno.EIO),
            (77, errno.EIO),
        ],
    )
    def test_refused(self, status, number):
        def script(end: Script) -> None:
            end.expect(ImportRequest)
            end.send(ImportReply(status))

        with scripted(script) as address, pytest.raises(usb.core.USBError) as caught:
            import_device(address, "1-1", 0.0)
        assert caught.value.errno == number

    def test_exporter_was_killed_since_the_list(self):
        with exported({"1-1": phone()}) as rig:
            attached = rig.attached()
            assert rig.exporter is not None
            rig.exporter.close()
            with pytest.raises(PhoneGone):
                attached.open_bulk(attached.facts.interfaces[0])

    def test_exporter_killed_while_a_link_is_read(self):
        with exported({"1-1": phone()}) as rig:
            link = rig.link()
            assert rig.exporter is not None
            timer = threading.Timer(0.05, rig.exporter.close)
            timer.start()
            began = time.monotonic()
            with pytest.raises(PhoneGone):
                link.read(10.0)
            assert time.monotonic() - began < 1.0
            timer.join()

    def test_another_device_at_the_port_is_not_taken_for_the_listed_one(self):
        with exported({"1-1": phone(1)}) as rig:
            attached = rig.attached()
            assert rig.exporter is not None
            rig.exporter.detach("1-1")
            rig.exporter.attach("1-1", phone(2).device)
            with pytest.raises(PhoneGone):
                attached.open_bulk(attached.facts.interfaces[0])
            assert rig.attached().facts.serial == "EMU0002"
