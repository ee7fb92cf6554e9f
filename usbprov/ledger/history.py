"""What the ledger has of a stretch of time: jobs with their steps, certificates and errors."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, func, select

from usbprov.ledger.chain import CHAIN
from usbprov.ledger.database import Database
from usbprov.ledger.records import ArtifactKind, JobRecord, StepRecord
from usbprov.ledger.schema import artifacts, failures, heads, jobs, steps


@dataclass(frozen=True)
class Stretch:
    """Which jobs are meant: those that were at work in the stretch of time.

    Attributes:
        since: A job whose last change was before this moment is not meant; None: from the first.
        until: Nor is one that began at this moment or later; None: to the last.
        bench: Only the jobs of this bench; None: of all, and those without one.
    """

    since: datetime | None = None
    until: datetime | None = None
    bench: str | None = None

    def where(self) -> ColumnElement[bool]:
        """Return it as a condition on the jobs."""
        wanted: list[ColumnElement[bool]] = [jobs.c.id > 0]
        if self.since is not None:
            wanted.append(jobs.c.updated >= self.since)
        if self.until is not None:
            wanted.append(jobs.c.created < self.until)
        if self.bench is not None:
            wanted.append(jobs.c.bench == self.bench)
        return and_(*wanted)


@dataclass(frozen=True)
class Kept:
    """A job's newest certificate: DER, and its SHA-256 as the ledger has it."""

    sha256: str
    data: bytes


@dataclass(frozen=True)
class History:
    """All of one moment.

    Attributes:
        entries: How many entries the chain has.
        head: The hash of the last one.
        jobs: In the order in which they began.
        steps: Every attempt at every step, by job, in the order in which they were begun.
        certificates: By job; those that failed a check are not among them.
        facts: The fields of the error that stopped a job, by job.
    """

    entries: int
    head: str
    jobs: Sequence[JobRecord]
    steps: Mapping[int, Sequence[StepRecord]]
    certificates: Mapping[int, Kept]
    facts: Mapping[int, Mapping[str, object]]


def read_history(database: Database, stretch: Stretch) -> History:
    """Read it in one snapshot, however many benches go on writing.

    Raises:
        LedgerError: As of ``usbprov/errors/ledger.py``.
    """
    return database.snapshot(lambda connection: _history(connection, stretch))


def work_times(database: Database, stretch: Stretch) -> list[tuple[datetime, datetime]]:
    """Return when each of the jobs began and last changed, the one that changed last first."""
    query = select(jobs.c.created, jobs.c.updated).where(stretch.where())
    query = query.order_by(jobs.c.updated.desc())
    rows = database.read(lambda connection: connection.execute(query).all())
    return [(row.created, row.updated) for row in rows]


def _history(connection: Connection, stretch: Stretch) -> History:
    meant = select(jobs.c.id).where(stretch.where())
    head = connection.execute(select(heads.c.number, heads.c.hash).filter_by(name=CHAIN)).one()
    return History(
        entries=head.number,
        head=head.hash,
        jobs=[
            JobRecord.of(row)
            for row in _rows(connection, select(jobs).where(stretch.where()).order_by(jobs.c.id))
        ],
        steps=_steps(connection, meant),
        certificates=_certificates(connection, meant),
        facts={
            row["job"]: json.loads(row["facts"])
            for row in _rows(connection, select(failures).where(failures.c.job.in_(meant)))
        },
    )


def _steps(connection: Connection, meant: Select[Any]) -> Mapping[int, Sequence[StepRecord]]:
    found: dict[int, list[StepRecord]] = defaultdict(list)
    query = select(steps).where(steps.c.job.in_(meant)).order_by(steps.c.id)
    for row in _rows(connection, query):
        found[row["job"]].append(StepRecord.of(row))
    return dict(found)


def _certificates(connection: Connection, meant: Select[Any]) -> Mapping[int, Kept]:
    newest = (
        select(func.max(artifacts.c.id))
        .where(artifacts.c.job.in_(meant), artifacts.c.kind == ArtifactKind.CERTIFICATE)
        .group_by(artifacts.c.job)
    )
    query = select(artifacts.c.job, artifacts.c.sha256, artifacts.c.data)
    rows = _rows(connection, query.where(artifacts.c.id.in_(newest)))
    return {row["job"]: Kept(row["sha256"], row["data"]) for row in rows}


def _rows(connection: Connection, query: Select[Any]) -> Sequence[RowMapping]:
    return connection.execute(query).mappings().all()
