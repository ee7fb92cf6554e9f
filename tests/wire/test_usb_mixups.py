"""Phones that are plugged, pulled and swapped at random: no phone is ever taken for another.

Each schedule has its own seed, which is said when it fails. Of every phone the truth is known: an
event names the phone that was at that port when the bus was looked at; what is opened later is that
phone, as long as it has stayed there, or ``PhoneGone``.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from usb_support import Phone, eventually, phone

from usbprov.emulation.exporter import Exporter
from usbprov.errors import PhoneGone, UsbError
from usbprov.usb import watcher
from usbprov.usb.buses import open_bus
from usbprov.usb.devices import AttachedDevice, Bus
from usbprov.usb.hotplug import Arrived, Changed, Event, Left, Tracker
from usbprov.usb.model_backend import ModelBackend
from usbprov.usb.pyusb_bus import PyusbBus
from usbprov.usb.wakeups import TimedWakeup
from usbprov.usb.watcher import Watcher

PORTS = ("1-1", "1-2", "1-3.1", "1-3.2")
SERIALS = ("EMU0001", "EMU0001", "EMU0003", None)
"""Two phones say that they have the same serial number, and one says nothing."""

Being = tuple[int, int]
"""A phone, and which of its times on the bus: what must not be mixed up."""


def tell(number: int) -> Phone:
    """Make a phone that says, whatever it is asked, which of them all it is."""
    made = phone(serial=SERIALS[number])
    made.echo.answer = lambda _: b"%d" % number
    return made


@dataclass
class Desk:
    """Ports, phones in some of them and the rest in a drawer."""

    seed: int
    put: Callable[[str, Phone], None]
    take: Callable[[str], None]
    phones: list[Phone] = field(default_factory=lambda: [tell(n) for n in range(len(SERIALS))])
    ports: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311
        self.drawer = list(range(len(self.phones)))
        for each in self.phones:
            each.device.unplug()

    def being(self, port: str) -> Being | None:
        number = self.ports.get(port)
        return None if number is None else (number, self.phones[number].device.lives)

    def step(self) -> None:
        free = [port for port in PORTS if port not in self.ports]
        moves: list[Callable[[], None]] = []
        if free and self.drawer:
            moves += [lambda: self._plug(self.random.choice(free), self._from_drawer())] * 2
        if self.ports:
            moves += [lambda: self.drawer.append(self._pull(self._any())), self._replug]
        if len(self.ports) > 1:
            moves += [self._swap] * 2
        self.random.choice(moves)()

    def _any(self) -> str:
        return self.random.choice(sorted(self.ports))

    def _from_drawer(self) -> int:
        return self.drawer.pop(self.random.randrange(len(self.drawer)))

    def _plug(self, port: str, number: int) -> None:
        self.put(port, self.phones[number])
        self.phones[number].device.plug()
        self.ports[port] = number

    def _pull(self, port: str) -> int:
        number = self.ports.pop(port)
        self.phones[number].device.unplug()
        self.take(port)
        return number

    def _replug(self) -> None:
        port = self._any()
        self._plug(port, self._pull(port))

    def _swap(self) -> None:
        one, other = self.random.sample(sorted(self.ports), 2)
        first, second = self._pull(one), self._pull(other)
        self._plug(one, second)
        self._plug(other, first)


def who_is_there(device: AttachedDevice) -> int:
    """Open a device and ask who it is."""
    link = device.open_bulk(device.facts.interfaces[0])
    try:
        link.write(b"who?", 5.0)
        return int(link.read(5.0))
    finally:
        link.close()


@dataclass
class Observer:
    """Looks at the bus, and believes what the tracker tells."""

    desk: Desk
    bus: Bus
    tracker: Tracker = field(default_factory=Tracker)
    known: dict[str, tuple[AttachedDevice, Being]] = field(default_factory=dict)
    remembered: list[tuple[AttachedDevice, Being]] = field(default_factory=list)
    now: float = 0.0

    def look(self) -> None:
        devices = self.bus.devices([device for device, _ in self.known.values()])
        self.now += 1.0
        for event in self.tracker.feed(devices, self.now):
            self.take_in(event)
        there = {port: self.desk.being(port) for port in self.desk.ports}
        assert {port: being for port, (_, being) in self.known.items()} == there

    def take_in(self, event: Event) -> None:
        match event:
            case Left(facts):
                device, _ = self.known.pop(facts.port_path)
                assert device.facts == facts
            case Arrived(device):
                port = device.facts.port_path
                being = self.desk.being(port)
                assert being is not None, f"nobody is at {port}"
                assert port not in self.known, f"{port} arrived twice"
                assert device.facts.serial == SERIALS[being[0]]
                self.known[port] = (device, being)
                self.remembered.append((device, being))
            case _:
                raise AssertionError(event)

    def open_one(self) -> None:
        """Open a device of some event, perhaps of long ago."""
        device, being = self.desk.random.choice(self.remembered)
        still = self.desk.being(device.facts.port_path) == being
        try:
            found = who_is_there(device)
        except PhoneGone:
            assert not still, f"{device.facts.name} is there"
        else:
            assert still, f"{device.facts.name} was opened, and is no longer there"
            assert found == being[0]


def run(desk: Desk, bus: Bus, steps: int) -> None:
    observer = Observer(desk, bus)
    try:
        for _ in range(steps):
            for _ in range(desk.random.choice((1, 1, 2, 3))):
                desk.step()
            if desk.random.random() < 0.8:
                observer.look()
            if observer.remembered:
                observer.open_one()
    except (AssertionError, UsbError) as failure:
        raise AssertionError(f"seed {desk.seed}: {failure}") from failure


def run_in_process(seed: int, steps: int) -> None:
    models: dict[str, object] = {}
    desk = Desk(
        seed,
        lambda port, put: models.__setitem__(port, put.device),
        models.__delitem__,
    )
    run(desk, PyusbBus("model", ModelBackend(models)), steps)


@pytest.mark.parametrize("block", range(10))
def test_1000_schedules_in_this_process(block):
    for seed in range(block * 100, block * 100 + 100):
        run_in_process(seed, 5)


def test_long_schedules_in_this_process():
    for seed in range(5):
        run_in_process(10_000 + seed, 60)


def test_schedules_over_tcp():
    for seed in range(20):
        with Exporter({}) as exporter:
            desk = Desk(
                20_000 + seed,
                lambda port, put: exporter.attach(port, put.device),
                exporter.detach,
            )
            run(desk, open_bus(exporter.uri), 6)


def test_addresses_that_are_used_again_over_tcp():
    """An address comes back after 126 others: then the serial number tells the two apart."""
    with Exporter({}) as exporter:
        first, second = tell(0), tell(2)
        exporter.attach("1-1", first.device)
        bus = open_bus(exporter.uri)
        (device,) = bus.devices()
        exporter.detach("1-1")
        for _ in range(125):
            exporter.attach("1-1", second.device)
            exporter.detach("1-1")
        exporter.attach("1-1", second.device)
        (again,) = bus.devices()
        assert again.facts.address == device.facts.address
        with pytest.raises(PhoneGone):
            who_is_there(device)
        assert not second.echo.received
        assert who_is_there(again) == 2


def test_while_a_watcher_looks(monkeypatch):
    """Nobody waits for anybody: at the end the watcher has the truth, and each opens as itself."""
    monkeypatch.setattr(watcher, "_NEAR", watcher._Way(lambda: TimedWakeup(0.01)))
    with Exporter({}) as exporter:
        desk = Desk(30_000, lambda port, put: exporter.attach(port, put.device), exporter.detach)
        present: dict[str, AttachedDevice] = {}

        def truth() -> bool:
            for event in watching.next(0.05):
                _keep(event, present)
            try:
                found = {port: who_is_there(device) for port, device in present.items()}
            except (UsbError, IndexError):  # the last move is not yet told
                return False
            return found == desk.ports

        with Watcher([open_bus(exporter.uri)]) as watching:
            for _ in range(15):
                for _ in range(10):
                    desk.step()
                    for event in watching.next(0.005):
                        _keep(event, present)
                assert eventually(truth, 20.0), (present, desk.ports)


def _keep(event: Event, present: dict[str, AttachedDevice]) -> None:
    match event:
        case Arrived(device) | Changed(device):
            present[device.facts.port_path] = device
        case Left(facts):
            del present[facts.port_path]
