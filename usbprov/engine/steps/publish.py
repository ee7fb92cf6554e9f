"""Publish: the Web Services sign the certificate and publish it in the user's home pool."""

from typing import ClassVar

from usbprov.engine import host_key
from usbprov.engine.events import StepName
from usbprov.engine.fitness import unfitness
from usbprov.engine.job import Job, known
from usbprov.ledger.records import ArtifactKind
from usbprov.pki.certificates import load_certificate
from usbprov.pki.keys import key_digest


def has_certificate(job: Job) -> bool:
    """Say whether this job's answer is in the ledger, for a key of the phone's, and fit for use.

    The key is in the slot, or the phone can be given it again.

    One that the check would refuse is no answer: it must be asked for again.
    """
    kept = job.artifact(ArtifactKind.CERTIFICATE)
    if kept is None:
        return False
    certificate = load_certificate(kept)
    if unfitness(certificate, job.user):
        return False
    keys = {key.sha256 for key in (job.slot.pending_key, job.slot.active_key) if key}
    digest = key_digest(certificate.public_key())
    return digest in keys or digest == job.key_sha256 or host_key.is_kept(job, digest)


class PublishStep:
    """An answer that was received, and can be used, is never asked for again."""

    name: ClassVar = StepName.PUBLISH
    needs: ClassVar = frozenset({"info", "record", "user", "request"})
    yields: ClassVar = frozenset({"certificate"})

    def already(self, job: Job) -> str | None:
        """Take the answer out of the ledger, if it reached us."""
        if not has_certificate(job):
            return None
        job.certificate = job.artifact(ArtifactKind.CERTIFICATE)
        return "the answer came before the interruption"

    def intent(self, job: Job) -> str:
        """Say who is asked."""
        old = ", ".join(job.order.old_tls)
        allowed = f"; by exception, older TLS is allowed for {old}" if old else ""
        return f"GetAndPublishCert at {job.order.web_services_url}{allowed}"

    def run(self, job: Job) -> str:
        """Send the request, and keep the answer before anything is done with it.

        It may be sent again, even when it is not known whether the server took it: the server
        keeps one certificate per user and device, so the same request for the same key only
        replaces what the lost answer had. The ticket is not the credential that earned it.
        """
        services, ticket, request = job.connect(), known(job.ticket), known(job.request)
        job.certificate = job.retry(lambda: services.publish(ticket, request, job.endpoint))
        job.keep(ArtifactKind.CERTIFICATE, job.certificate)
        return f"issued and published for device {job.endpoint.instance}"
