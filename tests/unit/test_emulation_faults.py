"""What a host sees of each fault, and that the device is whole again without it."""

import threading
import time

import pytest
from doubles.usb_device import Host, Recorder, echo, phone_like

from usbprov.emulation.faults import Cut, Effect, Fault, Faults
from usbprov.usbip import Direction, SetupPacket, TransferStatus

OUT, IN, CONTROL = 0x01, 0x81, 0x00
GET_DESCRIPTOR, GET_CONFIGURATION = 6, 8


@pytest.fixture
def function() -> Recorder:
    return echo()


@pytest.fixture
def host(function: Recorder) -> Host:
    return Host(phone_like(function, console=echo()))


@pytest.mark.parametrize("endpoint", [OUT, IN])
def test_a_stall_lasts_until_the_host_clears_it(host: Host, endpoint: int) -> None:
    host.device.faults.add(Fault(Effect.STALL, endpoint, times=1))
    if endpoint == OUT:
        assert host.write(b"lost").status == TransferStatus.STALL
        assert host.write(b"lost").status == TransferStatus.STALL
    else:
        assert host.read().status == TransferStatus.STALL
        assert host.read().status == TransferStatus.STALL
    host.clear_halt(endpoint)
    host.write(b"good")
    assert host.read().data == b"good"


def test_a_stall_ends_a_read_that_waits(host: Host) -> None:
    waiting = host.start(IN, length=64)
    host.device.faults.add(Fault(Effect.STALL, IN))
    assert waiting.wait().status == TransferStatus.STALL


def test_a_stalled_control_request_is_refused_as_often_as_asked(host: Host) -> None:
    host.device.faults.add(Fault(Effect.STALL, CONTROL, GET_DESCRIPTOR, times=2))
    answers = [host.control(0x80, GET_DESCRIPTOR, 0x0100, room=18).status for _ in range(3)]
    assert answers == [TransferStatus.STALL, TransferStatus.STALL, TransferStatus.OK]


def test_a_fault_of_one_request_leaves_the_others_alone(host: Host) -> None:
    host.device.faults.add(Fault(Effect.STALL, CONTROL, GET_DESCRIPTOR))
    assert host.get(0x80, GET_CONFIGURATION, room=1) == b"\1"


def test_late_data_come_out_of_a_later_read(host: Host) -> None:
    fault = Fault(Effect.DELAY, IN, seconds=0.05)
    host.device.faults.add(fault)
    began = time.monotonic()
    host.write(b"slow")
    early = host.start(IN, length=64)
    assert host.device.cancel(early.urb)
    assert host.read().data == b"slow"
    assert time.monotonic() - began >= 0.05
    assert early.completions == []


def test_nothing_overtakes_what_is_delayed(host: Host, function: Recorder) -> None:
    host.device.faults.add(Fault(Effect.DELAY, IN, seconds=0.05, times=1))
    began = time.monotonic()
    for i in range(5):
        function.send(bytes((i,)))
    first = host.start(IN, length=64)
    assert not first.done.is_set()
    assert first.wait().data == b"\0"
    assert time.monotonic() - began >= 0.05
    assert [host.read().data for _ in range(4)] == [b"\1", b"\2", b"\3", b"\4"]


def test_a_delayed_write_is_taken_later_or_not_at_all(host: Host, function: Recorder) -> None:
    host.device.faults.add(Fault(Effect.DELAY, OUT, seconds=0.05))
    given_up = host.start(OUT, b"given up")
    assert not given_up.done.is_set()
    assert host.device.cancel(given_up.urb)
    assert host.write(b"patient").status == 0
    assert function.wait_for(lambda: bool(function.received))
    assert function.received == [b"patient"]


def test_a_delayed_control_answer(host: Host) -> None:
    host.device.faults.add(Fault(Effect.DELAY, CONTROL, GET_DESCRIPTOR, seconds=0.05))
    began = time.monotonic()
    assert len(host.descriptor(1)) == 18
    assert time.monotonic() - began >= 0.05


def test_resync_forgets_what_is_delayed(host: Host, function: Recorder) -> None:
    host.device.faults.add(Fault(Effect.DELAY, IN, seconds=0.02, times=1))
    function.send(b"stale")
    assert host.control(0x41, 0x52, 0, 0).status == 0
    assert host.control(0x41, 0x52, 0, 0).status == 0
    waiting = host.start(IN, length=64)
    function.send(b"fresh")
    assert waiting.wait().data == b"fresh"


def test_unplugging_forgets_what_is_delayed(host: Host, function: Recorder) -> None:
    host.device.faults.add(Fault(Effect.DELAY, OUT, seconds=0.02))
    late = host.start(OUT, b"late")
    host.device.unplug()
    assert late.wait().status == TransferStatus.NO_DEVICE
    host.device.faults.clear()
    host.device.plug()
    Host(host.device).write(b"new")
    assert function.received == [b"new"]


@pytest.mark.parametrize("endpoint", [OUT, IN])
def test_a_short_transfer_is_short_without_an_error(host: Host, endpoint: int) -> None:
    host.device.faults.add(Fault(Effect.SHORT, endpoint, length=3, times=1))
    assert host.write(b"whole message").status == 0
    assert host.read().data == b"who"


def test_a_short_control_answer(host: Host) -> None:
    host.device.faults.add(Fault(Effect.SHORT, CONTROL, GET_DESCRIPTOR, length=2))
    assert host.descriptor(1) == b"\x12\x01"


@pytest.mark.parametrize("endpoint", [OUT, IN])
def test_garbage_is_as_long_and_the_same_each_time(host: Host, endpoint: int) -> None:
    host.device.faults.add(Fault(Effect.GARBAGE, endpoint, seed=7, times=2))
    answers = []
    for _ in range(2):
        host.write(b"whole message")
        answers.append(host.read().data)
    assert answers[0] == answers[1] != b"whole message"
    assert len(answers[0]) == 13
    host.write(b"good")
    assert host.read().data == b"good"


def test_garbage_on_the_control_endpoint(host: Host) -> None:
    true = host.descriptor(2)
    host.device.faults.add(Fault(Effect.GARBAGE, CONTROL, GET_DESCRIPTOR, seed=1))
    lie = host.descriptor(2)
    assert lie != true
    assert len(lie) == len(true)


@pytest.mark.parametrize("room", [64, 512, 16384])
def test_a_babble_is_an_overflow_however_much_room_there_is(host: Host, room: int) -> None:
    host.device.faults.add(Fault(Effect.BABBLE, IN, times=1))
    host.write(b"hello")
    assert host.read(room).status == TransferStatus.OVERFLOW
    host.write(b"good")
    assert host.read().data == b"good"


def test_a_babbling_control_answer(host: Host) -> None:
    host.device.faults.add(Fault(Effect.BABBLE, CONTROL, GET_DESCRIPTOR))
    completion = host.control(0x80, GET_DESCRIPTOR, 0x0100, room=18)
    assert completion.status == TransferStatus.OVERFLOW


def test_a_babble_spoils_a_write(host: Host, function: Recorder) -> None:
    host.device.faults.add(Fault(Effect.BABBLE, OUT, times=1))
    assert host.write(b"spoilt").status == TransferStatus.OVERFLOW
    host.write(b"good")
    assert function.received == [b"good"]


def test_a_delayed_resync_of_a_function_that_has_gone_is_answered(host: Host) -> None:
    host.device.faults.add(Fault(Effect.DELAY, CONTROL, 0x52, seconds=0.05))
    resync = host.start(0, setup=SetupPacket(0x41, 0x52, 0, 0, 0))
    host.start(0, setup=SetupPacket(0x00, 9, 0, 0, 0))
    assert resync.wait().status == 0


def test_a_dropped_write_is_accepted_and_lost(host: Host, function: Recorder) -> None:
    host.device.faults.add(Fault(Effect.DROP, OUT, times=1))
    assert host.write(b"lost").status == 0
    host.write(b"good")
    assert function.received == [b"good"]


def test_a_dropped_answer_never_comes(host: Host, function: Recorder) -> None:
    host.device.faults.add(Fault(Effect.DROP, IN, times=1))
    waiting = host.start(IN, length=64)
    function.send(b"lost")
    assert not waiting.done.is_set()
    function.send(b"good")
    assert waiting.wait().data == b"good"


def test_a_dropped_control_answer_never_comes(host: Host) -> None:
    host.device.faults.add(Fault(Effect.DROP, CONTROL, GET_CONFIGURATION))
    waiting = host.start(0, length=1, setup=SetupPacket(0x80, GET_CONFIGURATION, 0, 0, 1))
    assert host.device.cancel(waiting.urb)
    assert waiting.completions == []


@pytest.mark.parametrize(
    ("count", "arrived"), [(9, []), (10, [b"0123456789"]), (11, [b"0123456789"])]
)
def test_the_cable_is_pulled_while_the_host_writes(
    host: Host, function: Recorder, count: int, arrived: list[bytes]
) -> None:
    host.device.faults.unplug_after(count, Direction.OUT)
    first = host.write(b"0123456789").status
    assert first == (TransferStatus.NO_DEVICE if count < 10 else TransferStatus.OK)
    assert function.received == arrived
    assert host.write(b"more").status == TransferStatus.NO_DEVICE
    assert function.received == arrived
    assert not host.device.plugged


def test_packets_before_the_cut_reach_a_stream() -> None:
    console = Recorder()
    host = Host(phone_like(Recorder(), console=console))
    host.device.faults.unplug_after(1100, Direction.OUT)
    assert host.write(bytes(2000), endpoint=0x03).status == TransferStatus.NO_DEVICE
    assert console.received == [bytes(512), bytes(512)]


@pytest.mark.parametrize("count", [4, 5])
def test_the_cable_is_pulled_while_the_host_reads(
    host: Host, function: Recorder, count: int
) -> None:
    host.device.faults.unplug_after(count, Direction.IN)
    function.send(b"12345")
    completion = host.read()
    assert completion.status == (TransferStatus.NO_DEVICE if count < 5 else TransferStatus.OK)
    assert host.read().status == TransferStatus.NO_DEVICE


def test_the_cable_is_pulled_once(host: Host, function: Recorder) -> None:
    host.device.faults.unplug_after(0, Direction.OUT)
    assert host.write(b"x").status == TransferStatus.NO_DEVICE
    host.device.plug()
    assert Host(host.device).write(b"x").status == 0


def test_control_transfers_do_not_count(host: Host) -> None:
    host.device.faults.unplug_after(1, Direction.IN)
    assert len(host.descriptor(2)) > 1
    assert host.device.plugged


def test_descriptors_may_lie(host: Host) -> None:
    def liar(kind: int, index: int, true: bytes) -> bytes | None:
        lies = {1: b"", 2: true[:2] + b"\xff\xff" + true[4:], 3: None}
        return lies.get(kind, true)

    true = host.descriptor(15)
    host.device.faults.descriptor = liar
    assert host.descriptor(1) == b""
    assert host.descriptor(2)[2:4] == b"\xff\xff"
    assert host.control(0x80, 6, 0x0301, room=64).status == TransferStatus.STALL
    assert host.descriptor(15) == true
    host.device.faults.clear()
    assert len(host.descriptor(1)) == 18


def test_faults_add_up() -> None:
    faults = Faults()
    faults.add(Fault(Effect.SHORT, IN, length=4))
    faults.add(Fault(Effect.GARBAGE, IN, seed=3))
    faults.add(Fault(Effect.DELAY, IN, seconds=1))
    faults.add(Fault(Effect.DELAY, IN, seconds=2))
    outcome = faults.apply(IN, b"long message")
    assert (len(outcome.data), outcome.seconds) == (4, 3)


def test_a_removed_fault_is_gone(host: Host) -> None:
    fault = Fault(Effect.SHORT, IN, length=0)
    host.device.faults.add(fault)
    host.device.faults.remove(fault)
    host.device.faults.remove(fault)
    host.write(b"good")
    assert host.read().data == b"good"


def test_times_are_kept_by_many_threads() -> None:
    faults = Faults()
    faults.add(Fault(Effect.DROP, IN, times=100))
    hits: list[bool] = []

    def use() -> None:
        hits.extend(faults.apply(IN, b"").dropped for _ in range(50))

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hits.count(True) == 100


def test_bytes_are_counted_over_transfers() -> None:
    faults = Faults()
    faults.unplug_after(10, Direction.OUT)
    assert faults.spend(Direction.IN, 100) == (Cut.NOT, 100)
    assert faults.spend(Direction.OUT, 6) == (Cut.NOT, 6)
    assert faults.spend(Direction.OUT, 6) == (Cut.WITHIN, 4)
    assert faults.spend(Direction.OUT, 6) == (Cut.NOT, 6)
