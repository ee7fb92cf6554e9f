"""Look: gather the facts of one phone, from itself, from the ledger, and from its servers."""

from collections.abc import Iterator, Sequence

from usbprov.engine.recovery.facts import Begun, Facts, Owner, Reach, Settings
from usbprov.engine.recovery.look_phone import InUse, read_in_use, see_clock, see_settings
from usbprov.engine.recovery.look_servers import look_at_servers
from usbprov.engine.recovery.remembered import KeptCertificate, Remembered, Unfinished, Wish
from usbprov.engine.recovery.sight import Inquest, Sight, StoredPair
from usbprov.engine.times import local
from usbprov.ledger.records import JobRecord
from usbprov.phone.contract import SIGN_IN_SLOT, Capability, PhoneInfo, PhoneSettings


def look(at: Inquest) -> Sight:
    """Look at everything; nothing is written anywhere.

    A sign-in with the phone's certificate is made, and ended at once: nothing else shows whether
    that certificate is published.

    Raises:
        UsbprovError: The phone or the ledger cannot be read. Servers that cannot be are a fact.
    """
    info = at.phone.info()
    slot = info.slots[at.slot]
    in_use = read_in_use(at.phone, slot)
    memory = Remembered.of(at.ledger, info, at.slot)
    recorded, last = memory.has_recorded(slot.active_certificate), memory.last()
    is_ours = recorded or slot.active_certificate is None
    wish = _wanted(at.wish, memory.user(at.wish), last, info.settings, is_ours=is_ours)
    unfinished = memory.unfinished(at.wish)
    kept = memory.kept(wish.user or in_use.holder, in_use.usable)
    stored = _stored(at.stored(info.identity), wish)
    restorable = memory.kept_for(stored.sha256, stored.user) if stored else None
    is_off, clock = see_clock(info)
    settings, configured = _settings(at, info, in_use, wish)
    servers = look_at_servers(at, info, wish, in_use)
    facts = Facts(
        held=in_use.held,
        has_key=slot.active_key is not None,
        has_pending=slot.pending_key is not None,
        clock_off=is_off,
        trusts=servers.trusts,
        settings=settings,
        owner=_owner(in_use.holder, wish.user),
        begun=unfinished.stage if unfinished else Begun.NOTHING,
        kept=kept is not None,
        stored=stored is not None,
        restorable=restorable is not None,
        recorded=recorded,
        published=servers.published,
        reach=servers.reach,
        has_secret=servers.reach is Reach.REACHED and at.has_secret(),
        may_replace=at.may_replace,
        takes_keys=Capability.IMPORT_KEY in info.capabilities,
        takes_clock=Capability.SET_CLOCK in info.capabilities,
        takes_roots=Capability.TRUST_STORE in info.capabilities,
        takes_settings=Capability.CONFIGURE in info.capabilities,
        signs=Capability.SIGN in info.capabilities,
    )
    lines = (
        ("certificate", in_use.words),
        *_owner_lines(facts.owner, in_use.holder, wish.user),
        ("settings", configured),
        ("clock", clock),
        *servers.lines,
        *((("vault", f"it has a key pair of {stored.user} and this phone"),) if stored else ()),
        *(("ledger", words) for words in _memories(last, unfinished, kept)),
    )
    return Sight(
        at.phone.facts.name,
        facts,
        info,
        lines,
        wish,
        in_use.der,
        in_use.holder,
        unfinished,
        kept,
        stored,
        restorable,
        servers.trouble,
        last,
    )


def _wanted(
    given: Wish,
    user: str | None,
    last: JobRecord | None,
    settings: PhoneSettings | None,
    *,
    is_ours: bool,
) -> Wish:
    """Say whose phone it is to be, and its servers.

    What the ledger knows of the servers counts only as long as the phone's certificate is the
    ledger's: another computer may have given the phone other servers with a later one.
    """
    sources = [given, *((last, settings) if is_ours else (settings, last))]
    urls = (of.web_services_url for of in sources if of is not None)
    registrars = (of.registrar for of in sources if of is not None)
    return Wish(
        user,
        given.name,
        next(filter(None, urls), None),
        next(filter(None, registrars), None),
    )


def _stored(pairs: Sequence[StoredPair], wish: Wish) -> StoredPair | None:
    """Return the vault's pair of the user whose phone it is to be."""
    wanted = (wish.user or "").lower()
    return next((pair for pair in pairs if pair.user.lower() == wanted), None)


def _settings(at: Inquest, info: PhoneInfo, in_use: InUse, wish: Wish) -> tuple[Settings, str]:
    """Only those of the slot with which the phone signs in can be read."""
    if at.slot != SIGN_IN_SLOT:
        return Settings.RIGHT, ""
    return see_settings(info, in_use.holder, wish)


def _owner(holder: str | None, wanted: str | None) -> Owner:
    if holder is None:
        return Owner.EXPECTED
    if wanted is None:
        return Owner.UNKNOWN
    return Owner.EXPECTED if wanted.lower() == holder.lower() else Owner.OTHER


def _owner_lines(owner: Owner, holder: str | None, wanted: str | None) -> Iterator[tuple[str, str]]:
    if owner is Owner.OTHER:
        yield "owner", f"it is to be {wanted}'s, and is {holder}'s"


def _memories(
    last: JobRecord | None, unfinished: Unfinished | None, kept: KeptCertificate | None
) -> Iterator[str]:
    """Say what the ledger knows, in words."""
    if last is None:
        yield "it knows nothing of this phone"
    if unfinished:
        yield f"job {unfinished.job.id} of {local(unfinished.job.created)}: {unfinished.stage}"
    elif last:
        yield f"job {last.id} of {local(last.created)}: {last.state}"
    if kept and not unfinished:
        yield f"job {kept.job.id} keeps a certificate that the phone lacks"
