"""Whom the jobs of a roster serve, as far as that changed: the chain tells which jobs did."""

import json

from sqlalchemy import Connection, bindparam, func, select

from usbprov.ledger import driver
from usbprov.ledger.chain import CHAIN
from usbprov.ledger.prepared import Prepared
from usbprov.ledger.records import JobState, Served, ServedSince
from usbprov.ledger.schema import entries, heads, jobs

_FIRST = Prepared(select(func.min(entries.c.number)))
_NUMBER = Prepared(select(heads.c.number).where(heads.c.name == CHAIN))

_BODIES = Prepared(
    select(entries.c.body)
    .where(entries.c.number > bindparam("since"), entries.c.body.like('%["job",%'))
    .order_by(entries.c.number)
)
"""A row of the table ``job`` was written to; if a text holds these characters, too, no harm is
done."""

_SERVED = (
    jobs.c.id,
    jobs.c.state,
    jobs.c.phone_serial,
    jobs.c.phone_mac,
    jobs.c.user,
    jobs.c.extension,
)
_OF_ROSTER = select(*_SERVED).where(jobs.c.roster == bindparam("roster"))
_ALL = Prepared(_OF_ROSTER.order_by(jobs.c.id))
_ONE = Prepared(_OF_ROSTER.where(jobs.c.id == bindparam("job")))


def served_since(connection: Connection, roster: str, since: int) -> ServedSince:
    """Read what changed after an entry; see ``Ledger.served_since``."""
    ((number,),) = _NUMBER.rows(connection, {})
    is_told = _tells_all(connection, since, number)
    written = _written(connection, since) if is_told else {}
    if not is_told or None in written.values():  # a job was removed
        found = _ALL.rows(connection, {"roster": roster})
        return ServedSince(number, [_served(row) for row in found], None)
    found = [
        row
        for job in sorted(written)
        for row in _ONE.rows(connection, {"roster": roster, "job": job})
    ]
    begun = frozenset(job for job, is_new in written.items() if is_new)
    return ServedSince(number, [_served(row) for row in found], begun)


def _tells_all(connection: Connection, since: int, number: int) -> bool:
    """Say whether every entry after ``since`` is there; of a ledger that was purged it may not."""
    if not 0 < since < number:
        return since == number > 0
    ((first,),) = _FIRST.rows(connection, {})
    return first is not None and int(first) <= since + 1


def _written(connection: Connection, since: int) -> dict[int, bool | None]:
    """Return which jobs were written to, and whether they are new; None: one was removed."""
    written: dict[int, bool | None] = {}
    for (body,) in _BODIES.rows(connection, {"since": since}):
        for table, job, columns in json.loads(body):
            if table == jobs.name:
                is_new = columns and (written.get(job, False) or "created" in columns)
                written[job] = None if columns is None else bool(is_new)
    return written


def _served(row: driver.Row) -> Served:
    job, state, *rest = row
    return Served(job, JobState(state), *rest)
