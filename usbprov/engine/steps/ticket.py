"""Ticket: prove the user to the Web Services, before anything is written to the phone."""

from collections.abc import Callable, Mapping
from typing import ClassVar

from usbprov.engine.credentials import WORDS, secret_credential
from usbprov.engine.events import StepName
from usbprov.engine.job import Job, Services, known
from usbprov.engine.steps.publish import has_certificate
from usbprov.engine.steps.trust import refuse_unverifiable
from usbprov.engine.times import local
from usbprov.errors import UsageError
from usbprov.net.credentials import CertificateCredential, Credential, Way
from usbprov.phone.contract import Capability, ObjectKind
from usbprov.pki.certificates import load_certificate
from usbprov.tape.clock import now
from usbprov.tape.ports import plain
from usbprov.webservices.ticket import Ticket


class TicketStep:
    """A wrong PIN costs a second here, and changes nothing; and the ticket says who the user is."""

    name: ClassVar = StepName.TICKET
    needs: ClassVar = frozenset({"info", "record"})
    yields: ClassVar = frozenset({"user", "ticket"})

    def already(self, job: Job) -> str | None:
        """A certificate that is here needs no ticket any more."""
        return "the certificate is here already" if has_certificate(job) else None

    def intent(self, job: Job) -> str:
        """Say by what the user is proved, or will be tried to be, and why.

        Raises:
            UsageError: There is nothing to prove the user by.
        """
        order, ways = job.order, _usable(job)
        first = "" if len(ways) == 1 else "the first of these that the server offers: "
        which = ", ".join(WORDS[way] for way in ways)
        whose = f" for {order.credential.name}" if order.credential.name else ""
        user = order.user or certified_user(job) or "the user is the one that the server names"
        return f"Web ticket by {first}{which}{whose}, because {order.credential.because} ({user})"

    def run(self, job: Job) -> str:
        """Obtain the ticket; a secret is asked for now, and sent once."""
        refuse_unverifiable(job)
        services, user = job.connect(), job.order.user or job.user
        kept = job.retry(lambda: services.kept_ticket(user)) if user else None
        if kept is None:
            job.ticket, how = self._obtain(job, services, user)
        else:
            job.ticket, how = kept, "kept from before"
        job.user = job.ticket.sip_uri
        job.ledger.set_user(known(job.record).id, job.user)
        return f"{how}: user {job.user}, ticket until {local(job.ticket.expires)}"

    def _obtain(self, job: Job, services: Services, user: str | None) -> tuple[Ticket, str]:
        ways, because = _usable(job), job.order.credential.because
        # The metadata hold no secret, so they may be asked for again; the request for a ticket not.
        way = job.retry(lambda: services.choose(ways))
        offered = "" if len(ways) == 1 else " and the server offers it"
        ticket = services.ticket(_credential(job, way), job.endpoint, user)
        return ticket, f"by {WORDS[way]}, because {because}{offered}"


def certified_user(job: Job) -> str | None:
    """Return whose certificate it is, where the phone's own is what proves the user."""
    settings = known(job.info).settings
    only = job.order.credential.ways == (Way.CERTIFICATE,)
    return settings.sip_uri if only and settings else None


def _usable(job: Job) -> tuple[Way, ...]:
    """Return the order's ways, without those for which something is missing here."""
    ways = job.order.credential.ways
    missing = {way: words for way in ways if (words := _MISSING.get(way, _nothing)(job))}
    if len(missing) == len(ways):
        reasons = "; ".join(missing.values())
        remedy = "give --extension with a PIN, or --login with a password"
        raise UsageError(f"nothing proves the user: {reasons}. Repair that, or {remedy}")
    return tuple(way for way in ways if way not in missing)


def _nothing(_job: Job) -> None:
    return None


def _no_certificate(job: Job) -> str | None:
    if job.slot.active_certificate is None:
        return f"the phone's slot {job.order.slot} holds no certificate"
    if Capability.SIGN not in known(job.info).capabilities:
        return "the phone cannot sign with its certificate's key"
    return None


def _no_kerberos(job: Job) -> str | None:
    from usbprov.net.kerberos import has_ticket  # noqa: PLC0415 - only when needed

    if job.order.credential.name or plain("Kerberos ticket", has_ticket):
        return None
    return "there is no Kerberos ticket on this computer"


_MISSING: Mapping[Way, Callable[[Job], str | None]] = {
    Way.CERTIFICATE: _no_certificate,
    Way.KERBEROS: _no_kerberos,
    Way.NEGOTIATE: _no_kerberos,
}
"""What says why a way cannot be gone, without asking any server."""


def _credential(job: Job, way: Way) -> Credential:
    if way is Way.CERTIFICATE:
        return _certificate(job)
    return secret_credential(way, job.order.credential.name, job.secret)


def _certificate(job: Job) -> Credential:
    """Take the certificate out of the phone; its key stays there and signs there."""
    slot = job.order.slot
    certificate = job.phone.read(ObjectKind.CERTIFICATE, slot)
    end = load_certificate(certificate).not_valid_after_utc
    if end <= now():
        raise UsageError(f"the phone's certificate expired on {local(end)}: use another --auth")
    return CertificateCredential(certificate, lambda block: job.phone.sign(slot, block))
