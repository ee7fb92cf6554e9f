"""What may be wrong with a chain, as a table: causes and remedies for people. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Trouble(Enum):
    """One kind of fault in a chain, as a particular verifier sees it."""

    MISSING = "missing"
    """The root is not among those that the verifier trusts."""
    INCOMPLETE = "incomplete"
    """An intermediate is neither sent by the server nor in the verifier's store."""
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    TOO_NEW = "too-new"
    """An algorithm or a size beyond the verifier's limits."""
    UNFIT = "unfit"
    """It may not stand where it stands: no CA, or not for servers (RFC 5280 4.2.1)."""
    WRONG_NAME = "wrong-name"
    WRONG_ORDER = "wrong-order"
    """The server sends its certificates in another order than RFC 5246 7.4.2 asks for."""


@dataclass(frozen=True)
class _Words:
    cause: str
    remedy: str


_TABLE: Mapping[Trouble, _Words] = {
    Trouble.MISSING: _Words(
        "The store of roots is older than the server's CA, or the CA is a private one.",
        "Install the root; `usbprov trust install` does it.",
    ),
    Trouble.INCOMPLETE: _Words(
        "The server does not send its intermediate, and phones fetch none by themselves.",
        "Have the server send its whole chain; until then `usbprov trust install` puts the "
        "intermediate into the phone.",
    ),
    Trouble.EXPIRED: _Words(
        "It has expired, or the clock that judges it is ahead.",
        "Set the clock if it is wrong; else have the certificate renewed.",
    ),
    Trouble.NOT_YET_VALID: _Words(
        "The clock that judges it is behind, as it is in a phone that was never on a network.",
        "Set the clock; `usbprov trust install` and `usbprov provision` do it.",
    ),
    Trouble.TOO_NEW: _Words(
        "The model or its firmware is older than the algorithm or size of this certificate.",
        "Update the firmware, or have the certificate issued within the phone's limits.",
    ),
    Trouble.UNFIT: _Words(
        "It was issued for another use.",
        "Have it reissued: a CA needs basicConstraints, a server the use serverAuth.",
    ),
    Trouble.WRONG_NAME: _Words(
        "The server is addressed by a name that is not in its certificate.",
        "Use a name of the certificate, or have it reissued with this one.",
    ),
    Trouble.WRONG_ORDER: _Words(
        "The server's certificate file is put together in a wrong order.",
        "Sort it: the server's own first, each followed by its issuer. Some phones insist on it.",
    ),
}

_TOLERABLE = frozenset({Trouble.WRONG_ORDER})


@dataclass(frozen=True)
class Finding:
    """One fault of one certificate.

    Attributes:
        trouble: What kind of fault.
        subject: Whom the certificate is for, RFC 4514.
        sha256: The certificate's SHA-256, lower-case hex; None where it is not at hand.
        detail: The fault in numbers or names.
    """

    trouble: Trouble
    subject: str
    sha256: str | None
    detail: str

    @property
    def cause(self) -> str:
        """The likely cause."""
        return _TABLE[self.trouble].cause

    @property
    def remedy(self) -> str:
        """What to do."""
        return _TABLE[self.trouble].remedy

    @property
    def blocks(self) -> bool:
        """Whether the chain cannot be trusted because of it."""
        return self.trouble not in _TOLERABLE

    def __str__(self) -> str:
        return f"{self.trouble.value}: {self.subject}: {self.detail}"
