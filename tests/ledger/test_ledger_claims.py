"""Claims: one holder, a lease by the database's clock, free again when its bench is dead."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from jobs import NEW
from processes import wait_for

from usbprov.ledger.claims import Claim, ClaimKind, Held, Roster, Worker
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState

ONE = Worker("bench-1", "port-1", 60.0)
TWO = Worker("bench-2", "port-7", 60.0)
BRIEF = Worker("bench-1", "port-1", 0.05)
ALICE, BOB = "sip:alice@contoso.test", "sip:bob@contoso.test"
ROSTER = Roster("autumn", [ALICE, BOB, "1003"])


def taken(claim: Claim | Held | None) -> Claim:
    assert isinstance(claim, Claim)
    return claim


def test_a_claim_has_one_holder(ledger: Ledger) -> None:
    mine = taken(ledger.claims.claim(ClaimKind.USER, ALICE, ONE))
    other = ledger.claims.claim(ClaimKind.USER, ALICE.upper(), TWO)
    assert other == Held(ClaimKind.USER, ALICE, "bench-1", "port-1", mine.until)
    assert ledger.claims.held() == [other]


def test_kinds_and_keys_are_apart(ledger: Ledger) -> None:
    for kind in ClaimKind:
        for key in ("a", "b"):
            taken(ledger.claims.claim(kind, key, ONE))
    assert len(ledger.claims.held()) == 4
    taken(ledger.claims.claim(ClaimKind.PHONE, "A", ONE))  # a serial number is not a name


def test_what_is_released_is_free(ledger: Ledger) -> None:
    mine = taken(ledger.claims.claim(ClaimKind.PHONE, "EMU0001", ONE))
    ledger.claims.release([mine])
    ledger.claims.release([mine])
    assert taken(ledger.claims.claim(ClaimKind.PHONE, "EMU0001", TWO)).bench == "bench-2"


def test_a_lease_that_is_over_is_taken_by_the_next_one(ledger: Ledger) -> None:
    lost = taken(ledger.claims.claim(ClaimKind.USER, ALICE, BRIEF))
    kept = taken(ledger.claims.claim(ClaimKind.USER, BOB, ONE))
    got = taken(
        wait_for(
            lambda: isinstance(c := ledger.claims.claim(ClaimKind.USER, ALICE, TWO), Claim) and c,
            "the lease's end",
        )
    )
    assert ledger.claims.renew([lost, kept, got], 60.0) == [lost]
    ledger.claims.release([lost])
    assert [claim.bench for claim in ledger.claims.held()] == ["bench-2", "bench-1"]


def test_a_lease_that_is_over_may_be_renewed_while_nobody_has_it(ledger: Ledger) -> None:
    mine = taken(ledger.claims.claim(ClaimKind.USER, ALICE, BRIEF))
    wait_for(lambda: not ledger.claims.held(), "the lease's end")
    assert ledger.claims.renew([mine], 60.0) == []
    assert isinstance(ledger.claims.claim(ClaimKind.USER, ALICE, TWO), Held)


def test_leases_are_as_long_as_was_asked_each_time(ledger: Ledger) -> None:
    first = taken(ledger.claims.claim(ClaimKind.USER, "1", replace(ONE, seconds=30.5)))
    second = taken(ledger.claims.claim(ClaimKind.USER, "2", replace(ONE, seconds=3600)))
    apart = second.until - first.until
    assert timedelta(seconds=3569) < apart < timedelta(seconds=3600)


def test_what_is_over_is_tidied_away_and_told(ledger: Ledger) -> None:
    taken(ledger.claims.claim(ClaimKind.USER, ALICE, BRIEF))
    taken(ledger.claims.claim(ClaimKind.PHONE, "EMU0001", ONE))
    wait_for(lambda: len(ledger.claims.held()) == 1, "the lease's end")
    assert [claim.key for claim in ledger.claims.expire()] == [ALICE]
    assert ledger.claims.expire() == []
    assert ledger.verify().entries == 3


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_bench_with_a_wrong_clock_takes_nothing_from_others(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    mine = taken(ledger.claims.claim(ClaimKind.USER, ALICE, ONE))

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(hours=hours)  # type: ignore[arg-type]

    monkeypatch.setattr("usbprov.ledger.ledger.datetime", Wrong)
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert isinstance(ledger.claims.claim(ClaimKind.USER, ALICE, TWO), Held)
    assert ledger.claims.renew([mine], 60.0) == []
    assert len(ledger.claims.held()) == 1


def test_users_are_handed_out_in_their_order(ledger: Ledger) -> None:
    users = [ledger.claims.next_user(ROSTER, ONE) for _ in range(4)]
    assert [user and user.key for user in users] == [ALICE, BOB, "1003", None]


def test_a_user_given_back_is_handed_out_again(ledger: Ledger) -> None:
    first = taken(ledger.claims.next_user(ROSTER, ONE))
    taken(ledger.claims.next_user(ROSTER, TWO))
    ledger.claims.release([first])
    assert taken(ledger.claims.next_user(ROSTER, TWO)).key == ALICE


@pytest.mark.parametrize(
    ("state", "served"),
    [
        (JobState.DONE, True),
        (JobState.OPEN, True),
        (JobState.STUCK, True),
        (JobState.FAILED, False),
        (JobState.SUPERSEDED, False),
    ],
)
@pytest.mark.parametrize(
    "user",
    [{"user": ALICE.upper(), "extension": "9"}, {"user": None, "extension": ALICE}],
    ids=["uri", "extension"],
)
def test_a_served_user_is_passed_over(
    ledger: Ledger, state: JobState, served: bool, user: dict[str, str]
) -> None:
    job = ledger.open_job(replace(NEW, roster="autumn", **user))
    ledger.finish(job.id, state)
    assert taken(ledger.claims.next_user(ROSTER, ONE)).key == (BOB if served else ALICE)
    assert taken(ledger.claims.next_user(replace(ROSTER, name="spring"), TWO)).key == (
        ALICE if served else BOB
    )


def test_who_counts_as_served_may_be_chosen(ledger: Ledger) -> None:
    ledger.open_job(replace(NEW, roster="autumn", user=ALICE))
    only_done = replace(ROSTER, served=[JobState.DONE])
    assert taken(ledger.claims.next_user(only_done, ONE)).key == ALICE


def test_a_user_served_between_looking_and_taking_is_left_alone(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another bench ended alice's job and gave her back after she was seen unserved."""
    monkeypatch.setattr("usbprov.ledger.claims._unserved", lambda _, roster: iter(roster.users))
    ledger.finish(ledger.open_job(replace(NEW, roster="autumn", user=ALICE)).id, JobState.DONE)
    assert taken(ledger.claims.next_user(ROSTER, ONE)).key == BOB
    assert [claim.key for claim in ledger.claims.held()] == [BOB]
    assert ledger.verify().entries == 3
