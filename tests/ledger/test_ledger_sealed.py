"""Sealed keys in both databases: one a job, told of in the chain without what is sealed."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from jobs import NEW
from sqlalchemy import select

from usbprov.errors import LedgerAltered
from usbprov.ledger.gathering import GatheringLedger
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState, Sealed
from usbprov.ledger.schema import entries

KEY = Sealed(datetime(2026, 11, 29, tzinfo=UTC), "bench-1", "0123456789abcdef", b"ciphertext-one")
OTHER = replace(KEY, data=b"ciphertext-two")


def bodies(ledger: Ledger) -> str:
    return ledger.database.read(
        lambda connection: "\n".join(connection.execute(select(entries.c.body)).scalars())
    )


def test_it_is_kept_replaced_and_wiped(ledger: Ledger) -> None:
    job = ledger.open_job(NEW).id
    assert ledger.sealed(job) is None
    ledger.seal(job, KEY)
    assert ledger.sealed(job) == KEY
    ledger.seal(job, OTHER)
    assert ledger.sealed(job) == OTHER
    ledger.verify()
    ledger.wipe(job)
    assert ledger.sealed(job) is None
    before = ledger.verify()
    ledger.wipe(job)
    assert ledger.verify() == before


def test_the_chain_tells_of_it_without_what_is_sealed(ledger: Ledger) -> None:
    job = ledger.open_job(NEW).id
    ledger.seal(job, KEY)
    told = bodies(ledger)
    assert "bench-1" in told
    assert KEY.data.hex() not in told
    assert KEY.data.decode() not in told
    ledger.database.write(
        "",
        lambda write: write._connection.exec_driver_sql("UPDATE sealed SET computer = 'x'"),
    )
    with pytest.raises(LedgerAltered, match="its computer was changed"):
        ledger.verify()


def test_it_goes_with_the_next_write(ledger: Ledger) -> None:
    job = ledger.open_job(NEW).id
    gathering = GatheringLedger(ledger)
    before = ledger.verify().entries
    gathering.seal(job, KEY)
    assert ledger.sealed(job) is None
    gathering.begin_step(job, "key")
    assert ledger.sealed(job) == KEY
    assert ledger.verify().entries == before + 1


@pytest.mark.parametrize("state", JobState)
def test_a_job_that_nothing_goes_on_with_has_none(ledger: Ledger, state: JobState) -> None:
    job = ledger.open_job(NEW).id
    ledger.seal(job, KEY)
    ledger.finish(job, state)
    kept = ledger.sealed(job)
    ledger.open_job(replace(NEW, phone_mac="02:00:00:00:00:99"))
    assert ledger.sealed(job) == kept
    assert (kept is None) == (state is JobState.FAILED)
    ledger.open_job(NEW)
    superseded = state in {JobState.OPEN, JobState.STUCK}
    assert (ledger.sealed(job) is None) == (superseded or state is JobState.FAILED)
    ledger.verify()


def test_a_phone_out_of_service_has_none(ledger: Ledger) -> None:
    jobs = [ledger.open_job(replace(NEW, slot=slot)) for slot in (0, 1)]
    for job in jobs:
        ledger.seal(job.id, KEY)
    ledger.retire(jobs[1])
    assert [ledger.sealed(job.id) for job in jobs] == [None, None]
    ledger.verify()
