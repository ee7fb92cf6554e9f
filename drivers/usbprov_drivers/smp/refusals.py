"""What a phone's error code means to usbprov: a table from codes to the tree of errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from usbprov.errors import (
    CredentialMismatch,
    KeyGenerationFailed,
    PhoneError,
    PhoneRefused,
    SlotOccupied,
    TransferCorrupt,
    Unsupported,
)
from usbprov_drivers.smp.messages import Rc
from usbprov_drivers.smp.session import Refusal

REASONS: Mapping[int, str] = {
    Rc.UNKNOWN: "a fault inside the phone",
    Rc.INVALID: "it does not accept the command's values",
    Rc.NO_SUCH_SLOT: "it has no such slot",
    Rc.EMPTY: "the slot holds no such key or object",
    Rc.BUSY: "it is making a key; repeat when that is done",
    Rc.NO_SUCH_JOB: "it restarted meanwhile",
    Rc.TOO_LARGE: "it has no room for it",
    Rc.UNREADABLE: "it cannot read the object",
    Rc.KEY_MISMATCH: "the certificate is for another key",
    Rc.NOT_VALID_NOW: "the certificate is not valid by the phone's clock",
    Rc.BLOCK_REFUSED: "it does not sign such a block",
    Rc.NOT_CONFIRMED: "the confirmation is for another phone or slot",
    Rc.STORAGE: "its storage failed",
    Rc.KEYGEN_FAILED: "its key generation failed",
    Rc.NOT_STAGED: "it has not received the object whole",
}
"""The codes in words, as they follow "refused …: " in an error."""


@dataclass(frozen=True)
class Attempt:
    """What was being done when the phone refused.

    Attributes:
        phone: The phone's name in errors.
        what: The object or feature, in words: ``the certificate``, ``making a key``.
        slot: The slot concerned.
        holds: What the slot holds, for ``SlotOccupied``.
        commits: Whether a certificate is being put in use.
    """

    phone: str
    what: str
    slot: int = 0
    holds: str = "a key or certificate"
    commits: bool = False


def reason(rc: int) -> str:
    """Say an error code in words."""
    return REASONS.get(rc, f"error {rc}")


def _mismatch(attempt: Attempt, refusal: Refusal) -> PhoneError:
    return CredentialMismatch(attempt.phone, attempt.slot, reason(refusal.rc))


_ERRORS: Mapping[int, Callable[[Attempt, Refusal], PhoneError]] = {
    Rc.OCCUPIED: lambda a, _: SlotOccupied(a.phone, a.slot, a.holds),
    Rc.UNSUPPORTED: lambda a, _: Unsupported(a.phone, a.what),
    Rc.HASH_MISMATCH: lambda a, _: TransferCorrupt(a.phone, a.what),
    Rc.KEYGEN_FAILED: lambda a, r: KeyGenerationFailed(a.phone, reason(r.rc)),
    Rc.KEY_MISMATCH: _mismatch,
    Rc.NOT_VALID_NOW: _mismatch,
}

_COMMIT_ERRORS: Mapping[int, Callable[[Attempt, Refusal], PhoneError]] = {
    Rc.EMPTY: _mismatch,
    Rc.UNREADABLE: _mismatch,
}


def error_of(attempt: Attempt, refusal: Refusal) -> PhoneError:
    """Return the error of the tree that says what the phone's code means for ``attempt``."""
    special = _COMMIT_ERRORS if attempt.commits else {}
    make = special.get(refusal.rc) or _ERRORS.get(refusal.rc)
    if make is not None:
        return make(attempt, refusal)
    words = REASONS.get(refusal.rc, refusal.reason)
    return PhoneRefused(attempt.phone, refusal.command, words)
