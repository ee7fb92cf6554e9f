"""What a purge removes, and the checkpoint that takes the place of what it removes of the chain.

What stays of a job is the row itself, without its extension and the words of its error, and its
certificate. A job that is not finished stays as it is. The newest finished job of each phone's
slot keeps its extension: it says whose phone that is, and a repeat is recognised by it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, func, or_, select

from usbprov.ledger.checkpoint import make_checkpoint
from usbprov.ledger.database import Database
from usbprov.ledger.entries import Change, Entry
from usbprov.ledger.records import UNFINISHED, ArtifactKind, JobState
from usbprov.ledger.schema import artifacts, failures, jobs, steps
from usbprov.ledger.story import Story, read_entries
from usbprov.ledger.verify import tell

AT_ONCE = 500
"""How many jobs one statement names: no more than any database bears."""

IS_DETAIL = artifacts.c.kind != ArtifactKind.CERTIFICATE
"""A request, or an answer that failed a check."""

_BARE: Mapping[str, None] = {"extension": None, "error": None}


@dataclass(frozen=True)
class Plan:
    """What a purge removes.

    Attributes:
        before: Jobs that were finished before this moment are meant.
        jobs: Those of them that have something to remove.
        keep_extension: Those of them that keep their extension.
        steps: How many attempts at steps go.
        failures: How many errors' fields.
        artifacts: How many requests, and answers that failed a check.
        first: Number of the chain's first entry.
        up_to: The chain's entries up to this one become a checkpoint.
        last: Number of the chain's last entry when this was worked out.
    """

    before: datetime
    jobs: tuple[int, ...]
    keep_extension: frozenset[int]
    steps: int
    failures: int
    artifacts: int
    first: int
    up_to: int
    last: int

    @property
    def entries(self) -> int:
        """How many entries go."""
        return self.up_to - self.first + 1 if self.jobs else 0

    def bare(self, job: int) -> Mapping[str, None]:
        """Return the columns that a job loses."""
        return {"error": None} if job in self.keep_extension else _BARE

    def __str__(self) -> str:
        """Say what goes."""
        return (
            f"the details of {len(self.jobs)} jobs ({self.steps} steps, {self.artifacts} requests,"
            f" {self.failures} errors) and {self.entries} entries of the chain"
        )


def make_plan(
    database: Database, connection: Connection, before: datetime
) -> tuple[Plan, Entry | None]:
    """Work out what goes, and the checkpoint; None where nothing does.

    Raises:
        LedgerAltered: The ledger is not what was written to it; a purge would hide that.
    """
    story = tell(database, connection)
    keep = frozenset(connection.execute(_newest_done()).scalars())
    found = tuple(connection.execute(_with_details(before)).scalars())
    plan = Plan(
        before=before,
        jobs=found,
        keep_extension=keep.intersection(found),
        steps=_count(connection, steps.c.job, found),
        failures=_count(connection, failures.c.job, found),
        artifacts=_count(connection, artifacts.c.job, found, IS_DETAIL),
        first=story.first.number if story.first else 1,
        up_to=max((story.touched[job] for job in found), default=0),
        last=story.number,
    )
    return plan, _checkpoint(connection, plan) if found else None


def parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield them in parts that one statement can name."""
    for at in range(0, len(numbers), AT_ONCE):
        yield numbers[at : at + AT_ONCE]


# --- the jobs


def _newest_done() -> Select[Any]:
    of = (jobs.c.phone_serial, jobs.c.phone_mac, jobs.c.slot)
    return select(func.max(jobs.c.id)).where(jobs.c.state == JobState.DONE).group_by(*of)


def _with_details(before: datetime) -> Select[Any]:
    """Find the finished jobs that have something to remove."""
    has_details = or_(
        jobs.c.error.is_not(None),
        jobs.c.extension.is_not(None) & jobs.c.id.not_in(_newest_done()),
        select(steps.c.id).where(steps.c.job == jobs.c.id).exists(),
        select(failures.c.job).where(failures.c.job == jobs.c.id).exists(),
        select(artifacts.c.id).where(artifacts.c.job == jobs.c.id, IS_DETAIL).exists(),
    )
    old = (jobs.c.state.not_in(UNFINISHED), jobs.c.updated < before, has_details)
    return select(jobs.c.id).where(*old).order_by(jobs.c.id)


def _count(
    connection: Connection, of: Column[Any], found: Sequence[int], *where: ColumnElement[bool]
) -> int:
    query = select(func.count()).select_from(of.table)
    counts = (connection.execute(query.where(of.in_(part), *where)) for part in parts(found))
    return sum(int(count.scalar_one()) for count in counts)


# --- the checkpoint


def _checkpoint(connection: Connection, plan: Plan) -> Entry:
    """Tell the rows as they were when the chain last told of one of the jobs, less what goes."""
    story = Story()
    for entry in read_entries(connection):
        story.add(entry)
        if entry.number == plan.up_to:
            break
    return make_checkpoint(entry, _staying(story, plan))


def _staying(story: Story, plan: Plan) -> Iterator[Change]:
    of_old = frozenset(plan.jobs)
    for (table, number), row in sorted(story.rows.items(), key=lambda item: _order(*item[0])):
        told = Change(table, number, row.columns())
        job = story.job_of(told)
        if job not in of_old:
            yield told
        elif table == jobs.name:
            yield Change(table, number, {**row.columns(), **plan.bare(job)})
        elif not _is_detail(told):
            yield told


def _is_detail(told: Change) -> bool:
    if told.table == artifacts.name:
        return bool((told.columns or {})["kind"] != ArtifactKind.CERTIFICATE)
    return told.table in (steps.name, failures.name)


def _order(table: str, number: int | str) -> tuple[str, int, str]:
    return (table, number, "") if isinstance(number, int) else (table, 0, number)
