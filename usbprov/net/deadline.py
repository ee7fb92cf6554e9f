"""One time limit over a whole exchange, so that a server that drips bytes cannot prolong it.

A socket's own time-out begins anew with every byte. The limit is kept in a context variable,
which ``tls.VerifiedSocket`` asks before each read and write.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_ends: ContextVar[float | None] = ContextVar("usbprov_exchange_ends", default=None)


@dataclass(frozen=True)
class TimeLimits:
    """How long the Web Services may take, in seconds.

    Attributes:
        connect: For the TCP connection to one address, and again for the TLS handshake.
        answer: For one whole exchange, from its beginning to the last byte of the answer.
    """

    connect: float = 10.0
    answer: float = 60.0


DEFAULT_LIMITS = TimeLimits()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let everything that this thread does on a verified socket end within ``seconds``."""
    token = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


def time_left() -> float | None:
    """Return the seconds that are left, or None where no limit is set.

    Raises:
        TimeoutError: None is left.
    """
    ends = _ends.get()
    if ends is None:
        return None
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time limit of the exchange has passed")
    return left
