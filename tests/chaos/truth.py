"""What is true when all is over: of the phones, in the ledger, and in the lab's store.

``complaints`` is pure: it is given the facts of all three, and says what does not agree.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from os import urandom
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import Certificate
from cryptography.x509.oid import NameOID
from processes import wait_for

from usbprov.errors import PhoneGone
from usbprov.lab import store
from usbprov.lab.layout import Layout
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState
from usbprov.phone.candidates import Reach, candidates
from usbprov.phone.contract import NONCE_SIZE, POSSESSION_PREFIX, ObjectKind, Phone
from usbprov.phone.endpoint import endpoint_of
from usbprov.phone.holding import hold
from usbprov.pki.certificates import load_certificate, thumbprint
from usbprov.pki.keys import key_digest
from usbprov.pki.requests import load_request
from usbprov.usb.buses import open_bus
from usbprov.usb.locks import PhoneLocks

_PUBLISHED = re.compile(r"certificate for (\S+) on (\S+) published")


@dataclass(frozen=True)
class PhoneFacts:
    """What a phone says over its cable.

    Attributes:
        serial: Its serial number.
        device: Its instance UUID towards the servers, by its MAC.
        user: The SIP URI of its settings, or "".
        subject: The SIP URI that its certificate is for, or "".
        certificate: Digest of the certificate in use, or "".
        keys: Digests of the keys in all its slots, in use or waiting.
        proved: Whether it has signed a fresh nonce with the certificate's key.
    """

    serial: str
    device: str
    user: str
    subject: str
    certificate: str
    keys: tuple[str, ...]
    proved: bool


@dataclass(frozen=True)
class JobFacts:
    """What the ledger has of a job; keys are digests, of the requests that it keeps."""

    job: int
    state: JobState
    serial: str
    user: str
    keys: tuple[str, ...]
    certificates: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Everything.

    Attributes:
        users: The SIP URIs of the roster.
        phones: The phones.
        jobs: The ledger's jobs.
        claims: How many claims are left in the ledger.
        ledger: What ``ledger verify`` complains of, or "".
        published: User, device and certificate of each publication in the lab's store.
        ever: User and device of each publication that ever was, as the lab has logged them.
        shown: Serial number, user and certificate of each phone that was ever shown as done.
    """

    users: Sequence[str]
    phones: Sequence[PhoneFacts]
    jobs: Sequence[JobFacts]
    claims: int = 0
    ledger: str = ""
    published: Sequence[tuple[str, str, str]] = ()
    ever: frozenset[tuple[str, str]] = frozenset()
    shown: frozenset[tuple[str, str, str]] = field(default=frozenset())


def complaints(facts: Facts) -> list[str]:
    """Say what is not as it must be; nothing if all is."""
    return [words for check in _CHECKS for words in check(facts)]


def _phones(facts: Facts) -> Iterator[str]:
    for phone in facts.phones:
        if not phone.certificate:
            yield f"{phone.serial} has no certificate"
        elif phone.user != phone.subject:
            yield f"{phone.serial} is set up for {phone.user} with {phone.subject}'s certificate"
        elif not phone.proved:
            yield f"{phone.serial} does not hold its certificate's key"
        if len(phone.keys) != 1:
            yield f"{phone.serial} has {len(phone.keys)} keys"


def _users(facts: Facts) -> Iterator[str]:
    phones = Counter(phone.user for phone in facts.phones)
    for user in facts.users:
        if phones[user] != 1:
            yield f"{user} has {phones[user]} phones"
    yield from (f"{user} is on no roster" for user in phones.keys() - set(facts.users))


def _ledger(facts: Facts) -> Iterator[str]:
    """One finished job a phone, and it is the one by which the phone became what it is."""
    if facts.ledger:
        yield f"ledger verify: {facts.ledger}"
    if facts.claims:
        yield f"{facts.claims} claims are left"
    for phone in facts.phones:
        done = [j for j in facts.jobs if j.serial == phone.serial and j.state is JobState.DONE]
        found = [(job.user, job.certificates, job.keys) for job in done]
        if found != [(phone.user, (phone.certificate,), phone.keys)]:
            yield f"{phone.serial}: the ledger has {found} done, the phone is {phone}"
    for job in facts.jobs:
        if job.state not in {JobState.DONE, JobState.FAILED}:
            yield f"job {job.job} ({job.serial}) is left {job.state}"


def _keys(facts: Facts) -> Iterator[str]:
    """A user has one key, and none was ever asked to be certified for him besides."""
    keys: dict[str, set[str]] = {}
    for job in facts.jobs:
        keys.setdefault(job.user, set()).update(job.keys)
    for user in facts.users:
        if len(keys.get(user, ())) != 1:
            yield f"{user}: certificates were asked for {len(keys.get(user, ()))} keys"


def _store(facts: Facts) -> Iterator[str]:
    """What is published is what is in the phones, and nothing was ever published besides."""
    in_phones = sorted((p.user, p.device, p.certificate) for p in facts.phones)
    if sorted(facts.published) != in_phones:
        differ = set(facts.published).symmetric_difference(in_phones)
        yield f"phones and store differ: {sorted(differ)}"
    wrong = facts.ever - {(phone.user, phone.device) for phone in facts.phones}
    yield from (f"{user} was published for {device}" for user, device in sorted(wrong))


def _shown(facts: Facts) -> Iterator[str]:
    """Whatever was shown as done has remained so."""
    wrong = facts.shown - {(p.serial, p.user, p.certificate) for p in facts.phones}
    yield from (f"{serial} was shown as done for {user}" for serial, user, _ in sorted(wrong))


_CHECKS: tuple[Callable[[Facts], Iterator[str]], ...] = (
    _phones,
    _users,
    _ledger,
    _keys,
    _store,
    _shown,
)


# --- where the facts come from


def phones_on(uri: str, locks: Path, count: int) -> list[PhoneFacts]:
    """Ask every phone on a bus; one that restarts just now is waited for."""
    bus, reach = open_bus(uri), Reach(locks=PhoneLocks(locks))

    def asked() -> list[PhoneFacts]:
        facts = []
        with suppress(PhoneGone):
            for candidate in candidates([bus], reach):
                with hold(candidate) as held:
                    facts.append(_ask(held.phone))
        return facts if len(facts) == count else []

    facts: list[PhoneFacts] = wait_for(asked, f"{count} phones on the bus")
    return facts


def _ask(phone: Phone) -> PhoneFacts:
    info = phone.info()
    slot = info.slots[0]
    states = [key for each in info.slots for key in (each.active_key, each.pending_key) if key]
    certificate = None
    if slot.active_certificate is not None:
        certificate = load_certificate(phone.read(ObjectKind.CERTIFICATE, 0))
    return PhoneFacts(
        serial=info.serial,
        device=str(endpoint_of(info.mac).instance),
        user=info.settings.sip_uri if info.settings else "",
        subject=_subject(certificate) if certificate else "",
        certificate=thumbprint(certificate) if certificate else "",
        keys=tuple(key.sha256 for key in states),
        proved=certificate is not None and _proves(phone, certificate),
    )


def _subject(certificate: Certificate) -> str:
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return f"sip:{name.value!s}"


def _proves(phone: Phone, certificate: Certificate) -> bool:
    nonce, key = urandom(NONCE_SIZE), certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    signature = phone.prove(0, nonce)
    try:
        key.verify(signature, POSSESSION_PREFIX + nonce, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def jobs_in(ledger: Ledger) -> list[JobFacts]:
    """Read the ledger's jobs."""
    facts = []
    for job in ledger.jobs():
        kept = ledger.artifacts(job.id)
        requests = {a.data for a in kept if a.kind is ArtifactKind.REQUEST}
        facts.append(
            JobFacts(
                job.id,
                job.state,
                job.phone_serial,
                job.user or "",
                tuple({key_digest(load_request(der).public_key()) for der in requests}),
                tuple(a.sha256 for a in kept if a.kind is ArtifactKind.CERTIFICATE),
            )
        )
    return facts


def published_in(lab: Path) -> list[tuple[str, str, str]]:
    """Read the lab's store."""
    return [(p.sip_uri, p.device_id, p.sha256) for p in store.published(lab)]


def ever_published_in(lab: Path) -> frozenset[tuple[str, str]]:
    """Read the lab's log of calls."""
    found = _PUBLISHED.findall(Layout(lab).calls.read_text())
    return frozenset((user, device) for user, device in found)
