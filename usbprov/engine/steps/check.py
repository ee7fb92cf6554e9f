"""Check: what came back must be what was asked for, before it goes anywhere."""

from datetime import UTC, datetime
from typing import ClassVar

from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.engine.times import local
from usbprov.errors import CertificateUnfit
from usbprov.pki.certificates import common_names, load_certificate
from usbprov.pki.keys import key_digest


class CheckStep:
    """Pure, and therefore always done again."""

    name: ClassVar = StepName.CHECK
    needs: ClassVar = frozenset({"certificate", "key_sha256", "user"})
    yields: ClassVar = frozenset[str]()

    def already(self, job: Job) -> str | None:
        """It is never done already."""
        return None

    def intent(self, job: Job) -> str:
        """Say what is checked."""
        return "public key, user and validity of the certificate"

    def run(self, job: Job) -> str:
        """Compare key, user and validity."""
        certificate = load_certificate(known(job.certificate))
        if key_digest(certificate.public_key()) != job.key_sha256:
            raise CertificateUnfit("it is for another key")
        # Only names that look like addresses count: the real servers' subject is not known for
        # certain (protocol.md 5.4), and some clients' requests carry binary ones.
        names = [name.lower() for name in common_names(certificate) if "@" in name]
        address = known(job.user).removeprefix("sip:")
        if names and address.lower() not in names:
            raise CertificateUnfit(f"it is for {names[0]}, not for {address}")
        now = datetime.now(UTC)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise CertificateUnfit("it is not valid now")
        return f"for this key and user, valid until {local(certificate.not_valid_after_utc)}"
