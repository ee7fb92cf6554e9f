"""``check phone``: is a phone as it must be? Everything is read, nothing is written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from usbprov.checks import Verdict
from usbprov.engine.checks.chain import accept
from usbprov.engine.checks.renewal import renewal_seen, span
from usbprov.engine.checks.sequence import CheckStep, Seen
from usbprov.engine.fitness import unfitness
from usbprov.engine.job import known
from usbprov.engine.steps.clock import TOLERANCE
from usbprov.errors import InstalledUnfit
from usbprov.phone.contract import Capability, ObjectKind, Phone, PhoneInfo, SlotState
from usbprov.phone.firmware import firmware_troubles
from usbprov.pki.certificates import load_certificate
from usbprov.pki.keys import key_digest
from usbprov.webservices.trust.servers import Server
from usbprov.webservices.trust.view import PhoneView

FATAL_SKEW = timedelta(minutes=5)
"""With more the servers refuse tickets and certificates (Microsoft's KB 2604176)."""

_SET_CLOCK = "usbprov recover sets it; see that the phone finds NTP."


@dataclass
class PhoneCheck:
    """A phone that is looked at.

    Attributes:
        phone: Open.
        servers: Gives those that it must trust, as they presented themselves.
        info: What it says of itself.
        behind: How far its clock is behind this computer's, or None where it has none.
    """

    phone: Phone
    servers: Callable[[], Sequence[Server]] = field(default=tuple)
    info: PhoneInfo | None = None
    behind: timedelta | None = None


def identity(of: PhoneCheck) -> Seen:
    """Ask the phone for everything at once."""
    of.info = info = of.phone.info()
    of.behind = None if info.clock is None else datetime.now(UTC) - info.clock
    words = f"{info.vendor} {info.model}, firmware {info.firmware}, serial {info.serial}"
    return Seen(f"{words}, MAC {info.mac}")


def firmware(of: PhoneCheck) -> Seen:
    """Compare model and version with what is documented against them."""
    info = known(of.info)
    troubles = firmware_troubles(info)
    if not troubles:
        return Seen(f"{info.firmware}: nothing is known against it")
    worst = troubles[0]
    verdict = Verdict.BAD if worst.hopeless else Verdict.NOTE
    others = tuple(trouble.words for trouble in troubles[1:])
    return Seen(f"{info.firmware}: {worst.words}", others, verdict, worst.cause, worst.remedy)


def clock(of: PhoneCheck) -> Seen:
    """Compare the phone's clock with this computer's."""
    if of.behind is None:
        return Seen("it has none, or does not tell", verdict=Verdict.NOTE)
    off = abs(of.behind)
    if off <= TOLERANCE:
        return Seen(f"right to {max(round(off.total_seconds()), 1)} s")
    way = "behind" if of.behind > timedelta() else "ahead"
    verdict = Verdict.BAD if off > FATAL_SKEW else Verdict.NOTE
    words = f"{span(off)} {way} of this computer's"
    cause = "The phone has found no time server, or this computer's clock is wrong."
    return Seen(words, (), verdict, cause, _SET_CLOCK)


def roots(of: PhoneCheck) -> Seen:
    """Judge the servers with the phone's roots, clock and algorithms.

    Raises:
        StepFailed: It would not trust one of them.
    """
    count = len(known(of.info).roots)
    if Capability.TRUST_STORE not in known(of.info).capabilities:
        return Seen("it has no store of roots that can be read", verdict=Verdict.NOTE)
    servers = of.servers()
    if not servers:
        hint = "Name servers with --web-services-url and --registrar to have them judged."
        return Seen(f"{count} trusted; no server was named", verdict=Verdict.NOTE, remedy=hint)
    view = PhoneView(of.phone, known(of.info))
    for server in servers:
        accept(server, view.judge(server, ()), view.name)
    names = " and ".join(str(server.address) for server in servers)
    return Seen(f"{count} trusted; the phone accepts {names}")


def slots(of: PhoneCheck) -> Seen:
    """Look for what a job left behind half done."""
    states = known(of.info).slots
    told = tuple(f"slot {slot.number}: {_slot_words(slot)}" for slot in states)
    pending = [slot for slot in states if slot.pending_key is not None]
    used = sum(slot.active_certificate is not None for slot in states)
    words = f"{used} of {len(states)} in use"
    if not pending:
        return Seen(words, told)
    return Seen(
        f"{words}; slot {pending[0].number} holds a key that waits for its certificate",
        told,
        Verdict.NOTE,
        "A job was interrupted, or its request was refused.",
        "Repeat usbprov provision: it goes on with that key; --replace gives it up.",
    )


def _slot_words(slot: SlotState) -> str:
    parts = (
        ("a certificate in use", slot.active_certificate),
        ("a key in use", slot.active_key),
        ("a key that waits", slot.pending_key),
    )
    return ", ".join(words for words, value in parts if value is not None) or "empty"


def certificate(of: PhoneCheck) -> Seen:
    """Look at the user certificate of the first slot that has one.

    Raises:
        InstalledUnfit: It is not valid now, not the user's, or for another key.
    """
    info = known(of.info)
    slot = next((slot for slot in info.slots if slot.active_certificate is not None), None)
    if slot is None:
        return Seen(
            "there is none",
            verdict=Verdict.NOTE,
            cause="The phone was not provisioned yet.",
            remedy="usbprov provision",
        )
    found = load_certificate(of.phone.read(ObjectKind.CERTIFICATE, slot.number))
    name = of.phone.facts.name
    if slot.active_key is None or slot.active_key.sha256 != key_digest(found.public_key()):
        raise InstalledUnfit(name, "its certificate is for another key than its own")
    problem = unfitness(found, info.settings.sip_uri if info.settings else None)
    if problem:
        raise InstalledUnfit(name, str(problem))
    return renewal_seen(found, "usbprov renew")


_SETTINGS = (("user", "sip_uri"), ("Web Services", "web_services_url"), ("Registrar", "registrar"))


def configuration(of: PhoneCheck) -> Seen:
    """See that the phone knows all that it must to sign in."""
    settings = known(of.info).settings
    values = {words: getattr(settings, name, None) for words, name in _SETTINGS}
    told = tuple(f"{words}: {value}" for words, value in values.items() if value)
    lacking = [words for words, value in values.items() if not value]
    if not lacking:
        return Seen("complete", told)
    return Seen(
        f"without {', '.join(lacking)}",
        told,
        Verdict.NOTE,
        "The phone was not provisioned yet, or without --registrar; it must find the rest itself, "
        "by DHCP and DNS.",
        "usbprov provision --registrar HOST writes all of it.",
    )


PHONE: Sequence[CheckStep[PhoneCheck]] = (
    CheckStep("identity", identity),
    CheckStep("firmware", firmware, ("info",)),
    CheckStep("clock", clock, ("info",)),
    CheckStep("roots", roots, ("info",)),
    CheckStep("slots", slots, ("info",)),
    CheckStep("certificate", certificate, ("info",)),
    CheckStep("configuration", configuration, ("info",)),
)

PHONE_FACTS: Mapping[str, str] = {"info": "answer of the phone"}
