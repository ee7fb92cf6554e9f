"""The ledger: what each job did, written before and after every effect."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import ColumnElement, RowMapping, and_, delete, func, insert, or_, select, update

from usbprov.errors import NoSuchJob, UsbprovError
from usbprov.ledger.database import Database
from usbprov.ledger.records import (
    ArtifactKind,
    ArtifactRecord,
    JobRecord,
    JobState,
    NewJob,
    StepRecord,
    StepState,
)
from usbprov.ledger.schema import artifacts, failures, jobs, steps

_MOST_DIGITS = 18
"""Of a job's number: what fits into 64 bits."""


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The record of all jobs of this computer.

    Every method is one durable transaction, and may raise ``LedgerUnusable``. No secret is ever
    given to it.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._database.close()

    @property
    def path(self) -> Path:
        """The file."""
        return self._database.path

    # --- jobs

    def open_job(self, new: NewJob) -> JobRecord:
        """Begin a job; any unfinished one for the same phone and slot is superseded."""
        now = _now()
        same_slot = and_(_phone_is(new.phone_serial, new.phone_mac), jobs.c.slot == new.slot)
        with self._database.begin() as connection:
            connection.execute(
                update(jobs)
                .where(same_slot, jobs.c.state.in_((JobState.OPEN, JobState.STUCK)))
                .values(state=JobState.SUPERSEDED, updated=now)
            )
            values = {**vars(new), "state": JobState.OPEN, "created": now, "updated": now}
            row = connection.execute(insert(jobs).values(values).returning(*jobs.c)).mappings()
            return _job(row.one())

    def set_user(self, job: int, user: str) -> None:
        """Record whose phone it becomes, once the ticket has said so."""
        self._update(job, {"user": user})

    def finish(self, job: int, state: JobState, error: UsbprovError | None = None) -> None:
        """Set the job's state, and the error that stopped it with its facts, if one did."""
        code, text = (error.code, str(error)) if error else (None, None)
        values = {"state": state, "error_code": code, "error": text, "updated": _now()}
        with self._database.begin() as connection:
            connection.execute(update(jobs).where(jobs.c.id == job).values(values))
            connection.execute(delete(failures).filter_by(job=job))
            if error is not None:
                facts = json.dumps(dict(error.facts()), default=str)
                connection.execute(insert(failures).values(job=job, facts=facts))

    def facts(self, job: int) -> Mapping[str, object]:
        """Return the typed fields of the error that stopped a job; empty where there are none."""
        with self._database.begin() as connection:
            query = select(failures.c.facts).filter_by(job=job)
            kept = connection.execute(query).scalar_one_or_none()
        return json.loads(kept) if kept else {}

    def _update(self, job: int, values: Mapping[str, object]) -> None:
        with self._database.begin() as connection:
            statement = update(jobs).where(jobs.c.id == job)
            connection.execute(statement.values({**values, "updated": _now()}))

    def job(self, number: str) -> JobRecord:
        """Return the job of that number.

        Raises:
            NoSuchJob: There is none.
        """
        with self._database.begin() as connection:
            wanted = int(number) if number.isdecimal() and len(number) <= _MOST_DIGITS else -1
            row = connection.execute(select(jobs).filter_by(id=wanted)).mappings().one_or_none()
        if row is None:
            raise NoSuchJob(number)
        return _job(row)

    def jobs(self, limit: int | None = None) -> list[JobRecord]:
        """Return the jobs, newest first."""
        with self._database.begin() as connection:
            rows = connection.execute(select(jobs).order_by(jobs.c.id.desc()).limit(limit))
            return [_job(row) for row in rows.mappings()]

    def latest(self, new: NewJob, *states: JobState) -> JobRecord | None:
        """Return the newest job in one of ``states`` for the same phone, slot, server and user.

        The user is the same if the SIP URI is, or, where the URI is not known on one side, the
        extension.
        """
        where = (
            _phone_is(new.phone_serial, new.phone_mac),
            jobs.c.slot == new.slot,
            jobs.c.state.in_(states),
            jobs.c.web_services_url == new.web_services_url,
            _user_is(new.user, new.extension),
        )
        with self._database.begin() as connection:
            query = select(jobs).where(*where).order_by(jobs.c.id.desc()).limit(1)
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else _job(row)

    # --- steps

    def begin_step(self, job: int, name: str) -> int:
        """Record that a step is about to have its effect; returns the attempt's number."""
        return self._add_step(job, name, StepState.BEGUN)

    def end_step(
        self, attempt: int, state: StepState, ms: int, learnt: str = "", code: str | None = None
    ) -> None:
        """Record how an attempt ended: duration in ms, what was learnt, or the error's code."""
        values = {"state": state, "ms": ms, "learnt": learnt, "error_code": code}
        with self._database.begin() as connection:
            connection.execute(update(steps).where(steps.c.id == attempt).values(values))

    def note_step(self, job: int, name: str, state: StepState, ms: int, learnt: str) -> None:
        """Record, in one go, a step that had no effect."""
        self._add_step(job, name, state, ms=ms, learnt=learnt)

    def _add_step(self, job: int, name: str, state: StepState, **values: object) -> int:
        row = {"job": job, "name": name, "state": state, "begun": _now(), **values}
        with self._database.begin() as connection:
            statement = insert(steps).values(row).returning(steps.c.id)
            return int(connection.execute(statement).scalar_one())

    def steps(self, job: int) -> list[StepRecord]:
        """Return every attempt at every step of a job, in the order they were begun."""
        with self._database.begin() as connection:
            rows = connection.execute(select(steps).filter_by(job=job).order_by(steps.c.id))
            return [_step(row) for row in rows.mappings()]

    # --- artifacts

    def keep(self, job: int, kind: ArtifactKind, data: bytes) -> None:
        """Keep a request or certificate (DER); the same one twice is kept once."""
        digest = hashlib.sha256(data).hexdigest()
        row = {"job": job, "kind": kind, "kept": _now(), "sha256": digest, "data": data}
        with self._database.begin() as connection:
            known = select(artifacts.c.id).filter_by(job=job, kind=kind, sha256=digest)
            if connection.execute(known).one_or_none() is None:
                connection.execute(insert(artifacts).values(row))

    def reject(self, job: int, kind: ArtifactKind) -> None:
        """Put aside what the job keeps of that kind: it failed a check, and is evidence only."""
        with self._database.begin() as connection:
            of_kind = update(artifacts).filter_by(job=job, kind=kind)
            connection.execute(of_kind.values(kind=ArtifactKind.REJECTED))

    def artifact(self, job: int, kind: ArtifactKind) -> bytes | None:
        """Return the newest object of that kind (DER), or None."""
        with self._database.begin() as connection:
            query = select(artifacts.c.data).filter_by(job=job, kind=kind)
            newest = query.order_by(artifacts.c.id.desc()).limit(1)
            return connection.execute(newest).scalar_one_or_none()

    def artifacts(self, job: int) -> list[ArtifactRecord]:
        """Return everything that a job keeps, oldest first."""
        columns = [column for column in artifacts.c if column.name != "id"]
        with self._database.begin() as connection:
            query = select(*columns).filter_by(job=job).order_by(artifacts.c.id)
            rows = connection.execute(query).mappings()
            return [_artifact(row) for row in rows]


def _phone_is(serial: str, mac: str) -> ColumnElement[bool]:
    return and_(jobs.c.phone_serial == serial, jobs.c.phone_mac == mac)


def _user_is(user: str | None, extension: str | None) -> ColumnElement[bool]:
    if user is None:
        return jobs.c.extension == extension
    same_extension = and_(jobs.c.user.is_(None), jobs.c.extension == extension)
    return or_(func.lower(jobs.c.user) == user.lower(), same_extension)


def _job(row: RowMapping) -> JobRecord:
    values: dict[str, Any] = dict(row)
    return JobRecord(**values | {"state": JobState(values["state"])})


def _step(row: RowMapping) -> StepRecord:
    values: dict[str, Any] = dict(row)
    return StepRecord(**values | {"state": StepState(values["state"])})


def _artifact(row: RowMapping) -> ArtifactRecord:
    values: dict[str, Any] = dict(row)
    return ArtifactRecord(**values | {"kind": ArtifactKind(values["kind"])})
