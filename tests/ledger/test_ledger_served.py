"""Whom a roster's jobs serve: what was learnt piece by piece is what a look at the whole gives."""

import random
from dataclasses import replace

import pytest
from jobs import NEW

from usbprov.bench.roster import RosterEntry
from usbprov.bench.served import ServedSoFar
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState, Served
from usbprov.phone.contract import PhoneIdentity

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
    return so_far.phones, so_far.users, so_far.done


@pytest.mark.parametrize("seed", range(3))
def test_what_was_learnt_in_pieces_is_the_whole(ledger: Ledger, seed: int) -> None:
    chance, so_far, jobs = random.Random(seed), known(ledger), [0]  # noqa: S311 - no secret
    states = [state for state in JobState if state is not JobState.SUPERSEDED]
    for _ in range(40):
        new = replace(chance.choice(PHONES), extension=chance.choice([*USERS, LEFT, None]))
        match chance.randrange(4):
            case 0:
                jobs.append(ledger.open_job(new).id)
            case 1:
                jobs.append(ledger.open_job(replace(new, roster="another")).id)
            case 2:
                ledger.set_user(chance.choice(jobs), f"sip:user{chance.randrange(7)}@contoso.test")
            case _:
                ledger.finish(chance.choice(jobs), chance.choice(states))
        if chance.random() < 0.4:
            assert facts(so_far) == facts(known(ledger))
    assert facts(so_far) == facts(known(ledger))
    assert so_far.phones


def test_the_newest_job_says_whose_a_phone_is(ledger: Ledger) -> None:
    so_far, mine = known(ledger), PhoneIdentity(NEW.phone_serial, NEW.phone_mac)
    first = ledger.open_job(replace(NEW, roster="shift", extension="1001")).id
    ledger.finish(first, JobState.DONE)
    so_far.look()
    second = ledger.open_job(replace(NEW, roster="shift", extension="1002")).id
    so_far.look()
    assert so_far.users == {mine: "sip:user2@contoso.test"}
    assert so_far.phones.keys() == {"sip:user1@contoso.test", "sip:user2@contoso.test"}
    assert so_far.done == 1
    ledger.finish(second, JobState.FAILED)
    so_far.look()
    assert so_far.users == {mine: "sip:user1@contoso.test"}
    assert so_far.phones.keys() == {"sip:user1@contoso.test"}


def test_only_what_was_written_since_is_read(ledger: Ledger) -> None:
    for number in range(30):
        job = ledger.open_job(replace(NEW, roster="shift", phone_serial=f"EMU{number}"))
        ledger.finish(job.id, JobState.DONE)
    whole = ledger.served_since("shift", 0)
    assert len(whole.jobs) == 30
    assert whole.changed is None
    nothing = ledger.served_since("shift", whole.number)
    assert (nothing.number, nothing.jobs, nothing.changed) == (whole.number, [], [])
    other = ledger.open_job(replace(NEW, roster="another"))
    mine = ledger.open_job(replace(NEW, roster="shift", phone_serial="EMU7")).id
    ledger.begin_step(mine, 'a text with ["job",7 in it')
    news = ledger.served_since("shift", whole.number)
    assert news.changed == [other.id, mine]
    assert news.number == whole.number + 3
    phone = ("EMU7", NEW.phone_mac)
    assert news.jobs == [Served(mine, JobState.OPEN, *phone, None, NEW.extension)]


def test_a_chain_that_is_shorter_than_it_was_is_read_from_its_beginning(ledger: Ledger) -> None:
    job = ledger.open_job(replace(NEW, roster="shift")).id
    again = ledger.served_since("shift", 4711)
    assert again.changed is None
    assert [served.job for served in again.jobs] == [job]
