"""Ticket: prove the user to the Web Services, before anything is written to the phone."""

from typing import ClassVar

from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.engine.steps.publish import has_certificate
from usbprov.engine.times import local


class TicketStep:
    """A wrong PIN costs a second here, and changes nothing; and the ticket says who the user is."""

    name: ClassVar = StepName.TICKET
    needs: ClassVar = frozenset({"info", "record"})
    yields: ClassVar = frozenset({"user", "ticket"})

    def already(self, job: Job) -> str | None:
        """A certificate that is here needs no ticket any more."""
        return "the certificate is here already" if has_certificate(job) else None

    def intent(self, job: Job) -> str:
        """Say by what the user is proved."""
        who = job.order.user or "the user is the one that the server names"
        return f"Web ticket by PIN for extension {job.order.extension} ({who})"

    def run(self, job: Job) -> str:
        """Obtain the ticket; the PIN is sent once."""
        from usbprov.webservices.ticket import PinCredential  # noqa: PLC0415 - only when needed

        credential = PinCredential(job.order.extension, job.pin())
        job.ticket = job.connect().ticket(credential, job.endpoint, job.order.user)
        job.user = job.ticket.sip_uri
        job.ledger.set_user(known(job.record).id, job.user)
        return f"user {job.user}, ticket until {local(job.ticket.expires)}"
