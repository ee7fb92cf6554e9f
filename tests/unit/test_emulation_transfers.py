"""Bulk transfers: where one ends, what waits for what, and who gets the last word."""

import random
import threading
import time

import pytest
from doubles.usb_device import Host, Recorder, echo, phone_like
from hypothesis import given, settings
from hypothesis import strategies as st

from usbprov.emulation.pipes import BUFFER
from usbprov.usbip import SetupPacket, TransferFlag, TransferStatus

PACKET = 512


@pytest.fixture
def function() -> Recorder:
    return Recorder()


@pytest.fixture
def host(function: Recorder) -> Host:
    return Host(phone_like(function))


# --- OUT ---


@pytest.mark.parametrize("size", [1, 511, 513, 1500])
def test_a_short_packet_ends_a_transfer(host: Host, function: Recorder, size: int) -> None:
    assert host.write(bytes(size), ended=False).actual == size
    assert function.received == [bytes(size)]


@pytest.mark.parametrize("size", [512, 1024, 65536])
def test_whole_packets_without_a_zero_length_packet_do_not_arrive(
    host: Host, function: Recorder, size: int
) -> None:
    assert host.write(bytes(size), ended=False).status == 0
    assert function.received == []
    host.write(b"", ended=False)
    assert function.received == [bytes(size)]


def test_the_zero_packet_flag_ends_a_transfer(host: Host, function: Recorder) -> None:
    host.write(bytes(512), ended=True)
    assert function.received == [bytes(512)]


def test_a_forgotten_zero_length_packet_runs_two_messages_together(
    host: Host, function: Recorder
) -> None:
    host.write(b"a" * 512, ended=False)
    host.write(b"b" * 10, ended=False)
    assert function.received == [b"a" * 512 + b"b" * 10]


def test_a_lone_zero_length_packet_is_no_message(host: Host, function: Recorder) -> None:
    host.write(b"", ended=False)
    assert function.received == []


def test_a_babbling_host_is_stalled(host: Host, function: Recorder) -> None:
    blocks = [host.write(bytes(BUFFER // 4), ended=False).status for _ in range(5)]
    assert blocks == [0, 0, 0, 0, TransferStatus.STALL]
    host.clear_halt(0x01)
    host.write(b"sane")
    assert function.received == [b"sane"]


def test_clearing_a_halt_forgets_what_was_collected(host: Host, function: Recorder) -> None:
    host.write(bytes(512), ended=False)
    host.clear_halt(0x01)
    host.write(b"new")
    assert function.received == [b"new"]


@pytest.mark.parametrize("kind", ["resync", "set-interface"])
def test_resynchronising_forgets_both_directions(host: Host, function: Recorder, kind: str) -> None:
    host.write(bytes(512), ended=False)
    function.send(b"stale")
    requests = {"resync": (0x41, 0x52, 0, 0), "set-interface": (0x01, 11, 0, 0)}
    assert host.control(*requests[kind]).status == 0
    assert function.events == ["connect", "reset"]
    waiting = host.start(0x81, length=64)
    host.write(b"new")
    function.send(b"fresh")
    assert waiting.wait().data == b"fresh"
    assert function.received == [b"new"]


def test_what_is_said_while_resetting_is_stale(host: Host, function: Recorder) -> None:
    function.reset = lambda: function.send(b"last words")  # type: ignore[method-assign]
    host.control(0x41, 0x52, 0, 0)
    waiting = host.start(0x81, length=64)
    function.send(b"fresh")
    assert waiting.wait().data == b"fresh"


def test_resync_is_answered_after_the_function_was_reset(host: Host, function: Recorder) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_: bytes) -> None:
        entered.set()
        assert leave.wait(5)
        function.send(b"late answer")

    function.answer = slow
    writer = threading.Thread(target=host.write, args=(b"work",))
    writer.start()
    assert entered.wait(5)
    resync = host.start(0, setup=SetupPacket(0x41, 0x52, 0, 0, 0))
    assert not resync.done.is_set()
    leave.set()
    assert resync.wait().status == 0
    writer.join()
    assert function.events == ["connect", "receive", "reset"]
    waiting = host.start(0x81, length=64)
    function.send(b"fresh")
    assert waiting.wait().data == b"fresh"


# --- IN ---


def test_a_read_waits_for_data(host: Host, function: Recorder) -> None:
    waiting = host.start(0x81, length=64)
    assert not waiting.done.is_set()
    function.send(b"here")
    assert waiting.wait().data == b"here"


def test_reads_are_served_in_turn(host: Host, function: Recorder) -> None:
    first, second = host.start(0x81, length=64), host.start(0x81, length=64)
    function.send(b"1")
    function.send(b"2")
    assert (first.wait().data, second.wait().data) == (b"1", b"2")


def test_a_transfer_of_whole_packets_ends_with_a_zero_length_packet(
    host: Host, function: Recorder
) -> None:
    function.send(bytes(1024))
    function.send(b"next")
    assert host.read(512).actual == 512
    assert host.read(512).actual == 512
    assert host.read(512).actual == 0
    assert host.read(512).data == b"next"


def test_a_read_with_room_takes_the_zero_length_packet_too(host: Host, function: Recorder) -> None:
    function.send(bytes(1024))
    function.send(b"next")
    assert host.read(4096).data == bytes(1024)
    assert host.read(4096).data == b"next"


def test_a_transfer_is_read_in_parts(host: Host, function: Recorder) -> None:
    function.send(bytes(1500))
    assert [host.read(512).actual for _ in range(3)] == [512, 512, 476]


def test_a_read_smaller_than_a_packet_overflows(host: Host, function: Recorder) -> None:
    function.send(bytes(100))
    completion = host.read(64)
    assert (completion.status, completion.actual) == (TransferStatus.OVERFLOW, 64)


def test_an_empty_transfer_is_a_zero_length_packet(host: Host, function: Recorder) -> None:
    function.send(b"")
    completion = host.read()
    assert (completion.status, completion.actual) == (0, 0)


def test_a_function_that_nobody_reads_is_bounded(host: Host, function: Recorder) -> None:
    for _ in range(5):
        function.send(bytes(BUFFER // 4))
    got = 0
    while (completion := host.start(0x81, length=1 << 16)).done.is_set():
        got += completion.wait().actual
    assert got == BUFFER


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=1600), max_size=6), st.integers(1, 5))
def test_an_echo_keeps_messages_apart(messages: list[bytes], packets: int) -> None:
    host = Host(phone_like(echo()))
    for message in messages:
        host.write(message)
    for message in filter(None, messages):
        got = b""
        while (part := host.read(packets * PACKET).data) and len(part) == packets * PACKET:
            got += part
        assert got + part == message


# --- one answer each ---


def test_a_cancelled_read_is_never_answered_and_loses_nothing(
    host: Host, function: Recorder
) -> None:
    waiting = host.start(0x81, length=64)
    assert host.device.cancel(waiting.urb)
    assert not host.device.cancel(waiting.urb)
    function.send(b"data")
    assert waiting.completions == []
    assert host.read().data == b"data"


def test_what_was_answered_cannot_be_cancelled(host: Host, function: Recorder) -> None:
    waiting = host.start(0x81, length=64)
    function.send(b"data")
    assert not host.device.cancel(waiting.urb)
    assert len(waiting.completions) == 1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_1000_requests_are_answered_or_cancelled_exactly_once(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    function = Recorder()
    host = Host(phone_like(function))
    stop = threading.Event()

    def chatter() -> None:
        while not stop.is_set():
            function.send(b"x")

    talker = threading.Thread(target=chatter)
    talker.start()
    requests, cancelled = [], []
    for _ in range(1000):
        requests.append(host.start(0x81, length=64))
        if rng.random() < 0.5:
            victim = rng.choice(requests[-20:])
            if host.device.cancel(victim.urb):
                cancelled.append(victim)
    for request in requests:
        assert request in cancelled or request.wait()
    stop.set()
    talker.join()
    host.device.unplug()
    for request in requests:
        assert len(request.completions) == (0 if request in cancelled else 1)


def test_data_given_to_requests_keep_their_order_under_contention() -> None:
    function = Recorder()
    host = Host(phone_like(function))
    talker = threading.Thread(
        target=lambda: [function.send(i.to_bytes(2, "big")) for i in range(1000)]
    )
    talker.start()
    got = [int.from_bytes(host.read(64).data, "big") for _ in range(1000)]
    talker.join()
    assert got == list(range(1000))


# --- plug and unplug ---


def test_unplugging_ends_what_is_under_way_and_all_that_follows(
    host: Host, function: Recorder
) -> None:
    waiting = host.start(0x81, length=64)
    host.device.unplug()
    assert waiting.wait().status == TransferStatus.NO_DEVICE
    assert host.write(b"x").status == TransferStatus.NO_DEVICE
    assert host.control(0x80, 6, 0x0100, room=18).status == TransferStatus.NO_DEVICE
    assert function.events == ["connect", "reset"]
    assert not host.device.plugged


def test_a_device_plugged_in_again_is_new(host: Host, function: Recorder) -> None:
    function.send(b"old")
    host.device.unplug()
    host.device.plug()
    assert host.device.configuration == 0
    again = Host(host.device)
    waiting = again.start(0x81, length=64)
    function.send(b"new")
    assert waiting.wait().data == b"new"


def test_watchers_are_told_once(host: Host) -> None:
    news: list[bool] = []
    unwatch = host.device.watch(news.append)
    host.device.unplug()
    host.device.unplug()
    host.device.plug()
    host.device.plug()
    unwatch()
    unwatch()
    host.device.unplug()
    assert news == [False, True]


def test_a_bus_reset_ends_transfers_and_takes_the_configuration(
    host: Host, function: Recorder
) -> None:
    waiting = host.start(0x81, length=64)
    host.device.bus_reset()
    assert waiting.wait().status == TransferStatus.UNLINKED
    assert host.device.configuration == 0
    assert function.events == ["connect", "reset"]


# --- functions that misbehave ---


def test_a_function_that_crashes_halts_its_endpoints(
    host: Host, function: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    def crash(_: bytes) -> None:
        raise RuntimeError("PIN 123456")

    function.answer = crash
    waiting = host.start(0x81, length=64)
    assert host.write(b"bad").status == 0
    assert waiting.wait().status == TransferStatus.STALL
    assert host.write(b"more").status == TransferStatus.STALL
    assert "RuntimeError" in caplog.text
    assert "123456" not in caplog.text


def test_a_function_may_answer_from_a_thread_of_its_own(host: Host, function: Recorder) -> None:
    function.answer = lambda data: threading.Thread(target=function.send, args=(data,)).start()
    host.write(b"work")
    assert host.read().data == b"work"


def test_messages_are_delivered_in_order_by_many_writers(host: Host, function: Recorder) -> None:
    busy, overlaps = threading.Lock(), []

    def watch(_: bytes) -> None:
        if not busy.acquire(blocking=False):
            overlaps.append(True)
            return
        time.sleep(0)  # lets another writer run, which must not get here
        busy.release()

    function.answer = watch
    writers = [
        threading.Thread(target=lambda n=n: [host.write(bytes((n, i))) for i in range(100)])
        for n in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert function.wait_for(lambda: len(function.received) == 400)
    assert not overlaps
    for n in range(4):
        assert [m[1] for m in function.received if m[0] == n] == list(range(100))


def test_zero_packet_means_nothing_after_a_short_packet(host: Host, function: Recorder) -> None:
    host.start(0x01, b"abc", flags=TransferFlag.ZERO_PACKET).wait()
    host.write(b"def")
    assert function.received == [b"abc", b"def"]
