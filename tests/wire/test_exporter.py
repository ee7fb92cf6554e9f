"""The exporter on the wire, against a USB/IP client that shares no code with it."""

import threading
import time
from collections.abc import Iterator

import pytest
from doubles.usb_device import Recorder, echo, phone_like
from doubles.usbip_client import RawClient

from usbprov.emulation.device import UsbDevice
from usbprov.emulation.exporter import Exporter
from usbprov.emulation.faults import Effect, Fault
from usbprov.errors import LabUnusable

STALL, NO_DEVICE, UNLINKED = -32, -19, -104
OK, BUSY, ABSENT = 0, 2, 4
DEADLINE = 5.0


def eventually(condition: object, seconds: float = DEADLINE) -> bool:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


@pytest.fixture
def function() -> Recorder:
    return echo()


@pytest.fixture
def device(function: Recorder) -> UsbDevice:
    return phone_like(function, console=echo())


@pytest.fixture
def exporter(device: UsbDevice) -> Iterator[Exporter]:
    with Exporter({"1-1.4": device}) as exporter:
        yield exporter


@pytest.fixture
def client(exporter: Exporter) -> Iterator[RawClient]:
    with RawClient(exporter.port) as client:
        assert client.attach("1-1.4") == OK
        client.configure()
        yield client


def listed(exporter: Exporter) -> dict[str, tuple[int, int]]:
    with RawClient(exporter.port) as client:
        return {d.busid: (d.busnum, d.devnum) for d in client.list()}


# --- list and import ---


def test_the_list_tells_what_is_attached(exporter: Exporter) -> None:
    with RawClient(exporter.port) as client:
        (found,) = client.list()
        assert client.ended()
    assert (found.busid, found.busnum, found.devnum, found.speed) == ("1-1.4", 1, 2, 3)
    assert (found.vendor_id, found.product_id) == (0x1209, 0x0001)
    assert found.path.endswith("/usb1/1-1.4")
    assert found.interfaces == (b"\xff\x50\x01", b"\x02\x02\x00", b"\x0a\x00\x00")


def test_the_connection_ends_only_when_all_was_said(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usbprov.emulation.outbox._DONT_WAIT", None)  # leaves all to the writer
    for n in range(1, 50):
        exporter.attach(f"2-{n}", phone_like(Recorder()))
    for _ in range(5):
        assert len(listed(exporter)) == 50


def test_an_import_gives_the_device(exporter: Exporter) -> None:
    with RawClient(exporter.port) as client:
        assert client.attach("1-1.4") == OK
        assert client.devid == 1 << 16 | 2


def test_an_unknown_port_cannot_be_imported(exporter: Exporter) -> None:
    with RawClient(exporter.port) as client:
        assert client.attach("1-1.5") == ABSENT
        assert client.ended()


def test_a_second_client_is_refused_and_the_first_goes_on(
    exporter: Exporter, client: RawClient
) -> None:
    with RawClient(exporter.port) as second:
        assert second.attach("1-1.4") == BUSY
        assert second.ended()
    assert "1-1.4" in listed(exporter)
    assert client.write(b"x") == 0
    assert client.read() == (0, b"x")


def test_a_device_is_free_and_new_when_its_client_has_left(
    exporter: Exporter, function: Recorder, device: UsbDevice
) -> None:
    for _ in range(20):
        with RawClient(exporter.port) as client:
            assert client.attach("1-1.4") == OK
            client.configure()
            assert client.write(b"left unread") == 0
            client.submit(0x81, room=4)
    assert eventually(lambda: device.configuration == 0)
    with RawClient(exporter.port) as client:
        assert client.attach("1-1.4") == OK
        assert client.control(0x80, 8, length=1) == (0, b"\0")
        client.configure()
        assert client.write(b"new") == 0
        assert client.read() == (0, b"new")
    assert function.events.count("reset") >= 20


def test_the_end_of_the_stream_says_that_the_device_is_free(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usbprov.emulation.connection.PATIENCE", 0)
    for _ in range(50):
        with RawClient(exporter.port) as client:
            assert client.attach("1-1.4") == OK
            client.sock.shutdown(1)
            assert client.ended()


# --- transfers ---


def test_descriptors_are_read(client: RawClient) -> None:
    status, device = client.control(0x80, 6, 0x0100, length=18)
    assert (status, len(device)) == (0, 18)
    assert device[8:12] == bytes.fromhex("09120100")
    status, serial = client.control(0x80, 6, 0x0300 | device[16], 0x0409, length=255)
    assert (status, serial[2:].decode("utf-16-le")) == (0, "EMU0001")
    assert client.control(0x80, 6, 0x2100, length=18) == (STALL, b"")


@pytest.mark.parametrize("size", [1, 511, 512, 513, 4096, 65536, 1 << 20])
def test_messages_come_back(client: RawClient, size: int) -> None:
    message = bytes(i * 7 % 256 for i in range(4096)) * (size // 4096 + 1)
    message = message[:size]
    assert client.write(message) == 0
    got = b""
    while True:
        status, part = client.read(32768)
        assert status == 0
        got += part
        if len(part) < 32768:
            break
    assert got == message


def test_the_zero_packet_flag_is_obeyed(client: RawClient, function: Recorder) -> None:
    assert client.write(bytes(512), flags=0) == 0
    assert client.write(b"", flags=0) == 0
    assert client.write(bytes(512), flags=0x40) == 0
    assert function.wait_for(lambda: function.received == [bytes(512)] * 2)


def test_a_waiting_read_does_not_hold_up_the_rest(client: RawClient, function: Recorder) -> None:
    waiting = client.submit(0x81, room=64)
    assert client.control(0x80, 8, length=1) == (0, b"\1")
    function.send(b"at last")
    assert client.answer(waiting, incoming=True) == (0, b"at last")


def test_a_waiting_read_is_unlinked(client: RawClient) -> None:
    waiting = client.submit(0x81, room=64)
    unlink = client.unlink(waiting)
    assert client.header() == (4, unlink, UNLINKED, 0)
    assert client.write(b"x") == 0
    assert client.read() == (0, b"x")


def test_an_unlink_that_comes_too_late_says_so(client: RawClient) -> None:
    assert client.write(b"x") == 0
    unlink = client.unlink(client.seqnum)
    assert client.header() == (4, unlink, 0, 0)


def test_a_stall_reaches_the_client(client: RawClient, device: UsbDevice) -> None:
    device.faults.add(Fault(Effect.STALL, 0x81, times=1))
    assert client.read() == (STALL, b"")
    assert client.control(0x02, 1, 0, 0x81) == (0, b"")
    assert client.write(b"x") == 0
    assert client.read() == (0, b"x")


def test_a_client_that_does_not_read_stops_nobody(
    exporter: Exporter, client: RawClient, function: Recorder, device: UsbDevice
) -> None:
    exporter.attach("1-2", phone_like(echo()))
    seqnums = []
    for _ in range(64):
        seqnums.append(client.submit(0x81, room=1 << 17))
        assert eventually(lambda: device._state.pending)
        function.send(bytes(1 << 17)[:-1])
    with RawClient(exporter.port) as other:
        assert other.attach("1-2") == OK
        other.configure()
        assert other.write(b"x") == 0
    for seqnum in seqnums:
        status, data = client.answer(seqnum, incoming=True)
        assert (status, len(data)) == (0, (1 << 17) - 1)


# --- plugging ---


def test_unplugging_ends_transfers_and_the_connection(
    exporter: Exporter, client: RawClient, device: UsbDevice
) -> None:
    waiting = client.submit(0x81, room=64)
    assert client.control(0x80, 8, length=1) == (0, b"\1")
    device.unplug()
    assert client.answer(waiting, incoming=True) == (NO_DEVICE, b"")
    assert client.ended()
    assert listed(exporter) == {}
    with RawClient(exporter.port) as second:
        assert second.attach("1-1.4") == ABSENT


def test_plugging_in_again_gives_a_new_address(exporter: Exporter, device: UsbDevice) -> None:
    device.unplug()
    device.plug()
    assert listed(exporter) == {"1-1.4": (1, 3)}
    with RawClient(exporter.port) as client:
        assert client.attach("1-1.4") == OK


def test_devices_come_and_go(exporter: Exporter, client: RawClient) -> None:
    exporter.attach("2-1", phone_like(Recorder()))
    assert set(listed(exporter)) == {"1-1.4", "2-1"}
    exporter.detach("1-1.4")
    exporter.detach("1-1.4")
    assert client.ended()
    assert set(listed(exporter)) == {"2-1"}


def test_112_devices_work_at_once() -> None:
    ports = [f"1-{hub}.{port}" for hub in range(1, 17) for port in range(1, 8)]
    devices = {p: phone_like(echo(), serial=f"EMU{i:04}") for i, p in enumerate(ports, 1)}
    failures: list[str] = []

    def use(port: str) -> None:
        with RawClient(exporter.port) as client:
            client.sock.settimeout(30)
            ok = client.attach(port) == OK
            client.configure()
            for i in range(5):
                ok = ok and client.write(f"{port} {i}".encode()) == 0
                ok = ok and client.read() == (0, f"{port} {i}".encode())
            serial = client.control(0x80, 6, 0x0303, 0x0409, length=255)[1][2:].decode("utf-16-le")
            if not ok or serial != devices[port].identity.serial:
                failures.append(port)

    with Exporter(devices) as exporter:
        found = listed(exporter)
        assert list(found) == ports
        assert len(set(found.values())) == 112
        threads = [threading.Thread(target=use, args=(port,)) for port in ports]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


# --- start and stop ---


def test_closing_leaves_no_thread_behind(device: UsbDevice) -> None:
    before = set(threading.enumerate())
    exporter = Exporter({"1-1": device}).start()
    clients = [RawClient(exporter.port) for _ in range(5)]
    assert clients[0].attach("1-1") == OK
    exporter.close()
    exporter.close()
    assert set(threading.enumerate()) <= before
    for client in clients:
        assert client.ended()
        client.sock.close()
    with pytest.raises(OSError):  # noqa: PT011
        RawClient(exporter.port)
    device.unplug()


def test_an_exporter_that_never_started_is_closed() -> None:
    Exporter({}).close()


def test_its_address_is_told(exporter: Exporter) -> None:
    assert exporter.uri == f"usbip://127.0.0.1:{exporter.port}"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "phones.example.com", ""])  # noqa: S104
def test_it_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(LabUnusable):
        Exporter({}, host=host)


def test_a_port_that_is_taken_is_refused(exporter: Exporter) -> None:
    second = Exporter({}, port=exporter.port)
    with pytest.raises(LabUnusable, match="cannot listen"):
        second.start()
    second.close()


def test_two_devices_cannot_share_a_port(exporter: Exporter, device: UsbDevice) -> None:
    with pytest.raises(LabUnusable):
        exporter.attach("1-1.4", device)
