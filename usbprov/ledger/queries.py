"""What is asked of the ledger, and changed in it, by phone or job: made ready once."""

from collections.abc import Sequence
from functools import cache

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, or_, select, update

from usbprov.ledger.prepared import Prepared
from usbprov.ledger.records import COUNTING, UNFINISHED, JobState
from usbprov.ledger.schema import artifacts, failures, jobs

_OF_PHONE = and_(jobs.c.phone_serial == bindparam("serial"), jobs.c.phone_mac == bindparam("mac"))


@cache
def latest(states: Sequence[JobState], *, by_user: bool, by_extension: bool) -> Prepared:
    """Find a phone's newest job in one of the states, for a slot, server and user.

    Its parameters are ``serial``, ``mac``, ``slot``, ``url``; and as far as they are known
    ``user``, in lower case, and ``extension``.
    """
    where = (
        _OF_PHONE,
        jobs.c.slot == bindparam("slot"),
        _is_one_of(states),
        jobs.c.web_services_url == bindparam("url"),
        _of_user(by_user=by_user, by_extension=by_extension),
    )
    return Prepared(select(jobs).where(*where).order_by(jobs.c.id.desc()).limit(1))


def _of_user(*, by_user: bool, by_extension: bool) -> ColumnElement[bool]:
    extension = jobs.c.extension
    same = extension == bindparam("extension") if by_extension else extension.is_(None)
    if not by_user:
        return same
    return or_(func.lower(jobs.c.user) == bindparam("user"), and_(jobs.c.user.is_(None), same))


def _is_one_of(states: Sequence[JobState]) -> ColumnElement[bool]:
    """Say the same as IN, with a number of parameters that does not change."""
    return or_(*(jobs.c.state == state for state in states))


JOBS_OF_PHONE = Prepared(select(jobs).where(_OF_PHONE).order_by(jobs.c.id.desc()))
"""All jobs of a phone, newest first: ``serial`` and ``mac``."""

# In a parameter that says which row is meant, a column's own name is taken: it is what is set.
SUPERSEDE = Prepared(
    update(jobs)
    .where(_OF_PHONE, jobs.c.slot == bindparam("slot_is"), _is_one_of(sorted(UNFINISHED)))
    .values(state=bindparam("state"), updated=bindparam("updated"))
    .returning(jobs.c.id)
)
"""Change a phone's unfinished jobs: ``serial``, ``mac``, ``slot_is``; ``state`` and ``updated``."""

RETIRE = Prepared(
    update(jobs)
    .where(_OF_PHONE, _is_one_of(sorted(COUNTING)), jobs.c.id != bindparam("job"))
    .values(state=bindparam("state"))
    .returning(jobs.c.id)
)
"""Change a phone's jobs that count, but for one: ``serial``, ``mac``, ``job``; ``state``."""


@cache
def latest_of_phone(*, of_roster: bool) -> Prepared:
    """Find a phone's newest job that came to anything: ``serial``, ``mac`` and ``roster``."""
    where = [_OF_PHONE, _is_one_of(sorted(COUNTING))]
    if of_roster:
        where.append(jobs.c.roster == bindparam("roster"))
    return Prepared(select(jobs).where(*where).order_by(jobs.c.id.desc()).limit(1))


_OF_KIND = and_(artifacts.c.job == bindparam("job"), artifacts.c.kind == bindparam("kind"))

ARTIFACT = Prepared(
    select(artifacts.c.data).where(_OF_KIND).order_by(artifacts.c.id.desc()).limit(1)
)
"""The newest object of a kind that a job keeps: ``job`` and ``kind``."""

REJECT = Prepared(
    update(artifacts)
    .where(artifacts.c.job == bindparam("job_is"), artifacts.c.kind == bindparam("kind_is"))
    .values(kind=bindparam("kind"))
    .returning(artifacts.c.id)
)
"""Change what a job keeps of a kind into another: ``job_is``, ``kind_is``; ``kind``."""

KEPT_ALREADY = Prepared(
    select(artifacts.c.id).where(_OF_KIND, artifacts.c.sha256 == bindparam("sha256"))
)
"""The same object, if it is kept: ``job``, ``kind`` and ``sha256``."""

FORGET_FACTS = Prepared(delete(failures).where(failures.c.job == bindparam("job")))
"""Remove the fields of the error that stopped a job: ``job``."""
