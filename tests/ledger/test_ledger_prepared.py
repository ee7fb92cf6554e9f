"""A statement that goes past SQLAlchemy does what it does through it, from either database."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from jobs import NEW
from sqlalchemy import Connection, bindparam, insert, or_, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from usbprov.errors import LedgerUnusable
from usbprov.ledger import driver
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.prepared import Prepared
from usbprov.ledger.records import ArtifactKind, JobState
from usbprov.ledger.schema import artifacts, jobs, steps

ONE_OF = or_(*(jobs.c.state == state for state in (JobState.OPEN, JobState.DONE)))


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        (select(jobs), {}),
        (select(jobs).where(jobs.c.nonce == bindparam("nonce")), {"nonce": NEW.nonce}),
        (select(jobs).where(ONE_OF).order_by(jobs.c.id.desc()).limit(1), {}),
        (select(artifacts).where(artifacts.c.kind == bindparam("kind")), {"kind": "certificate"}),
    ],
    ids=["all", "bytes", "constants", "text"],
)
def test_rows_come_back_as_they_do_through_sqlalchemy(
    ledger: Ledger, query: Any, asked: Mapping[str, object]
) -> None:
    job = ledger.open_job(NEW).id
    ledger.open_job(replace(NEW, phone_serial="EMU0002", user=None, extension=None))
    ledger.keep(job, ArtifactKind.CERTIFICATE, b"\0\xff")
    prepared = Prepared(query)

    def both(connection: Connection) -> tuple[object, object]:
        through = [dict(row) for row in connection.execute(query, asked).mappings()]
        return prepared.mappings(connection, asked), through

    past, through = ledger.database.read(both)
    assert past == through != []


def test_a_time_is_written_as_sqlalchemy_writes_it(ledger: Ledger) -> None:
    job = ledger.open_job(NEW)
    past = Prepared(update(jobs).where(jobs.c.id == bindparam("_id")), ["updated"])
    same = select(jobs.c.id).where(jobs.c.updated == job.created)

    def change(connection: Connection) -> tuple[int, list[int]]:
        changed = past.change(connection, {"_id": job.id, "updated": job.created})
        return changed, list(connection.execute(same).scalars())

    assert ledger.database.read(change) == (1, [job.id])


def test_what_the_database_refuses_is_sqlalchemys_error(ledger: Ledger) -> None:
    ledger.jobs()
    step = {"job": 4711, "name": "key", "state": None}
    past = Prepared(insert(steps), list(step))
    with pytest.raises(LedgerUnusable):
        ledger.database.write("x", lambda write: write.rows(past, step))

    def refused(connection: Connection) -> type[BaseException]:
        with pytest.raises(IntegrityError) as caught:
            past.rows(connection, step)
        assert caught.value.params is None
        return type(caught.value)

    with pytest.raises((DBAPIError, LedgerUnusable)):  # PostgreSQL goes no further after it
        ledger.database.read(lambda c: (refused(c), driver.rows(c, "SELECT nothing FROM nowhere")))


def test_a_parameter_that_is_missing_is_not_taken_for_null(ledger: Ledger) -> None:
    ledger.jobs()
    past = Prepared(select(jobs).where(jobs.c.slot == bindparam("slot")))
    with pytest.raises(Exception, match="slot"):
        ledger.database.read(lambda connection: past.rows(connection, {}))
