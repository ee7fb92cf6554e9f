"""Publish: the Web Services sign the certificate and publish it in the user's home pool."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.ledger.records import ArtifactKind
from usbprov.pki.certificates import load_certificate
from usbprov.pki.keys import key_digest

LEAST_LEFT = timedelta(hours=1)
"""A certificate with less left is as good as expired: clients enrol anew (``protocol.md`` 13)."""


def has_certificate(job: Job) -> bool:
    """Say whether this job's answer is in the ledger, for a key in the slot, and still good."""
    kept = job.ledger.artifact(known(job.record).id, ArtifactKind.CERTIFICATE)
    if kept is None:
        return False
    certificate = load_certificate(kept)
    keys = {key.sha256 for key in (job.slot.pending_key, job.slot.active_key) if key}
    if certificate.not_valid_after_utc - datetime.now(UTC) < LEAST_LEFT:
        return False
    return key_digest(certificate.public_key()) in keys


class PublishStep:
    """An answer that was received is never asked for again."""

    name: ClassVar = StepName.PUBLISH
    needs: ClassVar = frozenset({"info", "record", "user", "request"})
    yields: ClassVar = frozenset({"certificate"})

    def already(self, job: Job) -> str | None:
        """Take the answer out of the ledger, if it reached us."""
        if not has_certificate(job):
            return None
        job.certificate = job.ledger.artifact(known(job.record).id, ArtifactKind.CERTIFICATE)
        return "the answer came before the interruption"

    def intent(self, job: Job) -> str:
        """Say who is asked."""
        return f"GetAndPublishCert at {job.order.web_services_url}"

    def run(self, job: Job) -> str:
        """Send the request, and keep the answer before anything is done with it."""
        services, ticket = job.connect(), known(job.ticket)
        job.certificate = services.publish(ticket, known(job.request), job.endpoint)
        job.ledger.keep(known(job.record).id, ArtifactKind.CERTIFICATE, job.certificate)
        return f"issued and published for device {job.endpoint.instance}"
