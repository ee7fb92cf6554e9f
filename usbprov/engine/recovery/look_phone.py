"""Look at the phone itself: its certificate, clock and settings, as facts and in words."""

from dataclasses import dataclass

from cryptography import x509

from usbprov.engine.checks.renewal import renewal_of
from usbprov.engine.fitness import unfitness
from usbprov.engine.recovery.facts import Held, Settings
from usbprov.engine.recovery.remembered import Wish, user_in
from usbprov.engine.steps.clock import TOLERANCE, off_words
from usbprov.engine.times import local
from usbprov.errors import ObjectUnreadable
from usbprov.phone.contract import ObjectKind, Phone, PhoneInfo, SlotState
from usbprov.pki.certificates import load_certificate
from usbprov.pki.keys import key_digest
from usbprov.tape.clock import now


@dataclass(frozen=True)
class InUse:
    """The certificate that a slot uses.

    Attributes:
        held: What it is good for.
        words: The same, for people.
        der: The certificate (DER), or None.
        certificate: The same, if it can be parsed.
    """

    held: Held
    words: str
    der: bytes | None = None
    certificate: x509.Certificate | None = None

    @property
    def holder(self) -> str | None:
        """The user (SIP URI) whom it names, if it names one."""
        return user_in(self.certificate) if self.certificate else None

    @property
    def usable(self) -> x509.Certificate | None:
        """The certificate, if it can be used for a sign-in now."""
        return self.certificate if self.held in {Held.GOOD, Held.DUE} else None


def read_in_use(phone: Phone, slot: SlotState) -> InUse:
    """Read the certificate of a slot, and judge it by this computer's clock."""
    if slot.active_certificate is None:
        return InUse(Held.NONE, _without(slot))
    der = phone.read(ObjectKind.CERTIFICATE, slot.number)
    try:
        certificate = load_certificate(der)
    except ObjectUnreadable as error:
        return InUse(Held.UNFIT, str(error), der)
    held, words = _judged(certificate, slot)
    return InUse(held, words, der, certificate)


def _without(slot: SlotState) -> str:
    if slot.pending_key:
        return "none; a key waits for one"
    return "none; there is a key" if slot.active_key else "none, and no key"


def _judged(certificate: x509.Certificate, slot: SlotState) -> tuple[Held, str]:
    key, end = slot.active_key, local(certificate.not_valid_after_utc)
    if key is None or key.sha256 != key_digest(certificate.public_key()):
        return Held.OTHER_KEY, "it is for another key than the phone's"
    whose = f"{user_in(certificate) or 'nobody that it names'}, until {end}"
    problem = unfitness(certificate, None)
    if problem is None or problem.check == "short":
        renewal = renewal_of(certificate, now())
        words = f"{whose}; {renewal.words}"
        return (Held.DUE, f"{words}, due") if renewal.is_due else (Held.GOOD, words)
    if problem.check == "expired":
        return Held.EXPIRED, f"{whose}: expired"
    return Held.UNFIT, f"{whose}: {problem}"


def see_clock(info: PhoneInfo) -> tuple[bool | None, str]:
    """Say whether the phone's clock is off; None where it has none."""
    if info.clock is None:
        return None, "it has none, or does not tell"
    behind = now() - info.clock
    is_off = abs(behind) > TOLERANCE
    return is_off, off_words(behind) if is_off else "right"


def see_settings(info: PhoneInfo, holder: str | None, wish: Wish) -> tuple[Settings, str]:
    """Compare the settings of the slot for the sign-in with what is wanted, as far as it is known.

    Args:
        info: What the phone says of itself.
        holder: The user of the certificate in use: the settings must go with that one.
        wish: What is wanted.
    """
    settings = info.settings
    if settings is None:
        return Settings.MISSING, "none"
    compared = {
        "user": (holder or wish.user, settings.sip_uri),
        "Web Services": (wish.web_services_url, settings.web_services_url),
        "Registrar": (wish.registrar, settings.registrar),
    }
    wrong = [
        f"{name} {has or 'missing'}, not {wants}"
        for name, (wants, has) in compared.items()
        if wants and wants.lower() != (has or "").lower()
    ]
    if wrong:
        return Settings.WRONG, "; ".join(wrong)
    return Settings.RIGHT, ", ".join(has for _, has in compared.values() if has)
