"""Trust: the phone must accept the servers' chain, or it can never sign in or renew."""

from typing import ClassVar

from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.engine.steps.publish import has_certificate
from usbprov.errors import PhoneDistrusts
from usbprov.phone.contract import Capability
from usbprov.pki.certificates import load_certificate, thumbprint, to_der
from usbprov.pki.chains import build_chain, is_root


class TrustStep:
    """Compares digests first, and installs the one root that is missing."""

    name: ClassVar = StepName.TRUST
    needs: ClassVar = frozenset({"info"})
    yields: ClassVar = frozenset[str]()

    def already(self, job: Job) -> str | None:
        """Skip it where the phone has no store, or where an earlier run has been past it."""
        if Capability.TRUST_STORE not in known(job.info).capabilities:
            return "the phone has no store of roots that can be changed"
        return "done before the interruption" if has_certificate(job) else None

    def intent(self, job: Job) -> str:
        """Say what is compared."""
        count = len(known(job.info).roots)
        return f"compare the server's chain with the phone's {count} roots; install what is missing"

    def run(self, job: Job) -> str:
        """Install the root of the server's chain, which this computer has verified, if need be."""
        services = job.connect()
        presented = [load_certificate(der) for der in services.presented_chain()]
        anchors = [load_certificate(der) for der in services.trusted_roots()]
        root = build_chain(presented[0], [*presented[1:], *anchors])[-1]
        name = root.subject.rfc4514_string()
        if thumbprint(root) in known(job.info).roots:
            return f"the phone trusts {name}"
        if not is_root(root):
            missing = root.issuer.rfc4514_string()
            reason = f"the certificate of {missing} is missing"
            raise PhoneDistrusts(job.order.web_services_url, reason, job.phone_name)
        job.phone.add_root(to_der(root))
        return f"root installed: {name}"
