"""Steps that only a recovery takes; they stand in the place of one of the table."""

from typing import ClassVar

from usbprov.engine.events import StepName
from usbprov.engine.fitness import unfitness
from usbprov.engine.job import Job, known
from usbprov.engine.steps.trust import TrustStep
from usbprov.errors import CertificateUnfit
from usbprov.ledger.records import ArtifactKind
from usbprov.phone.contract import Capability
from usbprov.pki.certificates import load_certificate
from usbprov.pki.keys import key_digest


class RecallStep:
    """In the place of ``publish``: a certificate that is there is used, and no server asked."""

    name: ClassVar = StepName.PUBLISH
    needs: ClassVar = frozenset({"record"})
    yields: ClassVar = frozenset({"certificate", "key_sha256", "user"})

    def __init__(self, certificate: bytes, source: str) -> None:
        """Take up a certificate (DER); ``source`` says where it was, in words."""
        self._certificate = certificate
        self._source = source

    def already(self, job: Job) -> str | None:
        """It is never done already: it is a matter of this run."""
        return None

    def intent(self, job: Job) -> str:
        """Say where the certificate comes from."""
        return f"no server is asked: the certificate is taken from {self._source}"

    def run(self, job: Job) -> str:
        """Make it this job's; from then on a repeat has it, too.

        Raises:
            CertificateUnfit: It names no user, or cannot be used any more.
        """
        certificate = load_certificate(self._certificate)
        job.user = job.user or job.order.user
        problem = unfitness(certificate, job.user)
        if problem:
            raise CertificateUnfit(problem.words, check=problem.check)
        if job.user:
            job.ledger.set_user(known(job.record).id, job.user)
        job.certificate = self._certificate
        job.key_sha256 = job.key_sha256 or key_digest(certificate.public_key())
        job.keep(ArtifactKind.CERTIFICATE, self._certificate)
        return f"not asked for again; taken from {self._source}"


class RootsStep(TrustStep):
    """The step ``trust``, also where an earlier run has been past it."""

    def already(self, job: Job) -> str | None:
        """Skip it only where the phone has no store."""
        if Capability.TRUST_STORE not in known(job.info).capabilities:
            return super().already(job)
        return None
