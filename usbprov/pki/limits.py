"""What a verifier can compute: the algorithms and sizes in a chain that it takes. Data only."""

from dataclasses import dataclass
from enum import Enum


class SignatureKind(Enum):
    """The kinds of certificate signature that phones differ in; all others no phone takes."""

    RSA_SHA1 = "rsa-sha1"
    RSA_SHA2 = "rsa-sha2"
    RSA_PSS = "rsa-pss"
    ECDSA = "ecdsa"
    """ECDSA with SHA-2 or SHA-1; it stands for elliptic-curve keys, too."""


@dataclass(frozen=True)
class ChainLimits:
    """What a phone can verify in a server's chain. The default has no limits.

    Attributes:
        signatures: The kinds of signature that it takes.
        rsa_bits: The longest RSA modulus that it takes, in bits; None for any.
    """

    signatures: frozenset[SignatureKind] = frozenset(SignatureKind)
    rsa_bits: int | None = None


NO_LIMITS = ChainLimits()
