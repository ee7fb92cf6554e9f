"""Two benches as programs on one PostgreSQL database, one of them killed in the middle."""

from pathlib import Path

import pytest
from benches.place import place
from benches.shift import check, double_claims, shown, stage
from postgres import cluster

from usbprov.ledger.entries import Change

pytestmark = pytest.mark.timeout(240)


def test_one_that_is_killed_leaves_its_phones_to_the_other(tmp_path: Path) -> None:
    slow = ["keygen-seconds=0.5"]
    with cluster() as server, place(tmp_path, server, benches=2, each=6, personality=slow) as here:
        course = stage(here, 120, lease=False, extra=("--ports", "3"))
        assert course.claims > 0, "nothing was claimed when it was killed"
        assert course.inherited > 0, "nothing was left for the other bench"
        check(here, dead="bench-2")
        assert shown(here) == {"bench-1", "bench-2"}


def test_the_check_finds_a_claim_that_two_benches_had() -> None:
    def claim(number: int, bench: str | None) -> tuple[int, Change]:
        columns = bench and {"token": "ab", "bench": bench, "worker": "A1"}
        return number, Change("claim", "user:1001", columns or None)

    given_back = [claim(1, "bench-1"), claim(2, None), claim(3, "bench-2"), claim(4, None)]
    assert double_claims(given_back, dead="bench-3") == []
    inherited = [claim(1, "bench-3"), claim(2, "bench-1"), claim(3, None)]
    assert double_claims(inherited, dead="bench-3") == []
    assert double_claims(inherited, dead="bench-2") == [(2, "user:1001")]
