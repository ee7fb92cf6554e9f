"""The table of situations: the first row whose condition holds says what is to be done, and why.

The order is that of repair: whose phone it is, then clock and roots (without them nothing holds),
then the credential, the cheapest way to one first, then the settings.
"""

from collections.abc import Callable
from dataclasses import dataclass

from usbprov.engine.recovery.actions import Action
from usbprov.engine.recovery.facts import Begun, Facts, Held, Owner, Settings


@dataclass(frozen=True)
class Situation:
    """One row.

    Attributes:
        name: Its stable name (docs/recovery.md).
        condition: What is the case, in words.
        holds: Whether it is.
        actions: What is done, in this order.
        why: Why just that.
        is_urgent: Whether the phone does not work until it is done.
    """

    name: str
    condition: str
    holds: Callable[[Facts], bool]
    actions: tuple[Action, ...]
    why: str
    is_urgent: bool = True


def _begun(stage: Begun) -> Callable[[Facts], bool]:
    return lambda facts: facts.begun is stage


def _is_ready(facts: Facts) -> bool:
    """Say whether the certificate in use can be committed again."""
    return facts.is_usable and not facts.has_pending


SITUATIONS: tuple[Situation, ...] = (
    Situation(
        "other-user",
        "the phone holds the certificate of another user than it is to be for",
        lambda facts: facts.owner is Owner.OTHER and facts.begun is Begun.NOTHING,
        (Action.NEW_KEY,),
        "another user's key and certificate are never used; his phone is left alone unless it is "
        "said that it may be replaced",
    ),
    Situation(
        "clock-wrong",
        "the phone's clock is wrong",
        lambda facts: bool(facts.clock_off),
        (Action.SET_CLOCK,),
        "by a wrong clock every certificate is refused",
    ),
    Situation(
        "roots-missing",
        "the phone does not trust its servers",
        lambda facts: facts.trusts is False,
        (Action.ADD_ROOTS,),
        "without their root it can neither sign in nor renew its certificate",
    ),
    Situation(
        "written-not-committed",
        "a job was interrupted while the certificate was written to the phone",
        _begun(Begun.WRITING),
        (Action.FINISH,),
        "the transfer is resumed and committed; the certificate is not asked for again",
    ),
    Situation(
        "issued-not-written",
        "a job was interrupted after its certificate was issued, before it was written",
        _begun(Begun.ISSUED),
        (Action.FINISH,),
        "the certificate is in the ledger and need not be asked for again",
    ),
    Situation(
        "key-without-answer",
        "a job was interrupted after its key was made, before there was a certificate",
        _begun(Begun.KEY_MADE),
        (Action.FINISH,),
        "its key waits in the phone and is used; no second one is made",
    ),
    Situation(
        "kept-certificate",
        "the ledger keeps a later certificate for the phone's key than the phone has",
        lambda facts: facts.kept and (facts.held is not Held.GOOD or facts.published is False),
        (Action.REINSTALL,),
        "an answer that the server gave is never asked for again",
    ),
    Situation(
        "not-published",
        "the certificate is valid, and the Registrar does not accept it: it is not published",
        lambda facts: facts.published is False and facts.is_usable,
        (Action.CERTIFY,),
        "it was revoked or replaced, or its user was moved; the key is good, so it is kept",
    ),
    Situation(
        "committed-unproved",
        "a job was interrupted after the phone had taken its certificate",
        _begun(Begun.COMMITTED),
        (Action.FINISH,),
        "all is in place; only the proof is missing",
    ),
    Situation(
        "key-and-certificate-kept",
        "the phone has lost its key; the vault has it, and the ledger a certificate for it",
        lambda facts: facts.has_lost_its_key and facts.restorable and facts.takes_keys,
        (Action.RESTORE,),
        "both are put back; no server is asked",
    ),
    Situation(
        "key-in-vault",
        "the phone has lost its key, and the vault has it",
        lambda facts: facts.has_lost_its_key and facts.stored and facts.takes_keys,
        (Action.RETRIEVE,),
        "a key that was stored is used; it needs a new certificate",
    ),
    Situation(
        "key-mismatch",
        "the certificate in the phone is for another key than its own, or its key is lost",
        lambda facts: facts.held is Held.OTHER_KEY,
        (Action.NEW_KEY,),
        "nobody knows what became of the right key; a certificate without it is worth nothing",
    ),
    Situation(
        "expired",
        "the certificate has expired",
        lambda facts: facts.held is Held.EXPIRED,
        (Action.CERTIFY,),
        "the key is good, so it is kept",
    ),
    Situation(
        "unfit",
        "the certificate cannot be used",
        lambda facts: facts.held is Held.UNFIT,
        (Action.CERTIFY,),
        "the key is good, so it is kept",
    ),
    Situation(
        "key-without-job",
        "there is a key in the phone, and no certificate for it anywhere",
        lambda facts: facts.held is Held.NONE and (facts.has_key or facts.has_pending),
        (Action.CERTIFY,),
        "a key that was made is used",
    ),
    Situation(
        "empty",
        "the phone's slot is empty",
        lambda facts: facts.is_empty,
        (Action.NEW_KEY,),
        "it was never provisioned, or was erased",
    ),
    Situation(
        "settings-blocked",
        "the settings are not right, and a key waits that the certificate is not for",
        lambda facts: facts.settings is not Settings.RIGHT and facts.has_pending,
        (Action.CERTIFY,),
        "settings come into force with a certificate, and it must be for the key that waits",
    ),
    Situation(
        "settings-missing",
        "the certificate is good, and the phone does not know its user and servers",
        lambda facts: facts.settings is Settings.MISSING and _is_ready(facts),
        (Action.WRITE_SETTINGS,),
        "the same certificate is committed again with the settings; no server is asked",
    ),
    Situation(
        "settings-wrong",
        "the certificate is good, and the phone's user or servers are wrong",
        lambda facts: facts.settings is Settings.WRONG and _is_ready(facts),
        (Action.WRITE_SETTINGS,),
        "the same certificate is committed again with the settings; no server is asked",
    ),
    Situation(
        "renewal-wanted",
        "the certificate is good, and a new one is wanted",
        lambda facts: facts.wants_new and facts.is_usable,
        (Action.CERTIFY,),
        "as long as it is good it can prove the user itself",
    ),
    Situation(
        "due",
        "the certificate is in the last part of its life",
        lambda facts: facts.held is Held.DUE,
        (Action.CERTIFY,),
        "it still works, and can still prove the user itself",
        is_urgent=False,
    ),
    Situation(
        "unrecorded",
        "all is well, and the ledger does not know this certificate",
        lambda facts: facts.held is Held.GOOD and not facts.recorded,
        (Action.ADOPT,),
        "another computer provisioned the phone; from now on this ledger tells when it expires",
        is_urgent=False,
    ),
    Situation(
        "well",
        "all is well",
        lambda facts: facts.held is Held.GOOD and facts.recorded,
        (),
        "there is nothing to do",
    ),
)
