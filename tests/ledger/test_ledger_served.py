"""Whom a roster's jobs serve: what was learnt piece by piece is what a look at the whole gives."""

import gc
import random
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from jobs import NEW

from usbprov.bench.roster import RosterEntry
from usbprov.bench.served import ServedSoFar
from usbprov.ledger.chain import Write
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState, Served
from usbprov.ledger.schema import jobs

AT = datetime(2026, 11, 29, tzinfo=UTC)
USERS = {f"100{n}": RosterEntry(n + 2, f"100{n}", f"sip:user{n}@contoso.test") for n in range(5)}
LEFT = "1009"
"""An extension that is no longer on the roster."""
PHONES = [replace(NEW, phone_serial=f"EMU000{n}", roster="shift") for n in range(4)]


def entry_of(user: str | None, extension: str | None) -> RosterEntry | None:
    by_uri = {entry.sip_uri: entry for entry in USERS.values()}
    return by_uri.get(user) or USERS.get(extension or "")


def known(ledger: Ledger) -> ServedSoFar:
    return ServedSoFar(ledger, "shift", entry_of)


def facts(so_far: ServedSoFar) -> tuple[object, ...]:
    so_far.look()
    return so_far.phones, so_far.done


@pytest.mark.parametrize("seed", range(3))
def test_what_was_learnt_in_pieces_is_the_whole(ledger: Ledger, seed: int) -> None:
    chance, so_far, made = random.Random(seed), known(ledger), [0]  # noqa: S311 - no secret
    states = [state for state in JobState if state is not JobState.SUPERSEDED]
    for _ in range(40):
        new = replace(chance.choice(PHONES), extension=chance.choice([*USERS, LEFT, None]))
        match chance.randrange(4):
            case 0:
                made.append(ledger.open_job(new).id)
            case 1:
                made.append(ledger.open_job(replace(new, roster="another")).id)
            case 2:
                ledger.set_user(chance.choice(made), f"sip:user{chance.randrange(7)}@contoso.test")
            case _:
                ledger.finish(chance.choice(made), chance.choice(states))
        if chance.random() < 0.4:
            assert facts(so_far) == facts(known(ledger))
    assert facts(so_far) == facts(known(ledger))
    assert so_far.phones


def test_a_user_is_served_as_long_as_a_job_does_it(ledger: Ledger) -> None:
    so_far = known(ledger)
    first = ledger.open_job(replace(NEW, roster="shift", extension="1001")).id
    assert facts(so_far) == ({"sip:user1@contoso.test": 1}, 0)
    ledger.finish(first, JobState.DONE)
    assert facts(so_far) == ({"sip:user1@contoso.test": 1}, 1)
    second = ledger.open_job(replace(NEW, roster="shift", extension="1002")).id
    assert facts(so_far) == ({"sip:user1@contoso.test": 1, "sip:user2@contoso.test": 1}, 1)
    ledger.set_user(second, "sip:user1@contoso.test")
    assert facts(so_far) == ({"sip:user1@contoso.test": 2}, 1)
    ledger.finish(second, JobState.FAILED)
    assert facts(so_far) == ({"sip:user1@contoso.test": 1}, 1)
    ledger.finish(first, JobState.FAILED)  # nothing is known of it any more but that it was done
    assert facts(so_far) == ({}, 0)


def test_little_is_kept_of_a_phone_that_is_done(ledger: Ledger) -> None:
    users = {f"{number}": RosterEntry(number, f"{number}") for number in range(600)}
    so_far = ServedSoFar(ledger, "shift", lambda _, extension: users[extension or ""])
    so_far.look()

    def serve(write: Write) -> None:
        new = vars(NEW) | {"roster": "shift", "created": AT, "updated": AT}
        for number in users:
            done = {"state": JobState.DONE, "extension": number, "phone_serial": f"S{number}"}
            write.insert(jobs, new | done)

    ledger.database.write("job opened", serve)
    tracemalloc.start()
    try:
        so_far.look()
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert so_far.done == len(users)
    assert kept / len(users) < 200  # bytes


def test_only_what_was_written_since_is_read(ledger: Ledger) -> None:
    for number in range(30):
        job = ledger.open_job(replace(NEW, roster="shift", phone_serial=f"EMU{number}"))
        ledger.finish(job.id, JobState.DONE)
    whole = ledger.served_since("shift", 0)
    assert len(whole.jobs) == 30
    assert whole.begun is None
    nothing = ledger.served_since("shift", whole.number)
    assert (nothing.number, nothing.jobs, nothing.begun) == (whole.number, [], frozenset())
    other = ledger.open_job(replace(NEW, roster="another"))
    mine = ledger.open_job(replace(NEW, roster="shift", phone_serial="EMU7")).id
    ledger.begin_step(mine, 'a text with ["job",7 in it')
    news = ledger.served_since("shift", whole.number)
    assert news.begun == {other.id, mine}
    assert news.number == whole.number + 3
    phone = ("EMU7", NEW.phone_mac)
    assert news.jobs == [Served(mine, JobState.OPEN, *phone, None, NEW.extension)]
    ledger.finish(mine, JobState.DONE)
    later = ledger.served_since("shift", news.number)
    assert (later.begun, [job.state for job in later.jobs]) == (frozenset(), [JobState.DONE])
    ledger.database.write("removed", lambda write: write.note(jobs, mine, None))
    assert ledger.served_since("shift", later.number).begun is None


def test_a_chain_that_is_shorter_than_it_was_is_read_from_its_beginning(ledger: Ledger) -> None:
    job = ledger.open_job(replace(NEW, roster="shift")).id
    again = ledger.served_since("shift", 4711)
    assert again.begun is None
    assert [served.job for served in again.jobs] == [job]
