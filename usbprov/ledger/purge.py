"""Removing the details of old jobs, and the entries of the chain that hold them.

The chain is cut where it last tells of one of these jobs: a checkpoint takes the place of that
entry and of all before it, see ``usbprov.ledger.checkpoint``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, func, select, update

from usbprov.errors import LedgerBusy, LedgerUnconfirmed
from usbprov.ledger.chain import CHAIN, Write
from usbprov.ledger.checkpoint import CHECKPOINT, PURGED
from usbprov.ledger.database import Database
from usbprov.ledger.entries import Change, Entry, written
from usbprov.ledger.purge_plan import IS_DETAIL, Plan, make_plan, parts
from usbprov.ledger.records import UNFINISHED
from usbprov.ledger.schema import artifacts, entries, failures, heads, jobs, steps
from usbprov.ledger.story import read_entries
from usbprov.ledger.vacuum import Vacuumed, vacuum
from usbprov.tape.folder import TapeFolder


@dataclass(frozen=True)
class Purged:
    """What was done.

    Attributes:
        plan: What was removed.
        entry: Number of the chain's entry that tells of it.
        head: Its hash.
        size: The room that was given back.
    """

    plan: Plan
    entry: int
    head: str
    size: Vacuumed


May = Callable[[Plan], bool]
"""Is asked before anything is removed."""


def plan_purge(database: Database, before: datetime) -> Plan:
    """Say what a purge would remove of the jobs that were finished before a moment.

    Raises:
        LedgerAltered: The ledger is not what was written to it; a purge would hide that.
        LedgerError: As of ``usbprov/errors/ledger.py``.
    """
    return database.snapshot(lambda connection: make_plan(database, connection, before)[0])


def purge(database: Database, before: datetime, may: May) -> Purged | None:
    """Remove it, so that it is gone from the disk, too; benches may go on meanwhile.

    Returns:
        What was done; None where there is nothing to remove.

    Raises:
        LedgerUnconfirmed: ``may`` said no.
        LedgerAltered: The ledger is not what was written to it; a purge would hide that.
        LedgerBusy: One of the jobs was written to meanwhile; a repeat sees how it is now.
        LedgerDenied: The role does not own the tables.
        LedgerError: As of ``usbprov/errors/ledger.py``.
    """
    plan, checkpoint = database.snapshot(lambda connection: make_plan(database, connection, before))
    if checkpoint is None:
        return None
    if not may(plan):
        raise LedgerUnconfirmed(database.backend.name, f"it would remove {plan}")
    name = database.backend.name
    database.write(PURGED, lambda write: _purge(write, name, plan, checkpoint))
    entry, head = database.read(_last_purge)
    return Purged(plan, entry, head, vacuum(database))


def purge_tapes(path: Path, database: Database, before: datetime) -> int:
    """Remove the recordings of that time, but those of unfinished jobs; returns how many.

    Args:
        path: The ledger's, beside which they are.
        database: The ledger's.
        before: What began before this moment is meant.

    Raises:
        LedgerError: As of ``usbprov/errors/ledger.py``.
    """
    query = select(jobs.c.id).where(jobs.c.state.in_(UNFINISHED))
    unfinished = database.read(lambda connection: set(connection.execute(query).scalars()))
    tapes = TapeFolder(path).before(before)
    old = [tape.path for tape in tapes if tape.job not in unfinished]
    for tape in old:
        tape.unlink(missing_ok=True)
    return len(old)


def _last_purge(connection: Connection) -> tuple[int, str]:
    query = select(entries.c.number, entries.c.hash).where(entries.c.kind == PURGED)
    number, digest = connection.execute(query.order_by(entries.c.number.desc()).limit(1)).one()
    return number, digest


def _purge(write: Write, name: str, plan: Plan, checkpoint: Entry) -> None:
    _wait_for_others(write)
    if _is_outdated(write, plan, checkpoint):
        raise LedgerBusy(name, "it was purged, or one of the jobs was written to, just now")
    _remove_details(write, plan)
    _cut_chain(write, checkpoint)
    told = {"before": written(plan.before), "jobs": len(plan.jobs), "seal": checkpoint.previous}
    write.tell(CHECKPOINT, checkpoint.number, told)


def _wait_for_others(write: Write) -> None:
    """Have nobody append to the chain until this is committed."""
    write.execute(select(heads.c.number).filter_by(name=CHAIN).with_for_update()).scalar_one()


def _is_outdated(write: Write, plan: Plan, checkpoint: Entry) -> bool:
    """Say whether the plan is not right any more: what was written since tells."""
    there = select(entries.c.hash, select(func.min(entries.c.number)).scalar_subquery())
    found = write.execute(there.where(entries.c.number == checkpoint.number)).one_or_none()
    if found is None or tuple(found) != (checkpoint.hash, plan.first):
        return True
    old = frozenset(plan.jobs)
    since = (
        change for entry in read_entries(write.connection, plan.last) for change in entry.changes()
    )
    return any(_job_of(write, change) in old for change in since)


def _job_of(write: Write, change: Change) -> int | None:
    """Return the number of the job that a new entry tells of, or None."""
    if change.table in (jobs.name, failures.name):
        return int(change.row)
    of = {table.name: table for table in (steps, artifacts)}.get(change.table)
    if of is None:
        return None
    return write.execute(select(of.c.job).where(of.c.id == change.row)).scalar()


def _remove_details(write: Write, plan: Plan) -> None:
    for part in parts(plan.jobs):
        write.execute(delete(steps).where(steps.c.job.in_(part)))
        write.execute(delete(failures).where(failures.c.job.in_(part)))
        write.execute(delete(artifacts).where(artifacts.c.job.in_(part), IS_DETAIL))
        write.execute(update(jobs).where(jobs.c.id.in_(part)).values(error=None))
        bare = [job for job in part if job not in plan.keep_extension]
        write.execute(update(jobs).where(jobs.c.id.in_(bare)).values(extension=None))


def _cut_chain(write: Write, checkpoint: Entry) -> None:
    write.execute(delete(entries).where(entries.c.number < checkpoint.number))
    values = {"kind": checkpoint.kind, "previous": checkpoint.previous, "body": checkpoint.body}
    here = entries.c.number == checkpoint.number
    write.execute(update(entries).where(here).values(values))
