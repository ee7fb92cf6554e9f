"""What the phones hold: of each phone's slot the certificate in use, as the ledger knows."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from usbprov.ledger.database import Database
from usbprov.ledger.records import UNFINISHED, ArtifactKind, JobRecord, JobState, StepState
from usbprov.ledger.schema import artifacts, jobs, steps

_INSTALL = "install"
_DONE = (StepState.DONE, StepState.SKIPPED)


@dataclass(frozen=True)
class Holding:
    """A certificate (DER) that is in use in a phone, its SHA-256, and the job that put it there."""

    job: JobRecord
    sha256: str
    data: bytes


def read_holdings(database: Database) -> list[Holding]:
    """Return what each phone's slot holds, by the number of the job that put it there.

    A job that was not finished counts once its installation was committed; a phone that was
    retired holds nothing.

    Raises:
        LedgerError: As of ``usbprov/errors/ledger.py``.
    """
    return database.snapshot(_holdings)


def _holdings(connection: Connection) -> list[Holding]:
    keeps = and_(artifacts.c.job == jobs.c.id, artifacts.c.kind == ArtifactKind.CERTIFICATE)
    committed = select(steps.c.job).where(steps.c.name == _INSTALL, steps.c.state.in_(_DONE))
    in_force = or_(
        jobs.c.state == JobState.DONE,
        and_(jobs.c.state.in_(UNFINISHED), jobs.c.id.in_(committed)),
    )
    newest_job = (
        select(func.max(jobs.c.id))
        .where(in_force, select(artifacts.c.id).where(keeps).exists())
        .group_by(jobs.c.phone_serial, jobs.c.phone_mac, jobs.c.slot)
    )
    newest = (
        select(func.max(artifacts.c.id))
        .where(artifacts.c.kind == ArtifactKind.CERTIFICATE)
        .group_by(artifacts.c.job)
    )
    query = (
        select(jobs, artifacts.c.sha256, artifacts.c.data)
        .join(artifacts, artifacts.c.job == jobs.c.id)
        .where(jobs.c.id.in_(newest_job), artifacts.c.id.in_(newest))
        .order_by(jobs.c.id)
    )
    return [_holding(dict(row)) for row in connection.execute(query).mappings()]


def _holding(row: dict[str, Any]) -> Holding:
    sha256, data = row.pop("sha256"), row.pop("data")
    return Holding(JobRecord.of(row), sha256, data)
