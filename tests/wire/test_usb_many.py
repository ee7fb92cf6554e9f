"""112 phones at once, some of them bad: each bad one costs its own time limit, and that once."""

import time

import pytest
from usb_support import Phone, Way, both_ways, phone

from usbprov.emulation.faults import Effect, Fault
from usbprov.usb import snapshot
from usbprov.usb.devices import AttachedDevice, Bus

PLACES = [f"1-{port}.{hub}" for port in range(1, 17) for hub in range(1, 8)]
LIMIT = 1.0
"""Seconds that a silent phone is waited for here."""

SLACK = 1.0
"""Seconds for a computer with other work to do."""


@pytest.fixture(autouse=True)
def limit(monkeypatch):
    monkeypatch.setattr(snapshot, "_TIMEOUT", LIMIT)


def make(bad: int) -> dict[str, Phone]:
    """Make 112 phones; the first so many answer nothing."""
    phones = {place: phone(number) for number, place in enumerate(PLACES, 1)}
    for place in PLACES[:bad]:
        phones[place].device.faults.add(Fault(Effect.DROP, endpoint=0))
    return phones


def listed(bus: Bus) -> tuple[list[AttachedDevice], float]:
    began = time.monotonic()
    found = list(bus.devices())
    return found, time.monotonic() - began


def good(found: list[AttachedDevice], bad: int) -> bool:
    facts = [device.facts for device in found][bad:]
    expected = [(f"EMU{n:04}", None) for n in range(bad + 1, 113)]
    return [(f.serial, f.problem) for f in facts] == expected


@both_ways
class TestListing:
    def test_all_good(self, way: Way):
        with way(make(0)) as rig:
            found, _ = listed(rig.bus)
        assert [device.facts.port_path for device in found] == PLACES
        assert good(found, 0)

    def test_one_stalls_one_lies_one_is_silent(self, way: Way):
        phones = make(1)
        phones[PLACES[1]].device.faults.add(Fault(Effect.STALL, endpoint=0))
        phones[PLACES[2]].device.faults.descriptor = lambda kind, _index, true: (
            b"\xff" * 300 if kind != 1 else true
        )
        with way(phones) as rig:
            _, all_alone = _timed_alone(way)
            found, took = listed(rig.bus)
        assert [device.facts.problem for device in found[:2]] == [
            "it does not answer",
            "it refuses the request",
        ]
        assert found[2].facts.problem is not None
        assert good(found, 3)
        assert took < LIMIT + all_alone + SLACK

    def test_silent_ones_do_not_queue_up(self, way: Way):
        bad = 100
        with way(make(bad)) as rig:
            _, all_alone = _timed_alone(way)
            found, took = listed(rig.bus)
        assert {device.facts.problem for device in found[:bad]} == {"it does not answer"}
        assert good(found, bad)
        # With 16 readers, as there once were, it took 100/16 of the limit.
        assert took < LIMIT + all_alone + SLACK

    def test_one_port_is_looked_at_without_the_others(self, way: Way):
        phones, asked = make(0), []
        for place, each in phones.items():
            each.device.faults.descriptor = lambda _kind, _index, true, at=place: (
                asked.append(at) or true
            )
        with way(phones) as rig:
            found = rig.bus.device_at(PLACES[-1])
            assert rig.bus.device_at("1-1.15") is None
        assert found is not None
        assert found.facts.serial == "EMU0112"
        assert set(asked) == {PLACES[-1]}

    def test_known_ones_are_asked_nothing(self, way: Way):
        phones = make(0)
        with way(phones) as rig:
            known, _ = listed(rig.bus)
            for each in phones.values():
                each.device.faults.add(Fault(Effect.DROP, endpoint=0))
            assert list(rig.bus.devices(known)) == known
            some = [device for device in known if device.facts.port_path != PLACES[7]]
            found = rig.bus.devices(some)
        assert [d.facts.port_path for d in found if d.facts.problem] == [PLACES[7]]


def _timed_alone(way: Way) -> tuple[list[AttachedDevice], float]:
    """Time the same with phones that are all good, on the same computer at the same time."""
    with way(make(0)) as rig:
        return listed(rig.bus)
