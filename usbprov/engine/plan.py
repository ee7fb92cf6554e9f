"""The plan: what will be done to this phone, decided before anything is touched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from usbprov.engine.events import StepName
from usbprov.engine.fitness import LEAST_LEFT
from usbprov.engine.job import Job, known
from usbprov.engine.order import KeySource
from usbprov.engine.steps.contract import Step
from usbprov.engine.steps.install import settings_hold
from usbprov.engine.steps.ticket import certified_user
from usbprov.errors import SlotOccupied, Unsupported, UsbprovError
from usbprov.ledger.records import ArtifactKind, JobRecord, JobState, NewJob
from usbprov.phone.contract import NONCE_SIZE, Capability
from usbprov.pki.certificates import load_certificate, thumbprint
from usbprov.tape.clock import now
from usbprov.tape.ports import draw

_NEEDED = {
    KeySource.PHONE: Capability.GENERATE_KEY,
    KeySource.HOST: Capability.IMPORT_KEY,
    KeySource.VAULT: Capability.IMPORT_KEY,
    KeySource.EXISTING: None,
}


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        new: What the ledger will be told if a new job is opened.
        resumes: The unfinished job that is gone on with, or None.
        done: The finished job that leaves nothing to do, or None.
        lines: The steps and what each will do, for people.
        left: What these steps leave undone, as the error that says why; None when they are all.
    """

    new: NewJob
    resumes: JobRecord | None
    done: JobRecord | None
    lines: tuple[tuple[StepName, str], ...]
    left: UsbprovError | None = None


def make_plan(
    job: Job,
    steps: Sequence[Step],
    nonce: bytes | None = None,
    refuse: Callable[[Job], None] | None = None,
) -> Plan:
    """Decide who makes the key, and whether there is a job to go on with, or nothing to do.

    Args:
        job: The job, identified.
        steps: What will be done.
        nonce: The nonce of a key that was made elsewhere, for a job that goes on with it.
        refuse: Refuses what must not be written to, unless the job has begun or may replace; by
            default ``refuse_occupied``.

    Raises:
        SlotOccupied: The slot holds something that may not be replaced.
        Unsupported: The phone cannot do what the order says.
    """
    job.key_source = _key_source(job)
    new = new_job(job)
    if nonce is not None:
        new = replace(new, nonce=nonce)
    done = None if job.order.replace else _of_nonce(_finished(job, new), nonce)
    resumes = None if done else _of_nonce(_unfinished(job, new), nonce)
    earlier = done or resumes
    if earlier:
        job.key_source = KeySource(earlier.key_source)
    if done is None and resumes is None and not job.order.replace:
        (refuse or refuse_occupied)(job)
    lines = () if done else tuple((step.name, step.intent(job)) for step in steps)
    return Plan(new, resumes, done, lines)


def _key_source(job: Job) -> KeySource:
    info, order = known(job.info), job.order
    if order.slot >= len(info.slots):
        raise Unsupported(job.phone_name, f"it has no slot {order.slot}")
    can_make = Capability.GENERATE_KEY in info.capabilities
    if Capability.CONFIGURE not in info.capabilities:
        raise Unsupported(job.phone_name, "it cannot be told its user and servers")
    source = order.key or (KeySource.PHONE if can_make else KeySource.HOST)
    needed = _NEEDED[source]
    if needed is not None and needed not in info.capabilities:
        raise Unsupported(job.phone_name, f"--key {source} ({needed.value})")
    if source is not KeySource.EXISTING and order.bits not in info.rsa_bits:
        raise Unsupported(job.phone_name, f"RSA keys of {order.bits} bits")
    return source


def new_job(job: Job) -> NewJob:
    """Say what the ledger is to know of a job that begins now; the plan has chosen the key."""
    info, order = known(job.info), job.order
    return NewJob(
        phone_serial=info.serial,
        phone_mac=info.mac,
        phone_model=f"{info.vendor} {info.model}",
        port_path=job.phone.facts.port_path,
        slot=order.slot,
        user=order.user or certified_user(job),
        extension=order.credential.name,
        web_services_url=order.web_services_url,
        registrar=order.registrar,
        key_source=known(job.key_source),
        nonce=draw("key nonce", NONCE_SIZE),
        bench=job.bench,
        roster=job.roster,
    )


def _finished(job: Job, new: NewJob) -> JobRecord | None:
    """Find a finished job whose certificate the phone uses, and which is good for a while."""
    record = job.ledger.latest(new, JobState.DONE)
    kept = record and job.ledger.artifact(record.id, ArtifactKind.CERTIFICATE)
    if not kept:
        return None
    certificate = load_certificate(kept)
    in_use = job.slot.active_certificate == thumbprint(certificate)
    left = certificate.not_valid_after_utc - now()
    return record if in_use and left > LEAST_LEFT and settings_hold(job) else None


def _of_nonce(record: JobRecord | None, nonce: bytes | None) -> JobRecord | None:
    return record if record and nonce in {None, record.nonce} else None


def _unfinished(job: Job, new: NewJob) -> JobRecord | None:
    """Find the job to go on with; with ``--replace`` one that a final error stopped is given up."""
    stuck = () if job.order.replace else (JobState.STUCK,)
    record = job.ledger.latest(new, JobState.OPEN, *stuck)
    # Another key than the one that the job was begun with is another job.
    return record if record and job.order.key in {None, record.key_source} else None


def refuse_occupied(job: Job) -> None:
    """Refuse a slot that holds anything.

    Raises:
        SlotOccupied: It does.
    """
    slot, settings = job.slot, known(job.info).settings
    if slot.active_certificate is not None:
        owner = f" of {settings.sip_uri}" if settings else ""
        server = f", for {settings.web_services_url}" if settings else ""
        registrar = f" and {settings.registrar}" if settings and settings.registrar else ""
        what = f"a certificate{owner}{server}{registrar}"
        raise SlotOccupied(job.phone_name, slot.number, what)
    if job.key_source is KeySource.EXISTING:
        return
    if slot.active_key or slot.pending_key:
        raise SlotOccupied(job.phone_name, slot.number, "a key that no certificate was made for")
