"""The ledger: what each job did, written before and after every effect."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import (
    Connection,
    Executable,
    RowMapping,
    insert,
    select,
)

from usbprov.errors import NoSuchJob, UsbprovError
from usbprov.ledger import queries, sealing
from usbprov.ledger.address import LedgerPlace, state_file
from usbprov.ledger.benches import Benches
from usbprov.ledger.chain import Write, cleaned
from usbprov.ledger.claims import Claims
from usbprov.ledger.database import Database
from usbprov.ledger.prepared import Prepared
from usbprov.ledger.records import (
    ArtifactKind,
    ArtifactRecord,
    JobRecord,
    JobState,
    NewJob,
    Sealed,
    ServedSince,
    StepRecord,
    StepState,
)
from usbprov.ledger.schema import artifacts, failures, jobs, sealed, steps
from usbprov.ledger.serving import served_since
from usbprov.ledger.verify import Verified, verify

T = TypeVar("T")

_MOST_DIGITS = 9
"""Of a job's number: what fits into the 32 bits that PostgreSQL gives it."""


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The record of all jobs of this computer, or of several benches.

    Every method is one durable transaction, and may raise a ``LedgerError``. Any number of threads
    may use one ledger. No secret is ever given to it, but sealed by a key that it does not have.
    """

    def __init__(self, place: LedgerPlace) -> None:
        self.database = Database(place)

    @property
    def path(self) -> Path:
        """The file, beside which more is kept of its jobs.

        For a database on a server it is a name in this user's state folder: that is kept on the
        computer where the job was done.
        """
        place = self.database.place
        return place if isinstance(place, Path) else state_file(place)

    @property
    def claims(self) -> Claims:
        """Who works on which user and phone."""
        return Claims(self.database)

    @property
    def benches(self) -> Benches:
        """The benches that share the ledger, and what their ports show."""
        return Benches(self.database)

    def verify(self, expect: str | None = None) -> Verified:
        """Check that all is as it was written.

        Args:
            expect: The hash that the last entry had at an earlier time.

        Raises:
            LedgerAltered: Something is not.
            LedgerHashUnknown: No entry has that hash.
        """
        return verify(self.database, expect)

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
        """Close the file or the connections; may be called twice."""
        self.database.close()

    # --- jobs

    def open_job(self, new: NewJob) -> JobRecord:
        """Begin a job; any unfinished one for the same phone and slot is superseded."""
        self.database.check_room()
        now = _now()
        unfinished = {"serial": new.phone_serial, "mac": new.phone_mac, "slot_is": new.slot}
        values = cleaned({**vars(new), "state": JobState.OPEN, "created": now, "updated": now})

        def work(write: Write) -> int:
            # Two at once would not see each other's job.
            write.alone_with("phone", f"{new.phone_serial} {new.phone_mac} {new.slot}")
            given_up = {"state": JobState.SUPERSEDED, "updated": now}
            if superseded := write.change_all(jobs, queries.SUPERSEDE, unfinished, given_up):
                sealing.wipe(write, superseded)
            return write.insert(jobs, values)

        number = self._write("job opened", work)
        return JobRecord(**values, id=number, error_code=None, error=None)

    def set_user(self, job: int, user: str) -> None:
        """Record whose phone it becomes, once the ticket has said so."""
        changed = {"user": user, "updated": _now()}
        self._later("user set", lambda write: write.change(jobs, job, changed))

    def finish(self, job: int, state: JobState, error: UsbprovError | None = None) -> None:
        """Set the job's state, and the error that stopped it with its facts, if one did."""
        code, text = (error.code, str(error)) if error else (None, None)
        values = {"state": state, "error_code": code, "error": text, "updated": _now()}
        facts = json.dumps(dict(error.facts()), default=str) if error else None

        def work(write: Write) -> None:
            if write.change(jobs, job, values):
                _set_facts(write, job, facts)
            if state is JobState.FAILED:  # nothing goes on with its key
                sealing.wipe(write, [job])

        self._write("job finished", work)

    def retire(self, job: JobRecord) -> None:
        """End the job that took a phone out of service; what the earlier ones did is over."""
        others = {"serial": job.phone_serial, "mac": job.phone_mac, "job": job.id}
        values = {"state": JobState.RETIRED, "error_code": None, "error": None, "updated": _now()}

        def work(write: Write) -> None:
            over = write.change_all(jobs, queries.RETIRE, others, {"state": JobState.RETIRED})
            sealing.wipe(write, [*over, job.id])
            if write.change(jobs, job.id, values):
                _set_facts(write, job.id, None)

        self._write("phone retired", work)

    def facts(self, job: int) -> Mapping[str, object]:
        """Return the typed fields of the error that stopped a job; empty where there are none."""
        rows = self._rows(select(failures.c.facts).filter_by(job=job))
        return json.loads(rows[0]["facts"]) if rows else {}

    def job(self, number: str) -> JobRecord:
        """Return the job of that number.

        Raises:
            NoSuchJob: There is none.
        """
        wanted = int(number) if number.isdecimal() and len(number) <= _MOST_DIGITS else -1
        rows = self._rows(select(jobs).filter_by(id=wanted))
        if not rows:
            raise NoSuchJob(number)
        return JobRecord.of(rows[0])

    def jobs(self, limit: int | None = None) -> list[JobRecord]:
        """Return the jobs, newest first."""
        query = select(jobs).order_by(jobs.c.id.desc()).limit(limit)
        return [JobRecord.of(row) for row in self._rows(query)]

    def latest(self, new: NewJob, *states: JobState) -> JobRecord | None:
        """Return the newest job in one of ``states`` for the same phone, slot, server and user.

        The user is the same if the SIP URI is, or, where the URI is not known on one side, the
        extension.
        """
        asked = {
            "serial": new.phone_serial,
            "mac": new.phone_mac,
            "slot": new.slot,
            "url": new.web_services_url,
            "extension": new.extension,
            "user": new.user and new.user.lower(),
        }
        by = {"by_user": new.user is not None, "by_extension": new.extension is not None}
        rows = self._found(queries.latest(states, **by), asked)
        return JobRecord.of(rows[0]) if rows else None

    def latest_of_phone(self, serial: str, mac: str, roster: str | None = None) -> JobRecord | None:
        """Return the phone's newest job that came to anything, whoever it was for, or None.

        One that ended before the phone was written to, or was superseded, came to nothing.

        Args:
            serial: The phone's serial number.
            mac: Its MAC address.
            roster: Only jobs of this roster count; None: all do.
        """
        asked = {"serial": serial, "mac": mac, "roster": roster}
        rows = self._found(queries.latest_of_phone(of_roster=roster is not None), asked)
        return JobRecord.of(rows[0]) if rows else None

    def served_since(self, roster: str, number: int) -> ServedSince:
        """Return the jobs of a roster that were written to after an entry of the chain.

        Entries can be seen in the order of their numbers, so whoever asks again and again with
        the last answer's ``number`` misses none, however many benches write.

        Args:
            roster: The roster's name.
            number: The entry's number; 0 gives all jobs.
        """
        return self.database.snapshot(lambda connection: served_since(connection, roster, number))

    def jobs_of_phone(self, serial: str, mac: str) -> list[JobRecord]:
        """Return all jobs of a phone, newest first."""
        rows = self._found(queries.JOBS_OF_PHONE, {"serial": serial, "mac": mac})
        return [JobRecord.of(row) for row in rows]

    # --- steps

    def begin_step(self, job: int, name: str) -> int:
        """Record that a step is about to have its effect; returns the attempt's number.

        Raises:
            LedgerFull: There would be no room to record how it ended.
        """
        self.database.check_room()
        row = {"job": job, "name": name, "state": StepState.BEGUN, "begun": _now()}
        return self._write("step begun", lambda write: write.insert(steps, row))

    def end_step(
        self, attempt: int, state: StepState, ms: int, learnt: str = "", code: str | None = None
    ) -> None:
        """Record how an attempt ended: duration in ms, what was learnt, or the error's code."""
        values = {"state": state, "ms": ms, "learnt": learnt, "error_code": code}
        self._later("step ended", lambda write: write.change(steps, attempt, values))

    def note_step(self, job: int, name: str, state: StepState, ms: int, learnt: str) -> None:
        """Record, in one go, a step that had no effect."""
        row = {"job": job, "name": name, "state": state, "begun": _now()}
        told = {"ms": ms, "learnt": learnt}
        self._later("step noted", lambda write: write.insert(steps, row | told))

    def steps(self, job: int) -> list[StepRecord]:
        """Return every attempt at every step of a job, in the order they were begun."""
        return [
            StepRecord.of(row)
            for row in self._rows(select(steps).filter_by(job=job).order_by(steps.c.id))
        ]

    # --- artifacts

    def keep(self, job: int, kind: ArtifactKind, data: bytes) -> None:
        """Keep a request or certificate (DER); the same one twice is kept once.

        A request can be signed again, so it is among what may wait; an answer is not.
        """
        digest = hashlib.sha256(data).hexdigest()
        row = {"job": job, "kind": kind, "kept": _now(), "sha256": digest, "data": data}

        def work(write: Write) -> None:
            if not write.rows(queries.KEPT_ALREADY, row):
                write.insert(artifacts, row, aside=["data"])

        put = self._later if kind is ArtifactKind.REQUEST else self._write
        put("artifact kept", work)

    def reject(self, job: int, kind: ArtifactKind) -> None:
        """Put aside what the job keeps of that kind: it failed a check, and is evidence only."""
        which, values = {"job_is": job, "kind_is": kind}, {"kind": ArtifactKind.REJECTED}

        def work(write: Write) -> None:
            write.change_all(artifacts, queries.REJECT, which, values)

        self._write("artifact rejected", work)

    def artifact(self, job: int, kind: ArtifactKind) -> bytes | None:
        """Return the newest object of that kind (DER), or None."""
        rows = self._found(queries.ARTIFACT, {"job": job, "kind": kind})
        return rows[0]["data"] if rows else None

    def artifacts(self, job: int) -> list[ArtifactRecord]:
        """Return everything that a job keeps, oldest first."""
        columns = [column for column in artifacts.c if column.name != "id"]
        query = select(*columns).filter_by(job=job).order_by(artifacts.c.id)
        return [_artifact(row) for row in self._rows(query)]

    # --- sealed keys

    def seal(self, job: int, key: Sealed) -> None:
        """Keep a private key that only this computer can open, until the phone has it for certain.

        It may wait until the next write: before that one no phone is given the key.
        """
        self._later("key sealed", lambda write: sealing.put(write, job, key))

    def sealed(self, job: int) -> Sealed | None:
        """Return the sealed key of a job, or None."""
        columns = [sealed.c[name] for name in Sealed.__dataclass_fields__]
        rows = self._rows(select(*columns).filter_by(job=job))
        return Sealed(**rows[0]) if rows else None

    def wipe(self, job: int) -> None:
        """Remove the sealed key of a job, if it has one; it may wait until the next write."""
        self._later("sealed key wiped", lambda write: sealing.wipe(write, [job]))

    # --- how it is written and read

    def _write(self, kind: str, work: Callable[[Write], T]) -> T:
        """Do it, durably."""
        return self.database.write(kind, work)

    def _later(self, kind: str, work: Callable[[Write], object]) -> None:
        """Do what may wait until the next write; here it does not."""
        self._write(kind, work)

    def _read(self, work: Callable[[Connection], T]) -> T:
        return self.database.read(work)

    def _rows(self, query: Executable) -> Sequence[RowMapping]:
        return self._read(lambda connection: connection.execute(query).mappings().all())

    def _found(self, query: Prepared, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._read(lambda connection: query.mappings(connection, asked))


def _set_facts(write: Write, job: int, facts: str | None) -> None:
    if write.change_by(queries.FORGET_FACTS, {"job": job}):
        write.note(failures, job, None)
    if facts is not None:
        write.execute(insert(failures), {"job": job, "facts": facts})
        write.note(failures, job, {"facts": facts})


def _artifact(row: RowMapping) -> ArtifactRecord:
    values: dict[str, Any] = dict(row)
    return ArtifactRecord(**values | {"kind": ArtifactKind(values["kind"])})
