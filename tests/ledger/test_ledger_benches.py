"""The benches that share a ledger, and the boards' feed of what their ports show."""

from dataclasses import replace

from processes import wait_for

from usbprov.ledger.benches import Bench, BenchRecord, PortRow
from usbprov.ledger.claims import ClaimKind, Worker
from usbprov.ledger.ledger import Ledger

ROW = PortRow("A1", "publishing", phone="EMU0001", user="sip:alice@contoso.test", job=7)


def begun(bench: Bench | BenchRecord) -> Bench:
    assert isinstance(bench, Bench), bench
    return bench


def test_a_name_is_one_program_s(ledger: Ledger) -> None:
    mine = begun(ledger.benches.begin("north", "host-1", 100, 60.0))
    other = ledger.benches.begin("north", "host-2", 200, 60.0)
    assert isinstance(other, BenchRecord)
    assert (other.host, other.pid, other.running) == ("host-1", 100, True)
    begun(ledger.benches.begin("south", "host-2", 200, 60.0))
    assert [bench.name for bench in ledger.benches.all()] == ["north", "south"]
    assert ledger.benches.keep_alive(mine, 60.0)


def test_a_bench_that_ended_is_replaced(ledger: Ledger) -> None:
    mine = begun(ledger.benches.begin("north", "host-1", 100, 60.0))
    ledger.benches.end(mine)
    (seen,) = ledger.benches.all()
    assert seen.ended is not None
    assert not seen.running
    begun(ledger.benches.begin("north", "host-1", 101, 60.0))
    assert not ledger.benches.keep_alive(mine, 60.0)
    (seen,) = ledger.benches.all()
    assert (seen.pid, seen.running, seen.ended) == (101, True, None)


def test_a_bench_that_died_is_replaced_when_its_time_is_over(ledger: Ledger) -> None:
    begun(ledger.benches.begin("north", "host-1", 100, 0.05))
    again = wait_for(
        lambda: isinstance(b := ledger.benches.begin("north", "host-2", 7, 60.0), Bench) and b,
        "the end of its time",
    )
    assert ledger.benches.keep_alive(again, 60.0)


def test_the_successor_of_a_dead_bench_finds_nothing_held(ledger: Ledger) -> None:
    begun(ledger.benches.begin("north", "host-1", 100, 60.0))
    ledger.benches.show("north", [ROW])
    ledger.claims.claim(ClaimKind.USER, "1001", Worker("north", "A1", 60.0))
    ledger.claims.claim(ClaimKind.USER, "1002", Worker("south", "A1", 60.0))
    begun(ledger.benches.begin("north", "host-1", 101, 60.0, instead=True))
    assert [claim.bench for claim in ledger.claims.held()] == ["south"]
    assert ledger.benches.changes().rows == ()
    assert ledger.verify().entries == 3


def test_the_feed_gives_each_change_once(ledger: Ledger) -> None:
    ledger.benches.show("north", [ROW, replace(ROW, port="A2", state="key")])
    first = ledger.benches.changes()
    assert [(row.port, row.state) for row in first.rows] == [("A1", "publishing"), ("A2", "key")]
    assert vars(ROW).items() <= vars(first.rows[0]).items()
    assert ledger.benches.changes(first.number).rows == ()
    for state in ("installing", "done"):
        ledger.benches.show("north", [replace(ROW, state=state)])
    ledger.benches.show("south", [PortRow("A1", "empty")])
    second = ledger.benches.changes(first.number)
    assert [(row.bench, row.state) for row in second.rows] == [
        ("north", "done"),
        ("south", "empty"),
    ]
    assert second.number > first.number
    assert len(ledger.benches.changes().rows) == 3


def test_showing_nothing_is_no_change(ledger: Ledger) -> None:
    ledger.benches.show("north", [])
    assert ledger.benches.changes().number == 0
