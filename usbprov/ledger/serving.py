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
    select(entries.c.body).where(
        entries.c.number > bindparam("since"), entries.c.body.like('%["job",%')
    )
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
    if not 0 < since <= number or _is_purged(connection, since):
        found = _ALL.rows(connection, {"roster": roster})
        return ServedSince(number, [_served(row) for row in found], None)
    changed = _changed(connection, since) if since < number else []
    found = [
        row for job in changed for row in _ONE.rows(connection, {"roster": roster, "job": job})
    ]
    return ServedSince(number, [_served(row) for row in found], changed)


def _is_purged(connection: Connection, since: int) -> bool:
    """Say whether entries after that one are gone, so that nobody can tell what changed."""
    ((first,),) = _FIRST.rows(connection, {})
    return bool(since < first)


def _changed(connection: Connection, since: int) -> list[int]:
    bodies = [json.loads(body) for (body,) in _BODIES.rows(connection, {"since": since})]
    return sorted({row for body in bodies for table, row, _ in body if table == jobs.name})


def _served(row: driver.Row) -> Served:
    job, state, *rest = row
    return Served(job, JobState(state), *rest)
