"""What the ledger gives back: typed records, without SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Self


class JobState(StrEnum):
    """Where a job stands."""

    OPEN = "open"
    """Begun and not at its end; a repeat goes on with it."""
    DONE = "done"
    STUCK = "stuck"
    """Ended by a final error after its key was made; a repeat tries again with that key, and
    ``--replace`` gives it up."""
    FAILED = "failed"
    """Ended before anything was written to the phone; nothing is left to go on with."""
    SUPERSEDED = "superseded"
    """Left open or stuck, then replaced by a newer job for the same phone."""
    RETIRED = "retired"
    """The phone was taken out of service since, or by this job: what it got is no longer there."""


UNFINISHED = frozenset({JobState.OPEN, JobState.STUCK})
"""The states of jobs that a repeat may go on with."""

COUNTING = UNFINISHED | {JobState.DONE}
"""The states of jobs that came to something, or may yet: they say whose a phone is."""


class StepState(StrEnum):
    """Where one attempt at a step stands."""

    BEGUN = "begun"
    DONE = "done"
    SKIPPED = "skipped"
    """Found to be done already."""
    FAILED = "failed"


class ArtifactKind(StrEnum):
    """What a job keeps; public things only, never a key, PIN or ticket."""

    REQUEST = "request"
    CERTIFICATE = "certificate"
    REJECTED = "rejected"
    """An answer that failed a check: kept as evidence, never used."""


@dataclass(frozen=True)
class NewJob:
    """What is known when a job begins.

    Attributes:
        phone_serial: Serial number, as read over the phone's protocol.
        phone_mac: MAC address, lower-case hex with colons.
        phone_model: Vendor and model.
        port_path: Where the phone was when the job began.
        slot: The credential slot.
        user: SIP URI, or None until the ticket names it.
        extension: Extension or Windows account, as given; None where neither was needed.
        web_services_url: URL of the certificate provisioning service.
        registrar: ``host[:port]``, or None.
        key_source: Who makes the key: ``phone``, ``existing`` or ``host``.
        nonce: 16 bytes by which the phone's key is recognised as this job's.
        bench: The bench that does it, or None where there is none.
        roster: The roster that it is done for, or None.
    """

    phone_serial: str
    phone_mac: str
    phone_model: str
    port_path: str
    slot: int
    user: str | None
    extension: str | None
    web_services_url: str
    registrar: str | None
    key_source: str
    nonce: bytes
    bench: str | None = field(default=None, kw_only=True)
    roster: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class JobRecord(NewJob):
    """A job as the ledger has it."""

    id: int
    state: JobState
    created: datetime
    updated: datetime
    error_code: str | None
    error: str | None

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> Self:
        """Make it of a row of its table."""
        return cls(**{**row, "state": JobState(row["state"])})


class Served(NamedTuple):
    """Whom a job of a roster is for, as far as is known, with which phone, and where it stands.

    A roster may have had thousands, so it is no more than a tuple.
    """

    job: int
    state: JobState
    phone_serial: str
    phone_mac: str
    user: str | None
    extension: str | None


@dataclass(frozen=True)
class ServedSince:
    """The jobs of a roster that were written to since an earlier look.

    Attributes:
        number: Of the chain's last entry: what is to be said at the next look.
        jobs: As they are now, in the order of their numbers.
        begun: The numbers of those that began since; None: ``jobs`` are all there are, and
            nothing that was known before holds any more.
    """

    number: int
    jobs: Sequence[Served]
    begun: frozenset[int] | None


@dataclass(frozen=True)
class StepRecord:
    """One attempt at one step; ``ms`` is its duration, None while it is under way."""

    id: int
    job: int
    name: str
    state: StepState
    begun: datetime
    ms: int | None
    learnt: str | None
    error_code: str | None

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> Self:
        """Make it of a row of its table."""
        return cls(**{**row, "state": StepState(row["state"])})


@dataclass(frozen=True)
class Sealed:
    """A private key that only one computer can open.

    Attributes:
        kept: When it was sealed, UTC.
        computer: The computer that did, by its name.
        sealing_key: Which key it was sealed with: the beginning of that key's digest.
        data: As ``usbprov.pki.sealing`` gives it.
    """

    kept: datetime
    computer: str
    sealing_key: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class ArtifactRecord:
    """A request or certificate (DER) that belongs to a job."""

    job: int
    kind: ArtifactKind
    kept: datetime
    sha256: str
    data: bytes
