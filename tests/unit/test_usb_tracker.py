"""The tracker: what happened between looks at a bus, and in what order it is told."""

import random
from dataclasses import dataclass, replace

import pytest

from usbprov.usb.devices import DeviceFacts, InterfaceFacts, SerialPort
from usbprov.usb.hotplug import Arrived, Changed, Left, Tracker, has_its_ports

BULK = InterfaceFacts(0, 0, 0xFF, 5, 0x50, "usbprov SMP")
CONSOLE = InterfaceFacts(1, 0, 2, 2, 0, "usbprov SMP")
DATA = InterfaceFacts(2, 0, 10, 0, 0)
PORT = SerialPort("/dev/ttyACM0", 1)


@dataclass(frozen=True)
class Device:
    """All that a tracker looks at."""

    facts: DeviceFacts


def device(
    place: str = "1-1", serial: str | None = "A", address: int = 2, **more: object
) -> Device:
    facts = DeviceFacts("kernel", place, 0x1209, 1, serial=serial, address=address)
    return Device(replace(facts, **more))


def whole(place: str = "1-1", serial: str | None = "A", address: int = 2) -> Device:
    return device(place, serial, address, interfaces=(BULK, CONSOLE, DATA), serial_ports=(PORT,))


@pytest.fixture
def tracker() -> Tracker:
    return Tracker(has_its_ports)


class TestArrival:
    def test_of_a_whole_device_at_once(self, tracker):
        phone = whole()
        assert tracker.feed([phone], 0.0) == [Arrived(phone)]
        assert not tracker.unsettled

    def test_only_once(self, tracker):
        tracker.feed([whole()], 0.0)
        assert tracker.feed([whole()], 1.0) == []
        assert tracker.feed([whole()], 9.0) == []

    def test_once_though_its_parts_come_one_by_one(self, tracker):
        bare = device(problem="it is not configured")
        half = device(interfaces=(BULK, CONSOLE, DATA))
        denied = replace(whole().facts, problem="no permission to open it")
        assert tracker.feed([bare], 0.0) == []
        assert tracker.feed([half], 0.2) == []
        assert tracker.feed([Device(denied)], 0.4) == []
        assert tracker.unsettled
        assert tracker.feed([whole()], 0.6) == [Arrived(whole())]

    def test_with_its_problem_when_that_stays(self, tracker):
        denied = device(problem="no permission to open it")
        assert tracker.feed([denied], 0.0) == []
        assert tracker.feed([denied], 1.99) == []
        assert tracker.feed([denied], 2.0) == [Arrived(denied)]

    def test_without_its_serial_port_when_none_is_made(self, tracker):
        half = device(interfaces=(CONSOLE, DATA))
        assert tracker.feed([half], 10.0) == []
        assert tracker.feed([half], 12.1) == [Arrived(half)]

    def test_at_once_on_a_bus_that_makes_no_serial_ports(self):
        half = device(interfaces=(CONSOLE, DATA))
        assert Tracker().feed([half], 0.0) == [Arrived(half)]

    def test_a_neighbour_is_not_held_up(self, tracker):
        denied, phone = device("1-1", problem="no permission"), whole("1-2", "B", 3)
        assert tracker.feed([denied, phone], 0.0) == [Arrived(phone)]

    def test_two_with_the_same_serial_number(self, tracker):
        twins = [whole("1-1", "A", 2), whole("1-2", "A", 3)]
        assert tracker.feed(twins, 0.0) == [Arrived(twins[0]), Arrived(twins[1])]


class TestDeparture:
    def test_tells_what_was_last_told(self, tracker):
        tracker.feed([whole()], 0.0)
        later = replace(whole().facts, problem="odd")
        tracker.feed([Device(later)], 1.0)
        tracker.feed([Device(later)], 1.5)
        assert tracker.feed([], 2.0) == [Left(later)]
        assert tracker.feed([], 3.0) == []

    def test_of_what_had_not_arrived_is_not_told(self, tracker):
        tracker.feed([device(problem="no permission")], 0.0)
        assert tracker.feed([], 1.0) == []
        assert not tracker.unsettled

    @pytest.mark.parametrize(
        "other",
        [
            whole(address=3),
            whole(serial="B"),
            Device(replace(whole().facts, product_id=2)),
            Device(replace(whole().facts, vendor_id=2)),
        ],
    )
    def test_and_arrival_of_another_at_the_same_port(self, tracker, other):
        tracker.feed([whole()], 0.0)
        assert tracker.feed([other], 1.0) == [Left(whole().facts), Arrived(other)]

    def test_of_a_phone_that_restarts_as_something_that_is_not_yet_whole(self, tracker):
        tracker.feed([whole()], 0.0)
        loader = device(address=3, serial=None, problem="it is not configured")
        assert tracker.feed([loader], 1.0) == [Left(whole().facts)]
        assert tracker.feed([whole(address=3)], 1.5) == [Arrived(whole(address=3))]

    def test_of_two_that_were_swapped_comes_before_their_arrivals(self, tracker):
        first, second = whole("1-1", "A", 2), whole("1-2", "B", 3)
        tracker.feed([first, second], 0.0)
        now = [whole("1-1", "B", 4), whole("1-2", "A", 5)]
        events = tracker.feed(now, 1.0)
        assert events == [Left(first.facts), Left(second.facts), *map(Arrived, now)]

    def test_settling_begins_anew_for_another_device(self, tracker):
        tracker.feed([device(problem="odd", address=2)], 0.0)
        assert tracker.feed([device(problem="odd", address=3)], 1.9) == []
        assert tracker.feed([device(problem="odd", address=3)], 3.8) == []
        assert tracker.feed([device(problem="odd", address=3)], 3.95) != []


class TestChange:
    def test_of_the_problem(self, tracker):
        denied = device(problem="no permission to open it", interfaces=(BULK,))
        tracker.feed([denied], 0.0)
        tracker.feed([denied], 2.5)
        allowed = device(interfaces=(BULK,))
        assert tracker.feed([allowed], 3.0) == []
        assert tracker.unsettled
        assert tracker.feed([allowed], 3.5) == [Changed(allowed)]
        assert tracker.feed([allowed], 4.0) == []

    def test_of_the_serial_port(self, tracker):
        tracker.feed([whole()], 0.0)
        moved = Device(replace(whole().facts, serial_ports=(SerialPort("/dev/ttyACM1", 1),)))
        tracker.feed([moved], 1.0)
        assert tracker.feed([moved], 1.5) == [Changed(moved)]

    def test_that_ends_in_departure_is_none(self, tracker):
        """Of a device that is pulled the serial ports go first."""
        tracker.feed([whole()], 0.0)
        going = Device(replace(whole().facts, serial_ports=()))
        assert tracker.feed([going], 1.0) == []
        assert tracker.feed([], 1.1) == [Left(whole().facts)]

    def test_that_passes_is_none(self, tracker):
        tracker.feed([whole()], 0.0)
        held = Device(replace(whole().facts, problem="in use by another program"))
        assert tracker.feed([held], 1.0) == []
        assert tracker.feed([whole()], 1.2) == []
        assert tracker.feed([held], 1.4) == []
        assert not tracker.feed([whole()], 9.0)

    def test_of_a_serial_number_that_could_not_be_read_is_the_same_device(self, tracker):
        silent = device(serial=None, problem="in use by another program")
        tracker.feed([silent], 0.0)
        tracker.feed([silent], 2.5)
        tracker.feed([whole()], 3.0)
        assert tracker.feed([whole()], 3.5) == [Changed(whole())]
        tracker.feed([silent], 4.0)
        assert tracker.feed([silent], 4.5) == [Changed(silent)]


@dataclass
class Slot:
    """What is truly at a port: since when, and how much of it is there by now."""

    phone: Device
    ready_at: float


class Truth:
    """Ports at which phones come and go at random, and what a tracker must make of it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.slots: dict[str, Slot] = {}
        self.now = 0.0
        self.address = 1

    def step(self) -> None:
        self.now += self.random.choice((0.01, 0.1, 0.5, 3.0))
        place = f"1-{self.random.randint(1, 4)}"
        if self.random.random() < 0.4:
            self.slots.pop(place, None)
            return
        self.address += 1
        serial = self.random.choice(("A", "A", "B", "C", None))
        ready = self.now + self.random.choice((0.0, 0.2, 1.0, 60.0))
        self.slots[place] = Slot(whole(place, serial, self.address), ready)

    def seen(self) -> list[Device]:
        return [
            slot.phone if slot.ready_at <= self.now else _unready(slot.phone)
            for slot in self.slots.values()
        ]


def _unready(phone: Device) -> Device:
    return Device(replace(phone.facts, serial=None, serial_ports=(), problem="not yet"))


@pytest.mark.parametrize("block", range(10))
def test_1000_random_schedules(block):
    for seed in range(block * 100, block * 100 + 100):
        truth, tracker = Truth(seed), Tracker(has_its_ports)
        arrived: dict[str, DeviceFacts] = {}
        for _ in range(20):
            truth.step()
            for event in tracker.feed(truth.seen(), truth.now):
                _apply(event, arrived, truth, seed)
        truth.now += 100
        for _ in range(2):  # the last is long there, and everything is settled
            for event in tracker.feed(truth.seen(), truth.now):
                _apply(event, arrived, truth, seed)
            truth.now += 100
        assert arrived == {p: s.phone.facts for p, s in truth.slots.items()}, f"seed {seed}"


def _apply(event, arrived: dict[str, DeviceFacts], truth: Truth, seed: int) -> None:
    """Check that an event fits those before it and what is truly there."""
    match event:
        case Arrived(found):
            place = found.facts.port_path
            assert place not in arrived, f"seed {seed}: {place} arrived twice"
            assert found.facts.address == truth.slots[place].phone.facts.address, f"seed {seed}"
            assert found.facts.serial in {None, truth.slots[place].phone.facts.serial}
            arrived[place] = found.facts
        case Changed(found):
            place = found.facts.port_path
            assert arrived[place].address == found.facts.address, f"seed {seed}"
            arrived[place] = found.facts
        case Left(facts):
            assert arrived.pop(facts.port_path) == facts, f"seed {seed}"
