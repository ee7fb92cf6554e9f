"""Several programs at one ledger: nobody is served twice, and the dead leave nothing locked."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from colleagues import USERS, colleagues, hang, hold, serve
from jobs import NEW
from processes import wait_for

from usbprov.ledger.address import LedgerPlace
from usbprov.ledger.claims import Claim, ClaimKind, Held, Worker
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState

ME = Worker("alive", "port", 60.0)


def served(ledger: Ledger) -> Counter[str | None]:
    return Counter(job.user for job in ledger.jobs() if job.state is JobState.DONE)


def test_four_programs_serve_each_user_once(place: LedgerPlace, ledger: Ledger) -> None:
    with colleagues(place, *(serve(f"bench-{n}", 60) for n in range(4))) as four:
        said = [user for one in four for user in one.end()]
    assert Counter(said) == Counter(USERS)
    assert served(ledger) == Counter(USERS)
    assert ledger.claims.held() == []
    # A job opened and finished, a claim taken and released, for each.
    assert ledger.verify().entries == 4 * len(USERS)


def test_one_that_is_killed_leaves_its_users_to_the_others(
    place: LedgerPlace, ledger: Ledger
) -> None:
    with colleagues(place, serve("bench-1", 1.0)) as (victim,):
        victim.says()
        victim.kill()  # wherever it is by now
    with colleagues(place, serve("bench-2", 60), serve("bench-3", 60)) as others:
        for other in others:
            other.end()
    wait_for(lambda: not ledger.claims.held(), "the end of the dead one's leases")
    ledger.close()  # SQLite is not to be open here when another program begins as a copy of us
    with colleagues(place, serve("bench-4", 60)) as (last,):
        last.end()
    assert served(ledger) == Counter(USERS)
    ledger.verify()


def test_a_claim_of_a_dead_program_is_free_after_its_lease(
    place: LedgerPlace, ledger: Ledger
) -> None:
    with colleagues(place, hold(2.0)) as (holder,):
        assert holder.says() == "held"
        holder.kill()
        seen = ledger.claims.claim(ClaimKind.PHONE, "EMU0001", ME)
        assert isinstance(seen, Held)
        wait_for(
            lambda: isinstance(ledger.claims.claim(ClaimKind.PHONE, "EMU0001", ME), Claim),
            "the lease's end",
        )
    (mine,) = ledger.claims.held()
    assert mine.until.timestamp() - 60.0 >= seen.until.timestamp()


def test_one_killed_in_the_middle_of_a_transaction_leaves_nothing(
    place: LedgerPlace, ledger: Ledger
) -> None:
    with colleagues(place, hang) as (hung,):
        assert hung.says() == "hung"
        hung.kill()
        started = time.monotonic()
        assert [ledger.open_job(NEW)] == ledger.jobs()
        assert time.monotonic() - started < 9, "it was the death that freed it, not a time limit"
    assert ledger.verify().entries == 1


def test_many_threads_share_a_ledger(ledger: Ledger) -> None:
    with ThreadPoolExecutor(32) as pool:
        records = list(pool.map(lambda slot: ledger.open_job(replace(NEW, slot=slot)), range(32)))
    assert sorted(records, key=lambda job: -job.id) == ledger.jobs()
    assert ledger.verify().entries == 32


def test_of_jobs_begun_at_once_for_one_phone_one_is_left(ledger: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ledger.open_job(NEW), range(16)))
    states = Counter(job.state for job in ledger.jobs())
    assert states == {JobState.OPEN: 1, JobState.SUPERSEDED: 15}
