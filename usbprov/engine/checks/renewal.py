"""How long a user certificate is good for, and when it is to be renewed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509

from usbprov.checks import Verdict
from usbprov.engine.checks.sequence import Seen
from usbprov.engine.fitness import LEAST_LEFT
from usbprov.engine.times import local

DUE_PART = 6
"""A renewal is due in the last sixth of a certificate's life: 30 days of 180. That is a choice:
when real phones renew is not publicly known."""


@dataclass(frozen=True)
class Renewal:
    """What is to be done about a certificate, and from when on.

    Attributes:
        from_when: Since when, or from when on, it is due.
        words: How far it has come.
        is_due: Whether that is so now.
    """

    from_when: datetime
    words: str
    is_due: bool


def renewal_of(certificate: x509.Certificate, now: datetime) -> Renewal:
    """Say when a certificate is to be renewed."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    when = end - max((end - begin) / DUE_PART, LEAST_LEFT)
    left = end - now
    life = span(end - begin)
    words = f"{span(left)} left of {life}" if left > timedelta() else f"nothing left of {life}"
    return Renewal(when, words, now >= when)


_UNITS = (
    (timedelta(days=2), timedelta(days=1), "days"),
    (timedelta(hours=2), timedelta(hours=1), "h"),
)
"""From how much on a unit is used, its size, its name."""


def span(length: timedelta) -> str:
    """Write a span of time in the largest unit that fits: ``179 days``, ``5 h``, ``12 min``."""
    for least, size, name in _UNITS:
        if length >= least:
            return f"{length // size} {name}"
    return f"{length // timedelta(minutes=1)} min"


def renewal_seen(certificate: x509.Certificate, remedy: str) -> Seen:
    """Return what a step about the renewal saw.

    Args:
        certificate: The user's.
        remedy: How it is renewed.
    """
    due = renewal_of(certificate, datetime.now(UTC))
    if not due.is_due:
        return Seen(f"{due.words}; a renewal is due from {local(due.from_when)} on")
    return Seen(
        f"{due.words}; a renewal is due",
        verdict=Verdict.NOTE,
        cause="It is in the last part of its life, or was issued for a short time.",
        remedy=remedy,
    )
