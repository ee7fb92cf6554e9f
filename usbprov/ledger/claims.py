"""Claims: who works on which user and which phone, for as long as a lease lasts.

A claim is one row, and taking it is one statement, so that of any number of benches one gets it.
Leases are counted by the database's clock. A bench renews its claims well before they end; one
that died does not, and its claims are free once the lease is over.
"""

import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    RowMapping,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)

from usbprov.ledger.chain import Write, cleaned
from usbprov.ledger.clock import DatabaseTime
from usbprov.ledger.database import Database
from usbprov.ledger.prepared import Prepared
from usbprov.ledger.records import COUNTING, JobState
from usbprov.ledger.schema import claims, jobs
from usbprov.ledger.upsert import upsert

_TOKEN_BYTES = 8


class ClaimKind(StrEnum):
    """What can be claimed."""

    USER = "user"
    """The key is a SIP URI or an extension; upper and lower case are the same."""
    PHONE = "phone"
    """The key is what the caller knows the phone by; the same phone must have the same one."""


@dataclass(frozen=True)
class Held:
    """A claim as others see it; ``until`` is UTC by the database's clock."""

    kind: ClaimKind
    key: str
    bench: str
    worker: str
    until: datetime


@dataclass(frozen=True)
class Claim(Held):
    """A claim of one's own: ``token`` is what it is renewed and released by."""

    token: str


@dataclass(frozen=True)
class Roster:
    """The users whom phones are staged for, in the order in which they are handed out.

    Attributes:
        name: What the jobs of this roster have in their ``roster``.
        users: SIP URIs or extensions.
        served: A job in one of these states serves its user. An unfinished job does by default:
            its phone may come back, and must not find that its user has another phone.
    """

    name: str
    users: Sequence[str]
    served: Collection[JobState] = COUNTING


@dataclass(frozen=True)
class Worker:
    """Who claims: a worker (a port) of a bench, and how many seconds its lease is."""

    bench: str
    name: str
    seconds: float


class Claims:
    """The claims of a ledger. Every method is one transaction, and may raise a ``LedgerError``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, kind: ClaimKind, key: str, worker: Worker) -> Claim | Held:
        """Take a claim that is free, or whose lease is over; or say who holds it."""

        def work(write: Write) -> Claim | Held:
            while True:
                taken = _take(write, kind, key, worker) or _holder(write, kind, key)
                if taken is not None:
                    break  # otherwise its holder released it in between
            if isinstance(taken, Claim):
                _note(write, taken)
            return taken

        return self._database.write("claim taken", work)

    def next_user(self, roster: Roster, worker: Worker) -> Claim | None:
        """Claim the first user of a roster who is neither served nor claimed, if there is one."""

        def work(write: Write) -> Claim | None:
            for user in _unserved(write, roster):
                taken = _take(write, ClaimKind.USER, user, worker)
                # Whoever had the claim before may have ended the job since it was looked for.
                if taken and _is_served(write, roster, user):
                    write.execute(delete(claims).filter_by(token=taken.token))
                elif taken:
                    _note(write, taken)
                    return taken
            return None

        return self._database.write("claim taken", work)

    def renew(self, held: Collection[Claim], seconds: float) -> list[Claim]:
        """Begin the leases anew; returns the claims that are lost.

        A lease that is over is renewed, too, as long as nobody else has taken the claim. The
        worker of a lost claim must not write anything more, neither to phone nor ledger.
        """
        mine = claims.c.token.in_([claim.token for claim in held])
        statement = update(claims).where(mine).values(until=DatabaseTime(seconds))

        def work(write: Write) -> set[str]:
            return set(write.execute(statement.returning(claims.c.token)).scalars())

        kept = self._database.write("claims renewed", work) if held else set()
        return [claim for claim in held if claim.token not in kept]

    def release(self, held: Collection[Claim]) -> None:
        """Give claims back; those that are lost already are left alone."""

        def work(write: Write) -> None:
            for claim in sorted(held, key=_order):
                for _ in write.rows(_RELEASE, {"mine": claim.token}):
                    write.note(claims, _row(claim), None)

        if held:
            self._database.write("claims released", work)

    def expire(self) -> list[Held]:
        """Remove the claims whose lease is over, and return them; it is not needed, only tidy."""
        over = claims.c.until <= DatabaseTime()
        return self._database.write("claims expired", lambda write: remove(write, over))

    def held(self) -> list[Held]:
        """Return the claims whose leases last."""
        query = select(claims).where(claims.c.until > DatabaseTime())
        query = query.order_by(claims.c.kind, claims.c.key)
        rows = self._database.read(lambda connection: connection.execute(query).mappings().all())
        return [_held(row) for row in rows]


def remove(write: Write, which: ColumnElement[bool]) -> list[Held]:
    """Remove claims, and have the chain say so."""
    rows = write.execute(delete(claims).where(which).returning(*claims.c)).mappings().all()
    gone = sorted((_held(row) for row in rows), key=_order)
    for claim in gone:
        write.note(claims, _row(claim), None)
    return gone


def _take(write: Write, kind: ClaimKind, key: str, worker: Worker) -> Claim | None:
    values: dict[str, Any] = cleaned(
        {
            "kind": kind,
            "key": key.lower() if kind is ClaimKind.USER else key,
            "token": secrets.token_hex(_TOKEN_BYTES),
            "bench": worker.bench,
            "worker": worker.name,
        }
    )
    given = values | {"seconds": float(worker.seconds)}
    until = write.rows(_taking(write.dialect), given)
    return Claim(**values, until=until[0][0]) if until else None


@cache
def _taking(dialect: str) -> Prepared:
    names = ("kind", "key", "token", "bench", "worker")
    lease = DatabaseTime(bindparam("seconds", type_=Float()))
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    values |= {"since": DatabaseTime(), "until": lease}
    free = claims.c.until <= DatabaseTime()
    return Prepared(upsert(dialect, claims, values, free).returning(claims.c.until))


_RELEASE = Prepared(
    delete(claims).where(claims.c.token == bindparam("mine")).returning(claims.c.token)
)


def _holder(write: Write, kind: ClaimKind, key: str) -> Held | None:
    wanted = key.lower() if kind is ClaimKind.USER else key
    query = select(claims).filter_by(kind=kind, key=wanted)
    row = write.execute(query).mappings().one_or_none()
    return None if row is None else _held(row)


def _note(write: Write, claim: Claim) -> None:
    columns = {"token": claim.token, "bench": claim.bench, "worker": claim.worker}
    write.note(claims, _row(claim), columns)


def _order(claim: Held) -> tuple[str, str]:
    return claim.kind, claim.key


def _row(claim: Held) -> str:
    return f"{claim.kind}:{claim.key}"


def _held(row: RowMapping) -> Held:
    kind = ClaimKind(row["kind"])
    return Held(kind, row["key"], row["bench"], row["worker"], row["until"])


def _unserved(write: Write, roster: Roster) -> Iterator[str]:
    """Yield the users for whom there is something to do, as far as can be seen now."""
    taken = set(
        write.execute(
            select(claims.c.key).where(
                claims.c.kind == ClaimKind.USER, claims.c.until > DatabaseTime()
            )
        ).scalars()
    )
    names = select(func.lower(jobs.c.user), func.lower(jobs.c.extension))
    for row in write.execute(names.where(*_serving(roster))):
        taken.update(row)
    yield from (user for user in roster.users if user.lower() not in taken)


def _is_served(write: Write, roster: Roster, user: str) -> bool:
    name = user.lower()
    of_user = or_(func.lower(jobs.c.user) == name, func.lower(jobs.c.extension) == name)
    query = select(jobs.c.id).where(*_serving(roster), of_user).limit(1)
    return write.execute(query).one_or_none() is not None


def _serving(roster: Roster) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return jobs.c.roster == roster.name, jobs.c.state.in_(list(roster.served))
