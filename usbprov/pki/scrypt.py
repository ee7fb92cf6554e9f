"""scrypt (RFC 7914): from a passphrase to a key, what one try costs, and what is refused."""

import hashlib
from dataclasses import dataclass

MOST_MEMORY = 1 << 30
"""Bytes. A file that asks for more is not opened: it may be made to exhaust a computer."""

_MOST_PARALLEL = 16
_LEAST_N = 1 << 10


@dataclass(frozen=True)
class Cost:
    """Parameters of scrypt (RFC 7914 section 2).

    Attributes:
        n: Cost of memory and time, a power of two.
        r: Block size.
        p: Parallelisation.
    """

    n: int
    r: int
    p: int

    @property
    def memory(self) -> int:
        """Bytes that one try needs at least: 128 · n · r, and 128 · r · p."""
        return 128 * self.r * (self.n + self.p + 2)

    @property
    def is_bearable(self) -> bool:
        """Say whether it is a cost that is taken: neither absurd nor a bomb."""
        power = self.n >= _LEAST_N and self.n & (self.n - 1) == 0
        return (
            power
            and self.r >= 1
            and 1 <= self.p <= _MOST_PARALLEL
            and self.memory * self.p <= MOST_MEMORY
        )

    def __str__(self) -> str:
        return f"N={self.n} r={self.r} p={self.p}"


DEFAULT_COST = Cost(1 << 14, 8, 8)
"""16 MiB a try, gone through eight times: the work of N = 2^17 with p = 1. It is not more memory at
a time since the ``openssl`` command opens no key that needs more than 32 MiB, and a stored key must
be had without this program, too. ``docs/vault.md`` has what a try costs, as measured."""


def derive(passphrase: bytes, salt: bytes, cost: Cost, size: int) -> bytes:
    """Derive so many bytes; it takes the time and memory that ``cost`` says, without the GIL."""
    most = cost.memory * cost.p + (1 << 20)
    return hashlib.scrypt(
        passphrase, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=most, dklen=size
    )
