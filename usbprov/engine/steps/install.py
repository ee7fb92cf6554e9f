"""Install: transfer, then one atomic commit in the phone; until then the old credential lives."""

from typing import ClassVar

from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.phone.contract import SIGN_IN_SLOT, Credential, ObjectKind, PhoneSettings
from usbprov.pki.certificates import load_certificate, thumbprint


class InstallStep:
    """A repeat finds the certificate in use by its digest, or resumes the transfer."""

    name: ClassVar = StepName.INSTALL
    needs: ClassVar = frozenset({"info", "user", "certificate"})
    yields: ClassVar = frozenset[str]()

    def already(self, job: Job) -> str | None:
        """Compare the digest of the certificate in use, and the settings."""
        return "the phone uses it already" if _in_use(job) and settings_hold(job) else None

    def intent(self, job: Job) -> str:
        """Say what is written where."""
        return f"certificate and settings into slot {job.order.slot}, in one commit"

    def run(self, job: Job) -> str:
        """Transfer and commit."""
        order, certificate = job.order, known(job.certificate)
        settings = PhoneSettings(known(job.user), order.web_services_url, order.registrar)
        credential = Credential(certificate, _present_chain(job))
        job.phone.install(order.slot, credential, settings, job.progress)
        return f"{len(certificate)} bytes, committed in slot {order.slot}"


def settings_hold(job: Job) -> bool:
    """Say whether the phone has the servers that the order names, and the job's user."""
    settings, order = known(job.info).settings, job.order
    if order.slot != SIGN_IN_SLOT:
        return True  # a phone tells the settings of that slot only
    if settings is None:
        return False
    servers = (settings.web_services_url, settings.registrar)
    is_users = job.user is None or settings.sip_uri.lower() == job.user.lower()
    return servers == (order.web_services_url, order.registrar) and is_users


def _in_use(job: Job) -> bool:
    digest = thumbprint(load_certificate(known(job.certificate)))
    return job.slot.active_certificate == digest


def _present_chain(job: Job) -> tuple[bytes, ...]:
    """Return what stands above a certificate that is in use already: a COMMIT replaces both."""
    if not _in_use(job):
        return ()
    chain = job.phone.read(ObjectKind.CHAIN, job.order.slot)
    return (chain,) if chain else ()
