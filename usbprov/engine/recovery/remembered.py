"""What the ledger remembers of a phone: whose it is, and what was begun and not ended."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from cryptography import x509

from usbprov.engine.events import StepName
from usbprov.engine.fitness import unfitness
from usbprov.engine.order import KeySource
from usbprov.engine.recovery.facts import Begun
from usbprov.errors import ObjectUnreadable
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import COUNTING, UNFINISHED, ArtifactKind, JobRecord, JobState
from usbprov.phone.contract import PhoneInfo, SlotState
from usbprov.pki.certificates import load_certificate, thumbprint, to_der, user_addresses
from usbprov.pki.keys import key_digest

RETIREMENT = "none"
"""What a job has for its maker of the key that takes a phone out of service."""


@dataclass(frozen=True)
class Wish:
    """What the caller says of the phone; None where he leaves it to ledger and phone.

    Attributes:
        user: SIP URI of the user whose phone it is to be.
        name: Extension or Windows account by which that user is proved.
        web_services_url: URL of the certificate service.
        registrar: ``host[:port]``.
    """

    user: str | None = None
    name: str | None = None
    web_services_url: str | None = None
    registrar: str | None = None


@dataclass(frozen=True)
class Unfinished:
    """A job that can be gone on with, and how far it has come."""

    job: JobRecord
    stage: Begun


@dataclass(frozen=True)
class KeptCertificate:
    """A certificate (DER) that the ledger keeps, and the job that got it."""

    job: JobRecord
    der: bytes


@dataclass(frozen=True)
class Remembered:
    """What the ledger knows of one phone's slot.

    Attributes:
        ledger: Where it is read.
        info: What the phone says of itself.
        slot: The slot.
        jobs: The phone's jobs for that slot since it was retired last, newest first.
    """

    ledger: Ledger
    info: PhoneInfo
    slot: SlotState
    jobs: Sequence[JobRecord]

    @classmethod
    def of(cls, ledger: Ledger, info: PhoneInfo, slot: int) -> "Remembered":
        """Read what there is."""
        jobs = takewhile(_is_in_service, ledger.jobs_of_phone(info.serial, info.mac))
        return cls(ledger, info, info.slots[slot], [job for job in jobs if job.slot == slot])

    def last(self) -> JobRecord | None:
        """Return the newest job that came to anything."""
        return next((job for job in self.jobs if job.state in COUNTING), None)

    def user(self, wish: Wish) -> str | None:
        """Say whose phone it is to be: the caller's word first, then the last job's."""
        last = self.last()
        if wish.user or last is None:
            return wish.user
        return last.user if wish.name in {None, last.extension} else None

    def unfinished(self, wish: Wish) -> Unfinished | None:
        """Return the job to go on with, if it has left something, and is the wanted user's."""
        last = self.last()
        if last is None or last.state not in UNFINISHED or not _is_for(last, wish):
            return None
        stage = self._stage(last)
        return None if stage is Begun.NOTHING else Unfinished(last, stage)

    @property
    def _key(self) -> str | None:
        """The digest of the key that a COMMIT would take, or None."""
        key = self.slot.pending_key or self.slot.active_key
        return key.sha256 if key else None

    def _stage(self, job: JobRecord) -> Begun:
        certificate = self._usable(job, self._key) or self._of_sealed_key(job)
        if certificate is not None:
            return self._stage_issued(job, certificate)
        pending = self.slot.pending_key
        is_its_own = pending is not None and pending.nonce == job.nonce
        waits = is_its_own and job.key_source != KeySource.EXISTING
        return Begun.KEY_MADE if waits else Begun.NOTHING

    def _of_sealed_key(self, job: JobRecord) -> x509.Certificate | None:
        """Return the job's certificate where its key can be given to the empty slot once more.

        The ledger has that key sealed; whether it can be opened here, the step ``key`` will tell.
        """
        if self._key is not None or self.ledger.sealed(job.id) is None:
            return None
        der = self.ledger.artifact(job.id, ArtifactKind.CERTIFICATE)
        certificate = load_certificate(der) if der else None
        return certificate if certificate and not unfitness(certificate, job.user) else None

    def _stage_issued(self, job: JobRecord, certificate: x509.Certificate) -> Begun:
        if self.slot.active_certificate == thumbprint(certificate):
            return Begun.COMMITTED
        tried = any(step.name == StepName.INSTALL for step in self.ledger.steps(job.id))
        return Begun.WRITING if tried else Begun.ISSUED

    def _usable(self, job: JobRecord, key: str | None) -> x509.Certificate | None:
        """Return the job's certificate if it is for the key with this digest, and fit."""
        der = self.ledger.artifact(job.id, ArtifactKind.CERTIFICATE)
        if der is None:
            return None
        certificate = load_certificate(der)
        is_for_key = key_digest(certificate.public_key()) == key
        return certificate if is_for_key and not unfitness(certificate, job.user) else None

    def kept(self, user: str | None, in_use: x509.Certificate | None) -> KeptCertificate | None:
        """Return the last certificate for the slot's key, if the phone has an earlier one or none.

        The servers keep one certificate for user and device, so a later one has replaced the
        others there.

        Args:
            user: Whose it must be, or None.
            in_use: The one in the slot, if it can be used.
        """
        found = self.kept_for(self._key, user)
        is_later = found and (in_use is None or self._is_later(found, in_use))
        return found if is_later else None

    def _is_later(self, found: KeptCertificate, in_use: x509.Certificate) -> bool:
        """Say whether a kept certificate was issued after the one in use.

        Certificates tell seconds only; within one, the order of their jobs does.
        """
        begin, begin_in_use = _begin(found), in_use.not_valid_before_utc
        if begin != begin_in_use:
            return begin > begin_in_use
        sha256 = self.slot.active_certificate
        same = (job.id for job in self.jobs if sha256 in self._certificates(job))
        return found.job.id > next(same, found.job.id)

    def _certificates(self, job: JobRecord) -> set[str]:
        """Return the digests of a job's certificates."""
        kept = self.ledger.artifacts(job.id)
        return {one.sha256 for one in kept if one.kind is ArtifactKind.CERTIFICATE}

    def kept_for(self, key: str | None, user: str | None) -> KeptCertificate | None:
        """Return the last certificate for the key with this digest; ``user`` None is any user."""
        found = self._all_usable(key, user)
        return max(found, key=lambda kept: (_begin(kept), kept.job.id), default=None)

    def _all_usable(self, key: str | None, user: str | None) -> Iterator[KeptCertificate]:
        for job in self.jobs:
            certificate = self._usable(job, key)
            if certificate and not unfitness(certificate, user):
                yield KeptCertificate(job, to_der(certificate))

    def has_recorded(self, sha256: str | None) -> bool:
        """Say whether a finished job of this phone has that certificate."""
        done = (job for job in self.jobs if job.state is JobState.DONE)
        return any(sha256 in self._certificates(job) for job in done)


def _is_for(job: JobRecord, wish: Wish) -> bool:
    """Say whether a job may be what the caller means; what is not known differs in nothing."""
    is_user = not (wish.user and job.user) or wish.user.lower() == job.user.lower()
    return is_user and wish.name in {None, job.extension}


def _is_in_service(job: JobRecord) -> bool:
    """Say whether a job is of the phone's present life: what was before a retirement is over."""
    return job.state is not JobState.RETIRED and job.key_source != RETIREMENT


def user_in(certificate: x509.Certificate) -> str | None:
    """Return the user (SIP URI) whom a certificate names first, if it names one."""
    try:
        names = user_addresses(certificate)
    except ObjectUnreadable:
        return None
    return f"sip:{names[0].lower()}" if names else None


def _begin(kept: KeptCertificate) -> datetime:
    return load_certificate(kept.der).not_valid_before_utc
