"""Who may still get a phone, and which phone may still get a user: pure rules over what was done.

Never a second phone for one user unless told (``--again``); never a phone that is provisioned
already unless told (``--replace``).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from usbprov.bench.assignment import Refuse
from usbprov.bench.roster import Roster, RosterEntry


@dataclass(frozen=True)
class Rules:
    """What was told.

    Attributes:
        again: Users may get a further phone.
        replace: What is in a phone may be replaced.
    """

    again: bool = False
    replace: bool = False


@dataclass(frozen=True)
class Past:
    """What the ledger says was done, on all benches.

    Attributes:
        served: How many phones a user got, by ``RosterEntry.key``.
        taken: Keys of users for whom a phone is being provisioned now.
    """

    served: Mapping[str, int] = field(default_factory=dict)
    taken: Collection[str] = ()


@dataclass(frozen=True)
class Already:
    """The phone is done: it was provisioned before, for this user (``RosterEntry.key``)."""

    user: str


def free_users(roster: Roster, past: Past, rules: Rules) -> list[RosterEntry]:
    """Return who may get a phone now, in the order of service.

    That is the roster's order; with ``again`` those who have fewer phones come first.
    """
    free = [entry for entry in roster.entries if is_free(entry, past, rules)]
    if not rules.again:
        return free
    return sorted(free, key=lambda entry: past.served.get(entry.key, 0))


def is_free(entry: RosterEntry, past: Past, rules: Rules) -> bool:
    """Say whether a user may get a phone now."""
    key = entry.key
    return key not in past.taken and (rules.again or not past.served.get(key))


def admit(whose: str | None, holds: str | None, rules: Rules) -> Refuse | Already | None:
    """Say whether a phone may get a user; None: it may.

    Args:
        whose: The user who got it (``RosterEntry.key``), or None.
        holds: Whose certificate it has, as it says itself: a SIP URI; "" if it has one and does
            not say whose; None if it has none.
        rules: What was told.
    """
    if rules.replace:
        return None
    if whose is not None:
        return Already(whose)
    if holds is None:
        return None
    of = f" for {holds}" if holds else ""
    return Refuse(f"the phone is provisioned already{of}", _KEEP)


_KEEP = "Put it aside, or run with --replace if what is in it is to be replaced."
