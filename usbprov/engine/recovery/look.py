"""Look: gather the facts of one phone, from itself, from the ledger, and from its servers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from cryptography import x509

from usbprov.engine.checks.network import Network
from usbprov.engine.checks.renewal import renewal_of
from usbprov.engine.fitness import unfitness
from usbprov.engine.recovery.facts import Begun, Facts, Held, Owner, Reach, Settings
from usbprov.engine.recovery.remembered import (
    KeptCertificate,
    Remembered,
    Unfinished,
    Wish,
    user_in,
)
from usbprov.engine.steps.clock import TOLERANCE, off_words
from usbprov.engine.times import local
from usbprov.errors import CertificateNotAccepted, ObjectUnreadable, UsbprovError
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobRecord
from usbprov.net.credentials import CertificateCredential
from usbprov.phone.contract import (
    SIGN_IN_SLOT,
    Capability,
    ObjectKind,
    Phone,
    PhoneIdentity,
    PhoneInfo,
)
from usbprov.phone.endpoint import endpoint_of
from usbprov.pki.certificates import load_certificate
from usbprov.pki.keys import key_digest
from usbprov.tape.clock import now
from usbprov.webservices.trust.servers import registrar_address, web_services_address
from usbprov.webservices.trust.view import PhoneView


@dataclass(frozen=True)
class StoredPair:
    """A pair in the vault that belongs to a phone: its user (SIP URI), and its key's digest."""

    user: str
    sha256: str


@dataclass(frozen=True)
class Inquest:
    """What is looked at, and by what means.

    Attributes:
        phone: The phone, open.
        ledger: What this computer did before.
        network: Reaches the servers; None: no server is asked.
        wish: What the caller says.
        has_secret: Says whether something but the phone's certificate can prove the user; asked
            only where that counts.
        stored: Returns the pairs that the vault has for a phone; no passphrase is needed for that.
        slot: The slot that is looked at.
        may_replace: Whether what is in the slot may be replaced.
    """

    phone: Phone
    ledger: Ledger
    network: Network | None = None
    wish: Wish = field(default_factory=Wish)
    has_secret: Callable[[], bool] = lambda: False
    stored: Callable[[PhoneIdentity], Sequence[StoredPair]] = lambda _phone: ()
    slot: int = 0
    may_replace: bool = False


@dataclass(frozen=True)
class Sight:
    """What was seen.

    Attributes:
        name: How the phone is called in messages.
        facts: For the table.
        info: What the phone says of itself.
        lines: What was seen, as names and words, for people.
        wish: Whose phone it is to be, and its servers: the caller's word, then the ledger's, then
            the phone's own settings.
        certificate: The one in use (DER), if it can be read.
        unfinished: The job to go on with.
        kept: A certificate of the ledger that the phone lacks.
        stored: The vault's pair of user and phone.
        restorable: A certificate of the ledger for that pair.
        trouble: Why the Web Services cannot be asked.
        holder: The user whom the certificate in use names.
        last: The phone's newest job that came to anything.
    """

    name: str
    facts: Facts
    info: PhoneInfo
    lines: tuple[tuple[str, str], ...]
    wish: Wish
    certificate: bytes | None = None
    unfinished: Unfinished | None = None
    kept: KeptCertificate | None = None
    stored: StoredPair | None = None
    restorable: KeptCertificate | None = None
    trouble: UsbprovError | None = None
    holder: str | None = None
    last: JobRecord | None = None


def look(at: Inquest) -> Sight:
    """Look at everything; nothing is written anywhere.

    A sign-in with the phone's certificate is made, and ended at once: nothing else shows whether
    that certificate is published.

    Raises:
        UsbprovError: The phone or the ledger cannot be read. Servers that cannot be are a fact.
    """
    return _Looking(at).sight()


class _Looking:
    """One look; what is found out first serves what is looked at next."""

    def __init__(self, at: Inquest) -> None:
        self._at = at
        self._info = at.phone.info()
        self._slot = self._info.slots[at.slot]
        self._memory = Remembered.of(at.ledger, self._info, at.slot)
        self._lines: list[tuple[str, str]] = []
        self._der, self._certificate, self._held = self._read_certificate()
        self._holder = _user_of(self._certificate)
        self._wish = self._wanted()
        self._trouble: UsbprovError | None = None

    def sight(self) -> Sight:
        unfinished = self._memory.unfinished(self._at.wish)
        kept = self._memory.kept(self._wish.user or self._holder, self._usable_certificate())
        stored = self._stored()
        restorable = self._memory.kept_for(stored.sha256, stored.user) if stored else None
        facts = self._about_phone(Facts(held=self._held, may_replace=self._at.may_replace))
        facts = replace(
            facts,
            owner=self._owner(),
            begun=unfinished.stage if unfinished else Begun.NOTHING,
            kept=kept is not None,
            stored=stored is not None,
            restorable=restorable is not None,
            recorded=self._memory.has_recorded(self._slot.active_certificate),
        )
        facts = self._about_servers(facts)
        self._lines += [("ledger", words) for words in self._ledger_words(unfinished, kept)]
        return Sight(
            self._at.phone.facts.name,
            facts,
            self._info,
            tuple(self._lines),
            self._wish,
            self._der,
            unfinished,
            kept,
            stored,
            restorable,
            self._trouble,
            self._holder,
            self._memory.last(),
        )

    # --- the phone

    def _about_phone(self, facts: Facts) -> Facts:
        can = self._info.capabilities
        settings, words = self._settings()
        self._lines += [("settings", words), ("clock", self._clock_words())]
        behind = self._behind()
        return replace(
            facts,
            has_key=self._slot.active_key is not None,
            has_pending=self._slot.pending_key is not None,
            clock_off=None if behind is None else abs(behind) > TOLERANCE,
            settings=settings,
            takes_keys=Capability.IMPORT_KEY in can,
            takes_clock=Capability.SET_CLOCK in can,
            takes_roots=Capability.TRUST_STORE in can,
            takes_settings=Capability.CONFIGURE in can,
            signs=Capability.SIGN in can,
        )

    def _stored(self) -> StoredPair | None:
        """Return the vault's pair of this phone and the user whose it is to be."""
        wanted = (self._wish.user or "").lower()
        found = [p for p in self._at.stored(self._info.identity) if p.user.lower() == wanted]
        if found:
            self._lines.append(("vault", f"it has a key pair of {found[0].user} and this phone"))
        return found[0] if found else None

    def _behind(self) -> timedelta | None:
        return None if self._info.clock is None else now() - self._info.clock

    def _clock_words(self) -> str:
        behind = self._behind()
        if behind is None:
            return "it has none, or does not tell"
        return "right" if abs(behind) <= TOLERANCE else off_words(behind)

    def _read_certificate(self) -> tuple[bytes | None, x509.Certificate | None, Held]:
        if self._slot.active_certificate is None:
            self._lines.append(("certificate", self._key_words()))
            return None, None, Held.NONE
        der = self._at.phone.read(ObjectKind.CERTIFICATE, self._at.slot)
        try:
            certificate = load_certificate(der)
        except ObjectUnreadable as error:
            self._lines.append(("certificate", str(error)))
            return der, None, Held.UNFIT
        held, words = self._judged(certificate)
        self._lines.append(("certificate", words))
        return der, certificate, held

    def _key_words(self) -> str:
        if self._slot.pending_key:
            return "none; a key waits for one"
        return "none; there is a key" if self._slot.active_key else "none, and no key"

    def _judged(self, certificate: x509.Certificate) -> tuple[Held, str]:
        key, end = self._slot.active_key, local(certificate.not_valid_after_utc)
        if key is None or key.sha256 != key_digest(certificate.public_key()):
            return Held.OTHER_KEY, "it is for another key than the phone's"
        whose = f"{_user_of(certificate) or 'nobody that it names'}, until {end}"
        problem = unfitness(certificate, None)
        if problem is None or problem.check == "short":
            renewal = renewal_of(certificate, now())
            words = f"{whose}; {renewal.words}"
            return (Held.DUE, f"{words}, due") if renewal.is_due else (Held.GOOD, words)
        if problem.check == "expired":
            return Held.EXPIRED, f"{whose}: expired"
        return Held.UNFIT, f"{whose}: {problem}"

    def _usable_certificate(self) -> x509.Certificate | None:
        return self._certificate if self._held in {Held.GOOD, Held.DUE} else None

    # --- whose it is, and its servers

    def _wanted(self) -> Wish:
        given, last, settings = self._at.wish, self._memory.last(), self._info.settings
        urls = (of.web_services_url for of in (given, last, settings) if of is not None)
        registrars = (of.registrar for of in (given, last, settings) if of is not None)
        return Wish(
            self._memory.user(given),
            given.name,
            next(filter(None, urls), None),
            next(filter(None, registrars), None),
        )

    def _owner(self) -> Owner:
        wanted = self._wish.user
        if self._holder is None:
            return Owner.EXPECTED
        if wanted is None:
            return Owner.UNKNOWN
        if wanted.lower() == self._holder.lower():
            return Owner.EXPECTED
        self._lines.append(("owner", f"it is to be {wanted}'s, and is {self._holder}'s"))
        return Owner.OTHER

    def _settings(self) -> tuple[Settings, str]:
        settings = self._info.settings
        if self._at.slot != SIGN_IN_SLOT:
            return Settings.RIGHT, ""
        if settings is None:
            return Settings.MISSING, "none"
        wanted = {
            "user": (self._holder or self._wish.user, settings.sip_uri),
            "Web Services": (self._wish.web_services_url, settings.web_services_url),
            "Registrar": (self._wish.registrar, settings.registrar),
        }
        wrong = [
            f"{name} {has or 'missing'}, not {wants}"
            for name, (wants, has) in wanted.items()
            if wants and wants.lower() != (has or "").lower()
        ]
        known = ", ".join(has for _, has in wanted.values() if has)
        return (Settings.WRONG, "; ".join(wrong)) if wrong else (Settings.RIGHT, known)

    # --- the servers

    def _about_servers(self, facts: Facts) -> Facts:
        facts = replace(facts, reach=self._reach_without_asking())
        if facts.reach is not Reach.REACHED:
            return facts
        trusts = self._trusts()
        if self._trouble is not None:
            return replace(facts, reach=Reach.UNREACHED)
        return replace(
            facts, trusts=trusts, published=self._published(), has_secret=self._at.has_secret()
        )

    def _reach_without_asking(self) -> Reach:
        if not self._wish.web_services_url:
            self._lines.append(("servers", "nobody says where the Web Services are"))
            return Reach.UNNAMED
        if self._at.network is None:
            self._lines.append(("servers", "not asked"))
            return Reach.OFFLINE
        return Reach.REACHED

    def _trusts(self) -> bool | None:
        """Look at the Web Services, and say whether the phone would accept them."""
        address = web_services_address(self._wish.web_services_url or "")
        network = self._at.network
        try:
            server = network.look_at(address) if network else None
        except UsbprovError as error:
            self._trouble = error
        else:
            self._trouble = server.problem if server else None
        if self._trouble is not None or server is None:
            self._lines.append(("servers", str(self._trouble)))
            return None
        if Capability.TRUST_STORE not in self._info.capabilities:
            self._lines.append(("servers", f"{address} answers"))
            return None
        verdict = PhoneView(self._at.phone, self._info).judge(server, (), clock_set=True)
        words = "trusts them" if verdict.trusted else "does not trust them"
        self._lines.append(("servers", f"{address} answers; the phone {words}"))
        return verdict.trusted

    def _published(self) -> bool | None:
        """Sign in with the certificate in use, where it can be used, and out again."""
        user, registrar = self._holder, self._wish.registrar
        can_sign = Capability.SIGN in self._info.capabilities
        if not (self._usable_certificate() and user and registrar and can_sign and self._der):
            return None
        if self._owner_is_other(user):
            return None
        slot, phone = self._at.slot, self._at.phone
        credential = CertificateCredential(self._der, lambda block: phone.sign(slot, block))
        return self._signs_in(user, registrar, credential)

    def _signs_in(
        self, user: str, registrar: str, credential: CertificateCredential
    ) -> bool | None:
        network = self._at.network
        if network is None:
            return None
        try:
            client = network.registrar(registrar_address(registrar))
            done = client.sign_in(user, credential, endpoint_of(self._info.mac))
        except CertificateNotAccepted as error:
            self._lines.append(("sign-in", f"refused: {error}"))
            return False
        except UsbprovError as error:
            self._lines.append(("sign-in", f"not possible: {error}"))
            return None
        self._lines.append(("sign-in", f"accepted by {done.server}"))
        return True

    def _owner_is_other(self, holder: str) -> bool:
        wanted = self._wish.user
        return wanted is not None and wanted.lower() != holder.lower()

    # --- the ledger, in words

    def _ledger_words(
        self, unfinished: Unfinished | None, kept: KeptCertificate | None
    ) -> Iterator[str]:
        last = self._memory.last()
        if last is None:
            yield "it knows nothing of this phone"
        if unfinished:
            yield f"job {unfinished.job.id} of {local(unfinished.job.created)}: {unfinished.stage}"
        elif last:
            yield f"job {last.id} of {local(last.created)}: {last.state}"
        if kept:
            yield f"job {kept.job.id} keeps a certificate that the phone lacks"


def _user_of(certificate: x509.Certificate | None) -> str | None:
    return user_in(certificate) if certificate else None
