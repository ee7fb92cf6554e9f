"""Watching buses: emulated phones that come and go, in this process and over TCP."""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from usb_support import Phone, Rig, Way, both_ways, eventually, exported, in_process, phone

from usbprov.emulation.exporter import Exporter
from usbprov.emulation.faults import Effect, Fault
from usbprov.errors import BusUnavailable
from usbprov.usb import snapshot, urb_backend, watcher
from usbprov.usb.devices import AttachedDevice
from usbprov.usb.hotplug import Arrived, BusChanged, Changed, Event, Left, Tracker
from usbprov.usb.wakeups import TimedWakeup
from usbprov.usb.watcher import Watcher

PATIENCE = 20.0


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(watcher, "_FAR", watcher._Way(lambda: TimedWakeup(0.02)))
    monkeypatch.setattr(watcher, "_NEAR", watcher._Way(lambda: TimedWakeup(0.02)))
    monkeypatch.setattr(watcher, "_UNSETTLED", 0.02)


@pytest.fixture
def rig(way: Way):
    with way({"1-1": phone(1), "1-2": phone(2)}) as made:
        yield made


def gather(watching: Watcher, enough: Callable[[list[Event]], bool]) -> list[Event]:
    """Return the events until there are enough, in vain after a long while."""
    events: list[Event] = []
    deadline = time.monotonic() + PATIENCE
    while not enough(events):
        assert time.monotonic() < deadline, f"only {events}"
        events += watching.next(0.5)
    return events


def count(number: int) -> Callable[[list[Event]], bool]:
    return lambda events: len(events) >= number


def said(events: Sequence[Event]) -> list[str]:
    return [_said(event) for event in events]


def _said(event: Event) -> str:
    match event:
        case Arrived(device):
            return f"+{device.facts.port_path} {device.facts.serial}"
        case Changed(device):
            return f"~{device.facts.port_path} {device.facts.problem}"
        case Left(facts):
            return f"-{facts.port_path} {facts.serial}"
        case BusChanged(_, problem):
            return f"! {problem}"


@both_ways
class TestEvents:
    def test_what_is_there_at_first_arrives(self, rig: Rig):
        with Watcher([rig.bus]) as watching:
            assert said(gather(watching, count(2))) == ["+1-1 EMU0001", "+1-2 EMU0002"]
            assert watching.next(0.1) == []

    def test_unplugged_and_plugged_in(self, rig: Rig):
        with Watcher([rig.bus]) as watching:
            gather(watching, count(2))
            rig.phone.device.unplug()
            assert said(gather(watching, count(1))) == ["-1-1 EMU0001"]
            rig.phone.device.plug()
            (arrived,) = gather(watching, count(1))
            assert said([arrived]) == ["+1-1 EMU0001"]
            link = arrived.device.open_bulk(arrived.device.facts.interfaces[0])
            link.write(b"hello", 1.0)
            assert link.read(1.0) == b"hello"
            link.close()

    def test_restart_between_two_looks_is_seen(self, rig: Rig):
        with Watcher([rig.bus]) as watching:
            gather(watching, count(2))
            rig.phone.device.unplug()
            rig.phone.device.plug()
            assert said(gather(watching, count(2))) == ["-1-1 EMU0001", "+1-1 EMU0001"]

    def test_phone_in_use_is_not_disturbed(self, rig: Rig):
        connections = []
        with Watcher([rig.bus]) as watching:
            gather(watching, count(2))
            attached = rig.attached("1-1")
            link = attached.open_bulk(attached.facts.interfaces[0])
            assert eventually(lambda: rig.phone.echo.connected)
            for number in range(100):
                link.write(b"%d" % number, 1.0)
                connections.append(link.read(1.0))
            assert watching.next(0.2) == []
            link.close()
            assert watching.next(0.2) == []
        assert connections == [b"%d" % number for number in range(100)]
        assert rig.phone.echo.resets <= 3  # searched, watched, closed: not once a look

    def test_phone_is_read_once_only(self, rig: Rig, monkeypatch):
        read = []
        true = snapshot.take_snapshot
        monkeypatch.setattr(
            "usbprov.usb.attachment.take_snapshot",
            lambda session, listed: read.append(listed.address) or true(session, listed),
        )
        with Watcher([rig.bus]) as watching:
            gather(watching, count(2))
            watching.next(0.3)
        assert len(read) == len(set(read)) == 2

    def test_phone_with_a_problem_is_asked_again(self, rig: Rig, monkeypatch):
        monkeypatch.setattr(urb_backend, "LISTING_PATIENCE", 0.05)
        monkeypatch.setattr(watcher, "_AGAIN_FIRST", 0.1)
        monkeypatch.setattr(watcher, "Tracker", partial(Tracker, settling=0.2))
        link = rig.link("1-1")
        with Watcher([rig.bus]) as watching:
            events = gather(watching, count(2))
            assert sorted(said(events)) == ["+1-1 None", "+1-2 EMU0002"]
            link.close()
            assert said(gather(watching, count(1))) == ["~1-1 None"]
            (later,) = [d for d in rig.bus.devices() if d.facts.port_path == "1-1"]
            assert later.facts.serial == "EMU0001"


@both_ways
def test_silent_phone_holds_the_others_up_by_its_own_time_limit_only(way: Way, monkeypatch):
    monkeypatch.setattr(snapshot, "_TIMEOUT", 0.3)
    silent = phone(9)
    silent.device.faults.add(Fault(Effect.DROP, endpoint=0))
    late = phone(2)
    late.device.unplug()
    with way({"1-1": silent, "1-2": late}) as rig, Watcher([rig.bus]) as watching:
        assert watching.next(0.5) == []
        began = time.monotonic()
        late.device.plug()
        events = gather(watching, lambda events: "+1-2 EMU0002" in said(events))
        assert time.monotonic() - began < 2 * 0.3 + 1.5
        gather(watching, lambda more: "+1-1 None" in said([*events, *more]))


class DownBus:
    """A bus that cannot be searched until a test lets it be."""

    uri = "usbip://192.0.2.1:3240"

    def __init__(self, *found: AttachedDevice) -> None:
        self.found: Sequence[AttachedDevice] | None = None
        self.there = found
        self.looks = 0

    def devices(self, known: Sequence[AttachedDevice] = ()) -> Sequence[AttachedDevice]:
        self.looks += 1
        if self.found is None:
            raise BusUnavailable(self.uri, "Connection refused")
        return self.found

    def device_at(self, port_path: str) -> AttachedDevice | None:
        raise NotImplementedError


class TestBuses:
    def test_one_that_is_down_does_not_stop_the_others(self):
        with in_process({"1-1": phone(1)}) as rig:
            down = DownBus(*rig.bus.devices())
            with Watcher([down, rig.bus]) as watching:
                events = gather(watching, count(2))
                assert sorted(said(events)) == ["! Connection refused", "+1-1 EMU0001"]
                assert eventually(lambda: down.looks > 3)
                assert watching.next(0.05) == []  # told once
                down.found = down.there
                assert said(gather(watching, count(2))) == ["+1-1 EMU0001", "! None"]
                down.found = None
                assert said(gather(watching, count(2))) == ["-1-1 EMU0001", "! Connection refused"]

    def test_exporter_that_ends_and_comes_back(self):
        with exported({"1-1": phone(1)}) as rig:
            assert rig.exporter is not None
            port = rig.exporter.port
            with Watcher([rig.bus]) as watching:
                gather(watching, count(1))
                rig.exporter.close()
                gone = gather(
                    watching, lambda events: any(isinstance(e, BusChanged) for e in events)
                )
                assert said(gone)[0] == "-1-1 EMU0001"
                with Exporter({"1-1": phone(1).device}, port=port):
                    back = gather(watching, count(2))
                    assert said(back) == ["+1-1 EMU0001", "! None"]

    def test_fault_of_our_own_is_raised_where_somebody_waits(self):
        class Broken(DownBus):
            def devices(self, known: Sequence[AttachedDevice] = ()) -> Sequence[AttachedDevice]:
                raise ZeroDivisionError

        with Watcher([Broken()]) as watching, pytest.raises(ZeroDivisionError):
            watching.next(PATIENCE)

    def test_many_buses(self):
        with in_process({"1-1": phone(1)}) as one, exported({"1-1": phone(2)}) as two:
            with Watcher([one.bus, two.bus]) as watching:
                events = gather(watching, count(2))
            assert sorted(said(events)) == ["+1-1 EMU0001", "+1-1 EMU0002"]


class TestClosing:
    def test_ends_all_threads_and_whoever_waits(self):
        with exported({"1-1": phone(1)}) as rig:
            watching = Watcher([rig.bus, DownBus()])
            gather(watching, count(2))
            ended: list[list[Event]] = []
            waiting = [
                threading.Thread(target=lambda: ended.append(watching.next(None))) for _ in range(3)
            ]
            for thread in waiting:
                thread.start()
            watching.close()
            watching.close()
            for thread in waiting:
                thread.join(PATIENCE)
            assert ended == [[], [], []]
            assert watching.next(None) == []
        assert not [t.name for t in threading.enumerate() if t.name.startswith("watch")]

    def test_while_events_come(self):
        phones = {f"1-{n}": phone(n) for n in range(1, 9)}
        stop = threading.Event()

        def shake(each: Phone) -> None:
            while not stop.is_set():
                each.device.unplug()
                each.device.plug()

        with in_process(phones) as rig:
            shaking = threading.Thread(target=shake, args=(phones["1-3"],))
            shaking.start()
            try:
                for _ in range(20):
                    with Watcher([rig.bus]) as watching:
                        gather(watching, count(7))
            finally:
                stop.set()
                shaking.join()
