"""Request: PKCS#10, signed where the key is."""

from typing import ClassVar

from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.errors import ObjectUnreadable, ProtocolViolation
from usbprov.ledger.records import ArtifactKind
from usbprov.pki.keys import key_digest
from usbprov.pki.requests import load_request


class RequestStep:
    """Same key, same request: it is kept, and asked for again only for another key."""

    name: ClassVar = StepName.REQUEST
    needs: ClassVar = frozenset({"record", "user", "key_sha256"})
    yields: ClassVar = frozenset({"request"})

    def already(self, job: Job) -> str | None:
        """A kept request for the present key is used again."""
        kept = job.artifact(ArtifactKind.REQUEST)
        if kept is None or key_digest(load_request(kept).public_key()) != job.key_sha256:
            return None
        job.request = kept
        return "signed before the interruption"

    def intent(self, job: Job) -> str:
        """Say who signs it."""
        return "certificate request (PKCS#10), signed by the phone"

    def run(self, job: Job) -> str:
        """Have the phone sign it, verify that signature and the key, and keep it."""
        der = job.phone.request(job.order.slot, known(job.user).removeprefix("sip:"))
        try:
            request = load_request(der)
        except ObjectUnreadable as error:
            raise ProtocolViolation(job.phone_name, str(error)) from None
        if key_digest(request.public_key()) != job.key_sha256:
            raise ProtocolViolation(job.phone_name, "its request is for another key")
        job.keep(ArtifactKind.REQUEST, der)
        job.request = der
        return f"PKCS#10, {len(der)} bytes, signature verified"
