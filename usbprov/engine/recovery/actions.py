"""What can be done about a phone in trouble: what each action needs, and what it makes true."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from usbprov.engine.recovery.facts import Begun, Facts, Held, Owner, Reach, Settings


class Action(StrEnum):
    """What can be done."""

    SET_CLOCK = "set-clock"
    ADD_ROOTS = "add-roots"
    FINISH = "finish-job"
    """The unfinished job of the ledger is gone on with."""
    REINSTALL = "reinstall"
    """A certificate that the ledger keeps is installed; no server is asked for one."""
    CERTIFY = "certify"
    """The key in the phone gets a new certificate."""
    NEW_KEY = "new-key"
    RESTORE = "restore"
    """The vault's pair is given to the phone, with the certificate that the ledger keeps for it."""
    RETRIEVE = "retrieve-key"
    """The vault's pair is given to the phone, and gets a new certificate."""
    WRITE_SETTINGS = "write-settings"
    """The certificate in use is committed again, with the right settings."""
    ADOPT = "adopt"
    """The certificate in use is proved, and written into the ledger."""


class Need(StrEnum):
    """What an action cannot do without, and is not there."""

    CONSENT = "consent"
    SERVER = "server"
    ADDRESS = "address"
    CREDENTIAL = "credential"
    CAPABILITY = "capability"


@dataclass(frozen=True)
class Deed:
    """What an action is.

    Attributes:
        words: What is done, for people.
        missing: Says what it lacks, or None.
        effect: The facts when it is done.
    """

    words: str
    missing: Callable[[Facts], Need | None]
    effect: Callable[[Facts], Facts]


def _nothing(_facts: Facts) -> None:
    return None


def _server(facts: Facts) -> Need | None:
    if facts.reach is Reach.UNNAMED:
        return Need.ADDRESS
    return None if facts.reach is Reach.REACHED else Need.SERVER


def _clock(facts: Facts) -> Need | None:
    return None if facts.takes_clock else Need.CAPABILITY


def _roots(facts: Facts) -> Need | None:
    return _server(facts) if facts.takes_roots else Need.CAPABILITY


def _settable(facts: Facts) -> Need | None:
    """What is installed goes with settings, and they name the Web Services."""
    if not facts.takes_settings:
        return Need.CAPABILITY
    return Need.ADDRESS if facts.reach is Reach.UNNAMED else None


def _certificate(facts: Facts) -> Need | None:
    """What the Web Services must be asked for needs them, and a proof of the user."""
    lacking = _settable(facts) or _server(facts)
    if lacking:
        return lacking
    return None if facts.has_secret or facts.proves_itself else Need.CREDENTIAL


def _room(facts: Facts) -> Need | None:
    """What is in the slot is given up only if that was said."""
    return None if facts.is_empty or facts.may_replace else Need.CONSENT


def _new_key(facts: Facts) -> Need | None:
    return _room(facts) or _certificate(facts)


def _restored(facts: Facts) -> Need | None:
    return _room(facts) or _settable(facts)


def _job(facts: Facts) -> Need | None:
    return _certificate(facts) if facts.begun is Begun.KEY_MADE else None


def _credential_in_force(facts: Facts) -> Facts:
    """Return the facts after a COMMIT: certificate, key and settings are in use together."""
    return replace(
        facts,
        held=Held.GOOD,
        has_key=True,
        has_pending=False,
        settings=Settings.RIGHT,
        owner=Owner.EXPECTED,
        begun=Begun.NOTHING,
        kept=False,
        recorded=True,
        published=None,
        wants_new=False,
    )


DEEDS: Mapping[Action, Deed] = {
    Action.SET_CLOCK: Deed(
        "set the phone's clock", _clock, lambda facts: replace(facts, clock_off=False)
    ),
    Action.ADD_ROOTS: Deed(
        "give the phone the roots that it lacks for its servers",
        _roots,
        lambda facts: replace(facts, trusts=True),
    ),
    Action.FINISH: Deed("go on with the unfinished job", _job, _credential_in_force),
    Action.REINSTALL: Deed(
        "install the certificate that the ledger keeps; no server is asked for one",
        _settable,
        _credential_in_force,
    ),
    Action.CERTIFY: Deed(
        "have the phone's key certified and published anew", _certificate, _credential_in_force
    ),
    Action.NEW_KEY: Deed(
        "make a new key, and have it certified and published", _new_key, _credential_in_force
    ),
    Action.RESTORE: Deed(
        "give the phone its key back out of the vault, and the certificate of the ledger",
        _restored,
        _credential_in_force,
    ),
    Action.RETRIEVE: Deed(
        "give the phone its key back out of the vault, and have it certified and published",
        _new_key,
        _credential_in_force,
    ),
    Action.WRITE_SETTINGS: Deed(
        "write user, Web Services and Registrar, with the same certificate",
        _settable,
        lambda facts: replace(facts, settings=Settings.RIGHT, recorded=True),
    ),
    Action.ADOPT: Deed(
        "prove the certificate in use, and write it into the ledger",
        _nothing,
        lambda facts: replace(facts, recorded=True),
    ),
}
"""What each action needs and does. ``walk`` believes the effects; the runner brings them about."""
