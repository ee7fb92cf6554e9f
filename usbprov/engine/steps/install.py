"""Install: transfer, then one atomic commit in the phone; until then the old credential lives."""

from typing import ClassVar

from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.phone.contract import Credential, PhoneSettings
from usbprov.pki.certificates import load_certificate, thumbprint


class InstallStep:
    """A repeat finds the certificate in use by its digest, or resumes the transfer."""

    name: ClassVar = StepName.INSTALL
    needs: ClassVar = frozenset({"info", "user", "certificate"})
    yields: ClassVar = frozenset[str]()

    def already(self, job: Job) -> str | None:
        """Compare the digest of the certificate in use."""
        digest = thumbprint(load_certificate(known(job.certificate)))
        return "the phone uses it already" if job.slot.active_certificate == digest else None

    def intent(self, job: Job) -> str:
        """Say what is written where."""
        return f"certificate and settings into slot {job.order.slot}, in one commit"

    def run(self, job: Job) -> str:
        """Transfer and commit."""
        order, certificate = job.order, known(job.certificate)
        settings = PhoneSettings(known(job.user), order.web_services_url, order.registrar)
        job.phone.install(order.slot, Credential(certificate), settings, job.progress)
        return f"{len(certificate)} bytes, committed in slot {order.slot}"
