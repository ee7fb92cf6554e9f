"""Exporters that lie: an error of the tree, or a device with its problem; soon, in few bytes."""

import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from doubles.descriptors import LIES, TRUE, Descriptors
from doubles.hostile_exporter import (
    HONEST_DEVICE,
    SMP_TRIPLE,
    UNLINK,
    Answering,
    Asked,
    HostileExporter,
    Script,
    Talk,
    Wire,
    honest,
    imported,
    listing,
    record,
    ret_submit,
)
from doubles.scripted_usb import assert_harmless
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usbprov.errors import BusUnavailable, UsbError
from usbprov.usb import snapshot, usbip_client, usbip_session
from usbprov.usb.buses import open_bus
from usbprov.usb.devices import AttachedDevice
from usbprov.usb.link import Link
from usbprov.usbip.operations import MAX_DEVICES

LIST_SECONDS = 3.0
"""How long a list may take here: the time limit is set to 0.3 s."""

LIST_MEMORY = 32 << 20
"""Bytes that the longest list may cost: 1,024 devices of 255 interfaces each."""


@pytest.fixture(autouse=True)
def _less_patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(usbip_client, "_ANSWER_TIMEOUT", 0.3)
    monkeypatch.setattr(snapshot, "_TIMEOUT", 0.2)
    monkeypatch.setattr(usbip_session, "_UNLINK_TIMEOUT", 0.2)
    before = set(threading.enumerate())  # those of an earlier test may end meanwhile
    yield
    assert set(threading.enumerate()) <= before


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def devices(script: Script) -> list[AttachedDevice]:
    with HostileExporter(script) as exporter:
        return list(open_bus(exporter.uri).devices())


def sends(data: bytes) -> Talk:
    return lambda wire: wire.send(data)


def dribble(wire: Wire) -> None:
    """A list with nothing wrong in it, byte by byte without a pause: whole after a minute."""
    for byte in listing(*[record(counts=(1, 1, 255)) + bytes(1020)] * MAX_DEVICES):
        wire.send(bytes([byte]))
        time.sleep(0.00005)


def begin_and_wait(data: bytes) -> Talk:
    def talk(wire: Wire) -> None:
        wire.send(data)
        wire.ended()

    return talk


NO_LISTS: dict[str, Talk] = {
    "4294967295 devices": sends(listing(HONEST_DEVICE, count=0xFFFFFFFF)),
    "one device too many": sends(listing(*[record(cls=9, counts=(1, 1, 0))] * (MAX_DEVICES + 1))),
    "more devices than come": sends(listing(HONEST_DEVICE, count=2)),
    "more devices than come, and then silence": begin_and_wait(listing(HONEST_DEVICE, count=2)),
    "more interfaces than come": sends(listing(record(counts=(1, 1, 255)) + SMP_TRIPLE)),
    "a byte now and then": dribble,
    "half a header": begin_and_wait(b"\x01\x11\x00"),
    "nothing": lambda wire: wire.ended(),
    "an import": sends(imported(record())),
    "a transfer": sends(ret_submit(1, 0, 0)),
    "an error": sends(listing(status=1)),
    "another version": sends(b"\x02\x11" + listing(HONEST_DEVICE)[2:]),
    "a busid without end": sends(listing(record(b"1" * 32) + SMP_TRIPLE)),
    "a web page": sends(b"HTTP/1.1 200 OK\r\n\r\n" + b"<html>" * 1000),
}


@pytest.mark.parametrize("listed", NO_LISTS.values(), ids=NO_LISTS)
def test_what_is_no_list(listed: Talk) -> None:
    with within(LIST_SECONDS), pytest.raises(BusUnavailable) as caught:
        devices(Script(listed))
    assert str(caught.value).isprintable()


def test_a_list_that_goes_on_and_on_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no single wait for bytes is long."""
    monkeypatch.setattr(usbip_client, "_left", lambda deadline: 5.0)
    with within(LIST_SECONDS), pytest.raises(BusUnavailable, match="timed out"):
        devices(Script(dribble))


ODD_BUSIDS = {
    "empty": b"",
    "for terminals": b"\x1b[2J\x07",
    "not UTF-8": b"\xff\xfe\x80",
    "a path": b"../../../etc/passwd",
    "a root hub": b"usb1",
    "too deep": b"1-1.1.1.1.1.1.1.1",
    "a huge port": b"1-99999",
    "a newline": b"1-1\n",
    "other digits": "1-\u0661".encode(),
}


@pytest.mark.parametrize("busid", ODD_BUSIDS.values(), ids=ODD_BUSIDS)
def test_a_busid_that_is_no_port_is_left_out(busid: bytes) -> None:
    imports = threading.Event()
    script = Script(
        sends(listing(record(busid) + SMP_TRIPLE, HONEST_DEVICE)), _noting(imports, record())
    )
    assert [d.facts.port_path for d in devices(script)] == ["1-1"]
    assert imports.is_set()


def _noting(event: threading.Event, device: bytes) -> Talk:
    def talk(wire: Wire) -> None:
        event.set()
        wire.send(imported(device))

    return talk


def test_of_two_devices_at_one_port_the_first_counts() -> None:
    twice = [
        record(name, ids=(0x1209, n, 1)) + SMP_TRIPLE for n, name in enumerate(["1-1", "01-1"])
    ]
    (only,) = devices(Script(sends(listing(*twice)), sends(imported(record(ids=(0x1209, 0, 1))))))
    assert only.facts.vendor_id == 0x1209
    assert only.facts.problem is None


def test_numbers_beyond_32_bits_are_survived() -> None:
    """The bus number goes into the upper half of a 32-bit field of every transfer."""
    huge = record(busnum=0xFFFFFFFF, devnum=0xFFFFFFFF)
    (only,) = devices(Script(sends(listing(huge + SMP_TRIPLE)), sends(imported(huge))))
    assert (only.facts.serial, only.facts.problem) == ("EMU0001", None)


def test_the_longest_list_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usbip_client, "_ANSWER_TIMEOUT", 20.0)  # tracing takes its time
    hub = [
        record(f"1-{n % 250 + 1}.{n // 250 + 1}", cls=9, counts=(1, 255, 255)) + bytes(1020)
        for n in range(MAX_DEVICES)
    ]
    tracemalloc.start()
    try:
        found = devices(Script(sends(listing(*hub))))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == []
    assert peak < LIST_MEMORY


# --- imports -------------------------------------------------------------------------------------

NO_IMPORTS: dict[str, tuple[Talk, str]] = {
    "refused": (sends(imported(status=1)), "in use by another program"),
    "refused oddly": (sends(imported(status=0xFFFFFFFF)), "Input/output error"),
    "another device": (sends(imported(record(ids=(1, 2, 3)))), "unplugged while it was being read"),
    "another address": (sends(imported(record(devnum=9))), "unplugged while it was being read"),
    "a list": (sends(listing(HONEST_DEVICE)), "no USB/IP exporter answers"),
    "an answer to nothing": (sends(imported(record()) + ret_submit(77, 0, 0)), "unplugged"),
    "nothing, and the end": (Wire.close, "closed the connection"),
    "nothing, no end": (lambda wire: wire.ended(), "it does not answer"),
    "half of it": (begin_and_wait(imported(record()[:100])), "it does not answer"),
}


@pytest.mark.parametrize(("granted", "words"), NO_IMPORTS.values(), ids=NO_IMPORTS)
def test_an_import_that_goes_wrong(
    granted: Talk, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usbprov.usb.urb_backend.LISTING_PATIENCE", 0.1)
    with within(4.0):
        (only,) = devices(Script(granted=granted))
    assert words in (only.facts.problem or "")
    assert only.facts.serial is None
    assert_harmless(only.facts)


def test_many_devices_that_never_answer_are_waited_for_together() -> None:
    many = [record(f"1-{n}") + SMP_TRIPLE for n in range(1, 101)]
    with within(8.0):
        found = devices(Script(sends(listing(*many)), lambda wire: wire.ended()))
    assert len(found) == 100
    assert {d.facts.problem for d in found} == {"it does not answer"}


# --- transfers -----------------------------------------------------------------------------------


def never(wire: Wire, asked: Asked) -> None:
    pass


def answers(make: Callable[[Asked], bytes]) -> Answering:
    """Answer submits so, and unlinks truly."""

    def serve(wire: Wire, asked: Asked) -> None:
        wire.send(asked.unlinked() if asked.command == UNLINK else make(asked))

    return serve


def unlinks(make: Callable[[Asked], bytes]) -> Answering:
    """Answer unlinks so, and submits never."""

    def serve(wire: Wire, asked: Asked) -> None:
        if asked.command == UNLINK:
            wire.send(make(asked))

    return serve


TRANSFERS: dict[str, Answering] = {
    "never answered": never,
    "answered for another": answers(lambda a: a.reply(number=a.number + 1)),
    "answered for number 0": answers(lambda a: a.reply(number=0)),
    "answered twice": answers(lambda a: a.reply(bytes(a.length)) * 2),
    "answered by an unlink": answers(lambda a: a.unlinked()),
    "more than was asked": answers(lambda a: a.reply(bytes(a.length + 1))),
    "4 GiB": answers(lambda a: a.reply(actual=0xFFFFFFFF)),
    "data announced, none come": answers(lambda a: a.reply(actual=a.length)),
    "data of zeros": answers(lambda a: a.reply(bytes(a.length))),
    "data of ones": answers(lambda a: a.reply(b"\xff" * a.length)),
    "no data": answers(lambda a: a.reply(b"", actual=0)),
    "data that nobody counts": answers(lambda a: a.reply(bytes(64), actual=0)),
    "a failure with data": answers(lambda a: a.reply(bytes(a.length), status=-32)),
    "an unknown failure": answers(lambda a: a.reply(status=-9999)),
    "a failure above 0": answers(lambda a: a.reply(status=77)),
    "isochronous": answers(lambda a: ret_submit(a.number, 0, 0, packets=3)),
    "an unknown command": answers(lambda a: struct.pack(">I44x", 9)),
    "a request": answers(lambda a: struct.pack(">I44x", 1)),
    "noise": answers(lambda a: bytes(range(256))),
    "half an answer": answers(lambda a: a.reply(bytes(a.length))[:30]),
    "unlinked, but not": unlinks(lambda a: a.unlinked(0)),
    "unlinked with odd words": unlinks(lambda a: a.unlinked(5)),
    "unlinked for another": unlinks(lambda a: ret_submit(a.number, -104, 0)),
    "answered when unlinked": unlinks(lambda a: ret_submit(a.target, 0, 0) + a.unlinked(0)),
    "answered after unlinked": unlinks(lambda a: a.unlinked() + ret_submit(a.target, 0, 0)),
}


@pytest.mark.parametrize("serve", TRANSFERS.values(), ids=TRANSFERS)
def test_transfers_that_go_wrong(serve: Answering) -> None:
    with within(4.0):
        (only,) = devices(Script(serve=serve))
    assert only.facts.problem
    assert_harmless(only.facts)


@pytest.mark.parametrize("said", LIES.values(), ids=LIES)
def test_lying_descriptors_come_through_as_they_do_in_memory(said: Descriptors) -> None:
    (only,) = devices(Script(serve=honest(said)))
    assert_harmless(only.facts)


def opened(exporter: HostileExporter) -> Link:
    (only,) = open_bus(exporter.uri).devices()
    return only.open_bulk(only.facts.interfaces[0])


def bulk(serve: Answering) -> Answering:
    """Be honest on endpoint 0, and so on the others; unlinks are theirs."""
    truly = honest(TRUE)
    control: set[tuple[Wire, int]] = set()

    def both(wire: Wire, asked: Asked) -> None:
        if asked.command != UNLINK and asked.endpoint == 0:
            control.add((wire, asked.number))
        mine = asked.target if asked.command == UNLINK else asked.number
        (truly if (wire, mine) in control else serve)(wire, asked)

    return both


@pytest.mark.parametrize("serve", TRANSFERS.values(), ids=TRANSFERS)
def test_a_link_over_transfers_that_go_wrong(serve: Answering) -> None:
    with HostileExporter(Script(serve=bulk(serve))) as exporter:
        link = opened(exporter)
        with within(8.0):
            failures = [
                _failure(lambda: link.write(bytes(512), 0.1)),
                _failure(lambda: link.read(0.1)),
                _failure(link.resync),
            ]
            link.close()
    assert any(failures)
    assert "".join(map(str, failures)).isprintable()


def _failure(use: Callable[[], object]) -> UsbError | None:
    try:
        use()
    except UsbError as failure:
        return failure
    return None


def test_late_data_are_kept_for_one_read_only() -> None:
    """An exporter that answers what was unlinked, again and again, fills no memory."""

    def late(wire: Wire, asked: Asked) -> None:
        if asked.command == UNLINK:
            wire.send(asked.unlinked(0) + ret_submit(asked.target, 0, 16384) + bytes(16384))

    with HostileExporter(Script(serve=bulk(late))) as exporter:
        link = opened(exporter)
        for _ in range(5):
            assert len(link.read(0.02)) == 16384
        link.close()


statuses = st.sampled_from([0, 0, 0, 0, -32, -75, -110, -121, -19, 1, -1])
reply = st.tuples(statuses, st.binary(max_size=80), st.sampled_from([None, None, None, 0, 18, 255]))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(reply, min_size=1, max_size=40))
def test_any_answers(script: list[tuple[int, bytes, int | None]]) -> None:
    due = iter(script)

    def serve(wire: Wire, asked: Asked) -> None:
        if asked.command == UNLINK:
            wire.send(asked.unlinked())
            return
        status, data, actual = next(due, (0, bytes(18), None))
        wire.send(asked.reply(data[: asked.length], status=status, actual=actual))

    found = devices(Script(serve=serve))
    assert len(found) <= 1  # a device may turn out to be a hub
    for device in found:
        assert_harmless(device.facts)
