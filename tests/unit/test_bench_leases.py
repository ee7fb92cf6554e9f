"""Leases: held while they are renewed, and noticed when they are lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import wait_for

from usbprov.bench.leases import Lease, Leases
from usbprov.errors import ClaimedElsewhere, ClaimLost, LedgerUnreached
from usbprov.ledger.claims import Claim, ClaimKind
from usbprov.ledger.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite3") as opened:
        yield opened


def take(leases: Leases, key: str = "alice") -> Lease:
    return leases.take(ClaimKind.USER, key, "A1", key)


def test_what_one_bench_has_no_other_gets(ledger: Ledger) -> None:
    one, two = Leases(ledger.claims, "one"), Leases(ledger.claims, "two")
    lease = take(one)
    with pytest.raises(ClaimedElsewhere) as caught:
        take(two)
    assert caught.value.holder == "bench one, port A1"
    one.release(lease)
    take(two)


def test_a_lease_is_renewed_beyond_its_time(ledger: Ledger) -> None:
    beats: list[int] = []
    with Leases(ledger.claims, "one", seconds=0.4) as one:
        one.beat = lambda: beats.append(1)
        lease = take(one)
        wait_for(lambda: len(beats) > 8, "renewals for twice its time")
        lease.check()
        with pytest.raises(ClaimedElsewhere):
            take(Leases(ledger.claims, "two"))


def test_a_lease_that_another_took_is_lost(ledger: Ledger) -> None:
    one = Leases(ledger.claims, "one", seconds=0.001)
    lease = take(one)

    def taken() -> bool:
        try:
            take(Leases(ledger.claims, "two"))
        except ClaimedElsewhere:
            return False
        return True

    wait_for(taken, "the end of the lease")
    one.renew()
    with pytest.raises(ClaimLost):
        lease.check()


def test_a_lease_that_was_not_renewed_in_time_does_not_count(ledger: Ledger) -> None:
    lease = take(Leases(ledger.claims, "one", seconds=0.0))
    with pytest.raises(ClaimLost):
        lease.check()


def test_a_ledger_that_is_not_reached_stops_no_bench(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = Leases(ledger.claims, "one")
    lease = take(leases)

    def unreached(_claims: list[Claim]) -> None:
        raise LedgerUnreached("ledger", "down")

    monkeypatch.setattr(leases._claims, "release", unreached)
    leases.release(lease, None)
    leases.release(lease)
