"""Checks: what was looked at, what was seen, and what to do about it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum


class Verdict(StrEnum):
    """What a check came to."""

    GOOD = "good"
    NOTE = "note"
    """Nothing is wrong, but it is worth knowing."""
    BAD = "bad"
    UNKNOWN = "unknown"
    """It could not be looked at; ``seen`` says why."""


@dataclass(frozen=True)
class CheckResult:
    """One check.

    Attributes:
        name: What was looked at: ``udev rules``.
        verdict: What it came to.
        seen: What was seen, in words.
        cause: The likely cause, when something is wrong.
        remedy: What to do about it: an exact command where there is one.
        ms: How long it took, in milliseconds.
    """

    name: str
    verdict: Verdict
    seen: str
    cause: str = ""
    remedy: str = ""
    ms: int = 0


def timed(check: Callable[[], CheckResult]) -> CheckResult:
    """Make a check and note how long it took."""
    started = time.monotonic()
    result = check()
    return replace(result, ms=round((time.monotonic() - started) * 1000))
