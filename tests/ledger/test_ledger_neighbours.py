"""Benches that share a ledger see each other's ports; one that is alone writes nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count

import pytest
from processes import wait_for

from usbprov.bench import neighbours
from usbprov.bench.feed import Feed, bench_of
from usbprov.bench.neighbours import Neighbours
from usbprov.bench.states import PortState
from usbprov.bench.views import BenchView, PortView, StepView, Trouble
from usbprov.ledger.benches import Bench
from usbprov.ledger.ledger import Ledger

NOW = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)
STEPS = (StepView("identify", "done", 40, "EP-100"), StepView("ticket", "failed", 310, ""))
TROUBLE = Trouble("WEB-05", "the PIN is wrong", "a typing error", "Ask the user.", False)
FAILED = PortView(
    *("north", "A1", "kernel/1-1.4.2", PortState.FAILED, 1, NOW),
    phone="usbprov EP-100",
    serial="EMU0001",
    mac="02:00:5e:00:00:01",
    user="sip:alice@contoso.test",
    name="Alice",
    job=7,
    trouble=TROUBLE,
    steps=STEPS,
)
DONE = replace(
    FAILED, label="A2", state=PortState.DONE, trouble=None, thumbprint="ab" * 32, not_after=NOW
)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PERIOD", "ALONE_PERIOD", "_ROLL_CALL"):
        monkeypatch.setattr(neighbours, name, 0.02)


@dataclass
class Desk:
    """A bench with nothing but its name, its feed and its neighbours."""

    ledger: Ledger
    name: str
    feed: Feed = field(default_factory=Feed)
    next_number: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def port(self, view: PortView, **changes: object) -> None:
        number = self.next_number()
        self.feed.publish(replace(view, bench=self.name, number=number, **changes))  # type: ignore[arg-type]

    def whole(self, done: int = 0, running: int = 0) -> None:
        number = self.next_number()
        self.feed.publish(BenchView(number, self.name, NOW, 64, done, 1, running, 120.0, 30.0))

    def ports_of(self, other: str) -> dict[str, PortView]:
        views = [v for v in self.feed.latest() if bench_of(v) == other]
        return {v.label: v for v in views if isinstance(v, PortView)}

    def bench_of(self, other: str) -> BenchView | None:
        views = (v for v in self.feed.latest() if isinstance(v, BenchView))
        return next((view for view in views if view.name == other), None)

    def shows(self, other: str, label: str, *states: PortState) -> PortView | None:
        view = self.ports_of(other).get(label)
        return view if view is not None and view.state in states else None


@contextmanager
def desk(ledger: Ledger, name: str, seconds: float = 60.0) -> Iterator[tuple[Desk, Bench]]:
    """Have a bench within the block; it does not end in good order by itself."""
    bench = ledger.benches.begin(name, "host", 1, seconds)
    assert isinstance(bench, Bench)
    made = Desk(ledger, name)
    with Neighbours(ledger.benches, name, made.feed, made.next_number):
        yield made, bench


def same(view: PortView | BenchView) -> PortView | BenchView:
    """Return a view without what each bench counts for itself."""
    return replace(view, number=0)


def test_each_sees_the_other_whoever_was_first(ledger: Ledger) -> None:
    with desk(ledger, "north") as (north, _):
        north.port(FAILED)
        north.port(DONE)
        north.whole(done=1)
        with desk(ledger, "south") as (south, _):
            south.port(FAILED, state=PortState.KEY, trouble=None)
            wait_for(lambda: len(south.ports_of("north")) == 2, "the ports of north")
            wait_for(lambda: north.shows("south", "A1", PortState.KEY), "the port of south")
            wait_for(lambda: (b := south.bench_of("north")) and b.done == 1, "the sums of north")
            assert {same(v) for v in south.ports_of("north").values()} == {
                same(FAILED),
                same(DONE),
            }
            seen, meant = south.bench_of("north"), north.bench_of("north")
            assert seen is not None
            assert meant is not None
            assert same(seen) == same(meant)


def test_what_changes_is_shown_and_one_s_own_is_left_alone(ledger: Ledger) -> None:
    with desk(ledger, "north") as (north, _), desk(ledger, "south") as (south, _):
        for state in (PortState.KEY, PortState.PUBLISHING, PortState.DONE):
            north.port(DONE, state=state)
            wait_for(lambda now=state: south.shows("north", "A2", now), state)
        assert len(north.ports_of("north")) == 1
        assert {r.bench for r in ledger.benches.changes().rows} <= {"north", "south"}


def test_one_that_is_alone_writes_nothing(ledger: Ledger) -> None:
    with desk(ledger, "north") as (north, _):
        north.port(DONE)
        began = ledger.benches.number()
        asked: list[int] = []
        number = ledger.benches.number
        wait_for(lambda: asked.append(number()) or len(asked) > 20, "some time to pass")
    assert ledger.benches.number() == began
    assert ledger.benches.changes().rows == ()


def test_nothing_is_written_while_nothing_changes(ledger: Ledger) -> None:
    with desk(ledger, "north") as (north, _), desk(ledger, "south") as (south, _):
        north.port(DONE)
        wait_for(lambda: south.shows("north", "A2", PortState.DONE), "the port of north")
        before = ledger.benches.number()
        north.port(DONE, percent=50)  # how far a step is, is not worth a write
        north.port(FAILED)
        wait_for(lambda: south.shows("north", "A1", PortState.FAILED), "the other port")
        assert ledger.benches.number() == before + 1


def test_one_that_ended_works_at_no_port_any_more(ledger: Ledger) -> None:
    with desk(ledger, "south") as (south, _):
        with desk(ledger, "north") as (north, bench):
            north.port(DONE)
            north.port(FAILED, label="A3", state=PortState.KEY, trouble=None)
            north.whole(running=1)
            wait_for(lambda: len(south.ports_of("north")) == 2, "the ports of north")
            wait_for(lambda: (b := south.bench_of("north")) and b.running, "the sums of north")
        ledger.benches.end(bench)
        left = wait_for(lambda: south.shows("north", "A3", PortState.AWAY), "the end of north")
        assert "start bench north again" in left.hand
        assert not left.may_unplug
        assert south.shows("north", "A2", PortState.DONE)
        whole = south.bench_of("north")
        assert whole is not None
        assert (whole.absent, whole.running, whole.per_hour) == ("ended", 0, None)


def test_one_that_died_is_missed_and_is_there_again_when_it_is_started(ledger: Ledger) -> None:
    with desk(ledger, "south") as (south, _):
        with desk(ledger, "north", seconds=1.0) as (north, _):
            north.port(FAILED, state=PortState.KEY, trouble=None)
            north.port(DONE)
            wait_for(lambda: len(south.ports_of("north")) == 2, "the ports of north")
        wait_for(lambda: south.shows("north", "A1", PortState.AWAY), "the death of north")
        whole = south.bench_of("north")
        assert whole is not None
        assert whole.absent.startswith("not heard of since ")
        with desk(ledger, "north") as (north, _):
            north.port(FAILED, state=PortState.PROVING, trouble=None)
            north.whole()
            wait_for(lambda: south.shows("north", "A1", PortState.PROVING), "north again")
            wait_for(lambda: south.shows("north", "A2", PortState.EMPTY), "its empty port")
            wait_for(lambda: (b := south.bench_of("north")) and not b.absent, "its sums")


def test_those_of_earlier_shifts_are_not_shown(ledger: Ledger) -> None:
    with desk(ledger, "north") as (north, bench), desk(ledger, "south") as (south, _):
        north.port(DONE)
        wait_for(lambda: south.shows("north", "A2", PortState.DONE), "the port of north")
        ledger.benches.end(bench)
        with desk(ledger, "west") as (west, _):
            south.port(DONE)
            wait_for(lambda: west.shows("south", "A2", PortState.DONE), "the port of south")
            assert west.ports_of("north") == {}
            assert west.bench_of("north") is None


def test_a_row_of_another_version_harms_nobody(ledger: Ledger) -> None:
    with desk(ledger, "south") as (south, _), desk(ledger, "north") as (north, _):
        for note in ("{", "[]", "null", '{"since": 7}', '{"since": "noon", "steps": 1}'):
            row = {"port": f"B{len(note)}", "state": "key", "note": note}
            ledger.benches.show("north", [neighbours.row_of(DONE).__class__(**row)])
        north.port(DONE)
        wait_for(lambda: south.shows("north", "A2", PortState.DONE), "the port that is understood")
        assert set(south.ports_of("north")) == {"A2"}
