"""What a report says, as plain values; every form of it is made of these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from usbprov.ledger.records import JobState


class Standing(StrEnum):
    """Where a phone stands after its last job."""

    DONE = "done"
    FAILED = "failed"
    UNFINISHED = "unfinished"
    """Its job is under way, or was interrupted and goes on when it is repeated."""
    RETIRED = "retired"
    """It was taken out of service."""


STANDINGS: Mapping[JobState, Standing] = {
    JobState.DONE: Standing.DONE,
    JobState.FAILED: Standing.FAILED,
    JobState.STUCK: Standing.FAILED,
    JobState.OPEN: Standing.UNFINISHED,
    JobState.SUPERSEDED: Standing.UNFINISHED,
    JobState.RETIRED: Standing.RETIRED,
}


@dataclass(frozen=True)
class Trouble:
    """What stopped a job.

    Attributes:
        code: The error's stable code.
        says: What happened.
        cause: The likeliest cause in this case.
        remedy: What to do about it.
    """

    code: str
    says: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class Thumbprints:
    """Of a certificate: digests in lower-case hex, and its end (UTC), if it could be read."""

    sha256: str
    sha1: str
    not_after: datetime | None


@dataclass(frozen=True)
class PhoneLine:
    """One phone and the last of its jobs. Times are UTC, durations milliseconds.

    Attributes:
        job: The job's number.
        standing: Where the phone stands.
        user: SIP URI, or None while nobody has said.
        extension: Extension or Windows account, as given.
        model: Vendor and model.
        serial: Serial number.
        mac: Lower-case hex with colons.
        slot: The credential slot.
        port: Port path at which the job began.
        bench: The bench, or None.
        roster: The roster, or None.
        begun: When the job began.
        ended: When it was done or failed; None while it is unfinished.
        work_ms: What all attempts at all its steps took together.
        jobs: How many jobs the phone had in the report's time, this one included.
        failed_attempts: How many attempts at steps failed, in all of them.
        steps: How long each step took in this job, where it came to its end.
        certificate: The one that was issued, or None.
        trouble: What stopped it, or None.
    """

    job: int
    standing: Standing
    user: str | None
    extension: str | None
    model: str
    serial: str
    mac: str
    slot: int
    port: str
    bench: str | None
    roster: str | None
    begun: datetime
    ended: datetime | None
    work_ms: int
    jobs: int
    failed_attempts: int
    steps: Mapping[str, int]
    certificate: Thumbprints | None
    trouble: Trouble | None


@dataclass(frozen=True)
class StepTimes:
    """How long a step took, each time that it came to its end; milliseconds, sorted.

    Attributes:
        name: The step.
        failed: How many attempts at it failed.
        values: One a time; never empty.
    """

    name: str
    failed: int
    values: Sequence[int]


@dataclass(frozen=True)
class FailureGroup:
    """The phones that stand failed or unfinished for one cause."""

    trouble: Trouble
    phones: int


@dataclass(frozen=True)
class FailedAttempts:
    """Attempts at a step that failed with one code, those after which it went well included."""

    code: str
    step: str
    attempts: int


@dataclass(frozen=True)
class Rate:
    """Phones that were done in ``seconds`` from ``since`` on."""

    since: datetime
    seconds: int
    phones: int

    @property
    def per_hour(self) -> float:
        """Phones an hour."""
        return self.phones * 3600 / self.seconds


@dataclass(frozen=True)
class Sums:
    """The report in numbers.

    Attributes:
        phones: How many phones there were.
        done: How many are done.
        failed: How many stand failed.
        unfinished: How many are neither.
        at_once: How many are done with one job, in which no attempt failed.
        begun: When the first job began; None where there was none.
        ended: When the last phone was done; None where none was.
    """

    phones: int
    done: int
    failed: int
    unfinished: int
    at_once: int
    begun: datetime | None
    ended: datetime | None

    @property
    def yield_(self) -> float | None:
        """Of the phones that came to an end, the part that is done; None where none did."""
        return _part(self.done, self.done + self.failed)

    @property
    def at_once_yield(self) -> float | None:
        """Of the same, the part that was done at once."""
        return _part(self.at_once, self.done + self.failed)

    @property
    def per_hour(self) -> float | None:
        """Phones an hour, from the first job's begin to the last phone's end."""
        if self.begun is None or self.ended is None or self.ended <= self.begun:
            return None
        return self.done * 3600 / (self.ended - self.begun).total_seconds()


@dataclass(frozen=True)
class Report:
    """All of it.

    Attributes:
        made: When, UTC.
        about: What it is about, in words.
        since: From when on; None: from the ledger's begin.
        until: Until when; None: until it was made.
        bench: The bench; None: all.
        entries: How many entries the ledger's chain had.
        head: The hash of the last of them, for ``usbprov ledger verify --expect``.
        sums: The numbers.
        rates: How many phones were done in each stretch of time, without gaps.
        steps: The steps in the job's order.
        failures: What phones stand failed for, the most frequent first.
        attempts: What attempts failed with, the most frequent first.
        phones: In the order in which their jobs began.
    """

    made: datetime
    about: str
    since: datetime | None
    until: datetime | None
    bench: str | None
    entries: int
    head: str
    sums: Sums
    rates: Sequence[Rate]
    steps: Sequence[StepTimes]
    failures: Sequence[FailureGroup]
    attempts: Sequence[FailedAttempts]
    phones: Sequence[PhoneLine]


def _part(some: int, of: int) -> float | None:
    return some / of if of else None
