"""What is known of a phone in trouble. None, or ``UNKNOWN``, where it is not known."""

from dataclasses import dataclass
from enum import StrEnum


class Held(StrEnum):
    """What the user certificate in the phone's slot is good for, by this computer's clock."""

    NONE = "none"
    """There is none."""
    GOOD = "good"
    DUE = "due"
    """It can be used, and is in the last part of its life."""
    EXPIRED = "expired"
    UNFIT = "unfit"
    """It cannot be used for another reason: not valid yet, a broken signature, unreadable."""
    OTHER_KEY = "other-key"
    """It is for another key than the one in the slot, or there is no key in use."""


class Begun(StrEnum):
    """How far the unfinished job of this phone has come that the ledger knows."""

    NOTHING = "nothing"
    """There is none, or it left nothing to go on with."""
    KEY_MADE = "key-made"
    """Its key waits in the phone for a certificate."""
    ISSUED = "issued"
    """Its certificate is in the ledger, and no installation was begun."""
    WRITING = "writing"
    """An installation was begun, and not committed."""
    COMMITTED = "committed"
    """The phone uses its certificate; that was not proved."""


class Owner(StrEnum):
    """Whose certificate is in the phone, compared with whose phone it is to be."""

    EXPECTED = "expected"
    """That user's; or there is none."""
    OTHER = "other"
    UNKNOWN = "unknown"
    """Nobody says whose phone it is to be."""


class Settings(StrEnum):
    """The phone's settings for the sign-in: user, Web Services, Registrar."""

    RIGHT = "right"
    """They are what is wanted, or complete where nobody says what is wanted."""
    MISSING = "missing"
    WRONG = "wrong"


class Reach(StrEnum):
    """Whether the Web Services can be asked."""

    REACHED = "reached"
    UNREACHED = "unreached"
    OFFLINE = "offline"
    """They were not to be asked."""
    UNNAMED = "unnamed"
    """Nobody says where they are: neither an option, nor the ledger, nor the phone."""


@dataclass(frozen=True)
class Facts:
    """What is known of one phone.

    Attributes:
        held: The certificate in its slot.
        has_key: Whether the slot has a key in use.
        has_pending: Whether a key waits in the slot for a certificate.
        clock_off: Whether its clock is wrong; None where it has none.
        trusts: Whether it accepts the servers with the roots that it has.
        settings: Its settings.
        owner: Whose it is.
        begun: The unfinished job.
        kept: Whether the ledger keeps a usable certificate for a key in the slot, other than the
            one in use.
        stored: Whether the vault has a pair of this user and phone.
        restorable: Whether the ledger keeps a usable certificate for that pair.
        recorded: Whether the ledger knows the certificate in use.
        published: Whether the Registrar accepts the certificate; None where it was not asked.
        reach: Whether the Web Services can be asked.
        has_secret: Whether something but the phone's certificate can prove the user.
        may_replace: Whether what is in the slot may be replaced by a new key.
        wants_new: Whether a new certificate is wanted, however long the present one is good.
        takes_keys: Whether it takes a key that it did not make itself.
        takes_clock: Whether its clock can be set.
        takes_roots: Whether it takes trusted roots.
        takes_settings: Whether it can be told its user and servers.
        signs: Whether it can sign with its key for a ticket or a sign-in.
    """

    held: Held = Held.NONE
    has_key: bool = False
    has_pending: bool = False
    clock_off: bool | None = None
    trusts: bool | None = None
    settings: Settings = Settings.MISSING
    owner: Owner = Owner.EXPECTED
    begun: Begun = Begun.NOTHING
    kept: bool = False
    stored: bool = False
    restorable: bool = False
    recorded: bool = False
    published: bool | None = None
    reach: Reach = Reach.OFFLINE
    has_secret: bool = False
    may_replace: bool = False
    wants_new: bool = False
    takes_keys: bool = True
    takes_clock: bool = True
    takes_roots: bool = True
    takes_settings: bool = True
    signs: bool = True

    @property
    def is_usable(self) -> bool:
        """Whether the certificate in the slot can be used for a sign-in now."""
        return self.held in {Held.GOOD, Held.DUE}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in the slot that could be lost."""
        return self.held is Held.NONE and not self.has_key and not self.has_pending

    @property
    def has_lost_its_key(self) -> bool:
        """Whether the slot has no key that its certificate is for, and none that waits."""
        return self.is_empty or (self.held is Held.OTHER_KEY and not self.has_pending)

    @property
    def proves_itself(self) -> bool:
        """Whether the phone's certificate can prove the user to the Web Services."""
        is_known = self.published is not False and self.owner is not Owner.OTHER
        return self.is_usable and self.signs and is_known
