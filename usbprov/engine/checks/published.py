"""What the ledger knows of the certificates that were published for a user."""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from usbprov.engine.times import local
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, ArtifactRecord, JobRecord
from usbprov.phone.endpoint import Endpoint, endpoint_of
from usbprov.pki.certificates import load_certificate, thumbprint


@dataclass(frozen=True)
class Published:
    """A certificate that a job got for a user.

    Attributes:
        job: The job.
        artifact: The certificate as the ledger keeps it.
    """

    job: JobRecord
    artifact: ArtifactRecord

    @property
    def kept(self) -> datetime:
        """When it was issued to this computer."""
        return self.artifact.kept

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate itself."""
        return load_certificate(self.artifact.data)

    def __str__(self) -> str:
        who = f"phone {self.job.phone_serial}, MAC {self.job.phone_mac}"
        return f"job {self.job.id} of {local(self.kept)} for {who}: SHA-256 {self.artifact.sha256}"


def newest(ledger: Ledger, user: str) -> Published | None:
    """Return the newest certificate that was got for a user, or None."""
    return max(_all(ledger, user), key=lambda found: found.kept, default=None)


def later_than(
    ledger: Ledger, user: str, endpoint: Endpoint, certificate: x509.Certificate
) -> Published | None:
    """Return the newest certificate that took the place of another one, or None.

    Args:
        ledger: Where it is looked for.
        user: Whose both are.
        endpoint: The device of both: the servers keep one certificate for user and device.
        certificate: The other one; it need not be in the ledger.
    """
    later = [
        one
        for one in _all(ledger, user)
        if endpoint_of(one.job.phone_mac) == endpoint
        and one.artifact.sha256 != thumbprint(certificate)
        and one.certificate.not_valid_before_utc >= certificate.not_valid_before_utc
    ]
    return max(later, key=lambda one: one.kept, default=None)


def _all(ledger: Ledger, user: str) -> list[Published]:
    return [
        Published(job, artifact)
        for job in ledger.jobs()
        if job.user == user
        for artifact in ledger.artifacts(job.id)
        if artifact.kind is ArtifactKind.CERTIFICATE
    ]
