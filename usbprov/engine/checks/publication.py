"""``check publication``: is the certificate in the phone the one that the home pool knows?

Only a sign-in with it shows that. Where the Registrar does not take it, what else is known tells
why: it has expired, the user's home is another pool now, or the ledger has a later certificate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from usbprov.checks import Verdict
from usbprov.engine.checks import signing_in
from usbprov.engine.checks.bootstrap import CHALLENGE, REGISTRAR_NAME, REGISTRAR_TLS, SIGN_OUT
from usbprov.engine.checks.inquiry import FACTS, Inquiry
from usbprov.engine.checks.published import Published, later_than
from usbprov.engine.checks.renewal import renewal_seen
from usbprov.engine.checks.sequence import CheckStep, Examined, Seen, StepFailed
from usbprov.engine.diagnosis.examining import examine
from usbprov.engine.diagnosis.model import Context, Diagnosis, Evidence
from usbprov.engine.diagnosis.table.registrar import CERTIFICATE_NOT_PUBLISHED, USER_MOVED
from usbprov.engine.fitness import invalidity_at, unfitness
from usbprov.engine.job import known
from usbprov.engine.times import local
from usbprov.errors import (
    CertificateNotAccepted,
    InstalledUnfit,
    RegistrarNotFound,
    UsbprovError,
)
from usbprov.ledger.ledger import Ledger
from usbprov.net.credentials import CertificateCredential
from usbprov.phone.contract import Capability, ObjectKind, Phone, PhoneInfo
from usbprov.phone.endpoint import endpoint_of
from usbprov.pki.certificates import load_certificate, shown_name, thumbprint
from usbprov.pki.keys import key_digest
from usbprov.webservices.discovery.report import DiscoveryRequest
from usbprov.webservices.trust.servers import registrar_address

if TYPE_CHECKING:
    from cryptography import x509

_RENEW = "usbprov renew: the phone's key is certified anew, by the certificate that it has."
_AGAIN = "usbprov recover with the user's PIN: that publishes a new one for the same key."


@dataclass
class PhoneInquiry(Inquiry):
    """An inquiry about a phone's certificate.

    Attributes:
        phone: The phone, open.
        ledger: What this computer did before.
        slot: The slot that is looked at.
        info: What the phone says of itself.
        evidence: What speaks for one cause of a refused certificate, or another.
    """

    phone: Phone = field(kw_only=True)
    ledger: Ledger | None = None
    slot: int = 0
    info: PhoneInfo | None = None
    evidence: tuple[Evidence, ...] = ()


def examined(of: PhoneInquiry) -> Examined:
    """Return what diagnoses a step's error, with what is known of phone and certificate."""

    def diagnosed(step: str, error: UsbprovError) -> Diagnosis:
        info = of.info
        phone = f"{info.vendor} {info.model} {info.firmware}" if info else ""
        return examine(error, Context(step, phone=phone, evidence=of.evidence))

    return diagnosed


def read_phone(of: PhoneInquiry) -> Seen:
    """Ask the phone who it is, and whose it is."""
    of.info = info = of.phone.info()
    of.endpoint = endpoint_of(info.mac)
    settings = info.settings
    if settings is not None:
        of.user = of.user or settings.sip_uri
        of.given_registrar = of.given_registrar or settings.registrar
    whose = settings.sip_uri if settings else "nobody's yet"
    return Seen(f"{info.vendor} {info.model}, serial {info.serial}, {whose}")


def read_certificate(of: PhoneInquiry) -> Seen:
    """Read the certificate, and see that it is for the phone's key and user.

    Raises:
        InstalledUnfit: There is none, or it is for another.
    """
    slot = known(of.info).slots[of.slot]
    if slot.active_certificate is None:
        raise InstalledUnfit(of.phone.facts.name, f"slot {of.slot} holds no certificate")
    certificate = load_certificate(of.phone.read(ObjectKind.CERTIFICATE, of.slot))
    digest = key_digest(certificate.public_key())
    if slot.active_key is None or slot.active_key.sha256 != digest:
        raise InstalledUnfit(of.phone.facts.name, "its certificate is for another key than its own")
    of.certificate = certificate
    words = f"{shown_name(certificate.subject)}, issued by {shown_name(certificate.issuer)}"
    return Seen(words, (f"SHA-256 {thumbprint(certificate)}",))


def see_validity(of: PhoneInquiry) -> Seen:
    """See that it can be used now, and take it for the sign-in.

    Raises:
        InstalledUnfit: It cannot, or is not the user's.
    """
    certificate = known(of.certificate)
    problem = _invalid(certificate) or unfitness(certificate, of.user)
    if problem:
        raise InstalledUnfit(of.phone.facts.name, str(problem))
    if Capability.SIGN in known(of.info).capabilities:
        of.identity = CertificateCredential(
            of.phone.read(ObjectKind.CERTIFICATE, of.slot),
            lambda block: of.phone.sign(of.slot, block),
        )
    return Seen(f"valid until {local(certificate.not_valid_after_utc)}")


def _invalid(certificate: "x509.Certificate") -> str | None:
    end = certificate.not_valid_after_utc
    if end <= datetime.now(UTC):
        return f"its certificate expired on {local(end)}"
    invalid = invalidity_at(datetime.now(UTC), certificate)
    return f"its certificate is not valid now, {invalid}" if invalid else None


def see_renewal(of: PhoneInquiry) -> Seen:
    """Say how long it is good, and which renewal is due."""
    return renewal_seen(known(of.certificate), _RENEW)


def find_registrar(of: PhoneInquiry) -> Seen:
    """Take the Registrar that was given or is in the phone's settings, else ask for it.

    Raises:
        StepFailed: Nobody names it.
    """
    if of.given_registrar:
        of.registrar_address = registrar_address(of.given_registrar)
        return Seen(f"{of.registrar_address}, as given or as the phone is set")
    found = of.network.discover(DiscoveryRequest(of.user))
    if found.registrar is None:
        said = tuple(line for source in found.sources for line in source.said)
        raise StepFailed(RegistrarNotFound(found.asked), detail=said)
    of.registrar_address = registrar_address(found.registrar)
    return Seen(f"{of.registrar_address}, as found")


def sign_in(of: PhoneInquiry) -> Seen:
    """Sign in with the phone's key: the proof that the home pool knows this certificate.

    Raises:
        StepFailed: It does not; the cause says what is known besides.
    """
    try:
        seen = signing_in.sign_in(of)
    except CertificateNotAccepted as error:
        cause, told = _why(of, error)
        raise StepFailed(error, cause=cause, remedy=_AGAIN, detail=told) from None
    if not known(of.sign_in).redirects:
        return seen
    return replace(seen, verdict=Verdict.NOTE, cause=_MOVED, remedy=_REWRITE)


_MOVED = "The user was moved to another pool, and the certificate with him."
_REWRITE = "Nothing need be done now; usbprov provision --registrar HOST writes the new home."


def _why(of: PhoneInquiry, error: CertificateNotAccepted) -> tuple[str, Sequence[str]]:
    """Say why a valid certificate is not accepted, by what is known; the surest first."""
    asked = str(known(of.registrar_address))
    if not _is_same(error.server, asked):
        words = f"{asked} sends the phone on to {error.server}"
        of.evidence = (Evidence("registrar", words, supports=frozenset({USER_MOVED.id})),)
        told = f"The user was moved: {words}, and the certificate is published in the old home "
        return f"{told}pool only.", ()
    later = _later(of)
    if later is not None:
        words = "It was replaced: a later certificate was published for this user and device."
        known_cause = frozenset({CERTIFICATE_NOT_PUBLISHED.id})
        of.evidence = (Evidence("ledger", str(later), supports=known_cause),)
        return words, (str(later),)
    return _ANY, (
        "the ledger of this computer has no later certificate for this user",
        f"to tell apart: Get-CsClientCertificate -Identity {of.user} shows what is published,",
        f"  Get-CsUser -Identity {of.user} the home pool (RegistrarPool)",
    )


_ANY = (
    "It was revoked; or another device or computer has replaced it; or the user was moved, and the "
    "certificate is published in the old home pool only."
)


def _is_same(one: str, other: str) -> bool:
    """Compare two addresses, whose port may be left out where it is the usual one."""
    return registrar_address(one) == registrar_address(other)


def _later(of: PhoneInquiry) -> Published | None:
    if of.ledger is None or of.user is None:
        return None
    return later_than(of.ledger, of.user, of.endpoint, known(of.certificate))


_Look = Callable[[PhoneInquiry], Seen]


def _step(name: str, look: _Look, *needs: str) -> CheckStep[PhoneInquiry]:
    return CheckStep(name, look, needs)


PUBLICATION: Sequence[CheckStep[PhoneInquiry]] = (
    _step("phone", read_phone),
    _step("certificate", read_certificate, "info"),
    _step("validity", see_validity, "certificate"),
    _step("renewal", see_renewal, "certificate"),
    _step("registrar", find_registrar, "info"),
    _step(REGISTRAR_NAME.name, REGISTRAR_NAME.look, *REGISTRAR_NAME.needs),
    _step(REGISTRAR_TLS.name, REGISTRAR_TLS.look, *REGISTRAR_TLS.needs),
    _step(CHALLENGE.name, CHALLENGE.look, *CHALLENGE.needs),
    _step("sign-in", sign_in, "registrar", "user", "identity"),
    _step(SIGN_OUT.name, SIGN_OUT.look, *SIGN_OUT.needs),
)

PUBLICATION_FACTS: Mapping[str, str] = {
    **FACTS,
    "info": "answer of the phone",
    "user": "user: the phone is set for none",
    "identity": "valid certificate that this phone can sign with",
}
