"""Check: what came back must be what was asked for, before it goes anywhere."""

from typing import ClassVar

from cryptography import x509

from usbprov.engine.events import StepName
from usbprov.engine.fitness import (
    LEAST_BITS,
    Unfitness,
    invalidity_at,
    is_short,
    other_key,
    unfitness,
    weaknesses,
)
from usbprov.engine.job import Job, known
from usbprov.engine.order import KeySource
from usbprov.engine.times import local
from usbprov.errors import CertificateUnfit
from usbprov.pki.certificates import load_certificate


class CheckStep:
    """It changes nothing, and is therefore always done again."""

    name: ClassVar = StepName.CHECK
    needs: ClassVar = frozenset({"certificate", "key_sha256", "user"})
    yields: ClassVar = frozenset[str]()

    def already(self, job: Job) -> str | None:
        """It is never done already."""
        return None

    def intent(self, job: Job) -> str:
        """Say what is checked."""
        return "the certificate's public key, user, algorithms, and validity by the phone's clock"

    def run(self, job: Job) -> str:
        """Make every check; a weakness that is borne is told."""
        certificate = load_certificate(known(job.certificate))
        problem = (
            other_key(certificate, job.key_sha256)
            or unfitness(certificate, known(job.user))
            or _by_the_phones_clock(job, certificate)
            or _too_short(job, certificate)
        )
        if problem:
            raise CertificateUnfit(problem.words, check=problem.check)
        told = f"for this key and user, valid until {local(certificate.not_valid_after_utc)}"
        return "; ".join([told, *weaknesses(certificate)])


def _by_the_phones_clock(job: Job, certificate: x509.Certificate) -> Unfitness | None:
    """Read the clock anew: it may have been set meanwhile."""
    clock = job.phone.read_clock()
    invalid = None if clock is None else invalidity_at(clock, certificate)
    words = f"it is not valid by the phone's clock, {invalid}"
    return Unfitness("phone-clock", words) if invalid else None


def _too_short(job: Job, certificate: x509.Certificate) -> Unfitness | None:
    """A key that was made for this job has its length by the order; one that was there may not."""
    if job.key_source is KeySource.EXISTING or not is_short(certificate):
        return None
    return Unfitness("key-size", f"its RSA key has less than {LEAST_BITS} bits")
