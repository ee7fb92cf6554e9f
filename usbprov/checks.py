"""Checks: what was looked at, what was seen, and what to do about it."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from usbprov.errors import ChecksFailed, UsbprovError


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
        detail: Further lines of what was seen: the certificates of a chain.
        error: The error of the tree that says what is wrong, where there is one.
        group: What it is about, where one command looks at several things: ``phone 1-1``.
    """

    name: str
    verdict: Verdict
    seen: str
    cause: str = ""
    remedy: str = ""
    ms: int = 0
    detail: tuple[str, ...] = ()
    error: UsbprovError | None = field(default=None, compare=False)
    group: str = ""

    @property
    def code(self) -> str:
        """The error's stable code, or ``""`` where nothing has one."""
        return self.error.code if self.error else ""


def timed(check: Callable[[], CheckResult]) -> CheckResult:
    """Make a check and note how long it took."""
    started = time.monotonic()
    result = check()
    return replace(result, ms=round((time.monotonic() - started) * 1000))


def failed(
    name: str,
    error: UsbprovError,
    *,
    cause: str = "",
    remedy: str = "",
    detail: tuple[str, ...] = (),
) -> CheckResult:
    """Return the result of a check that ended with an error of the tree.

    Args:
        name: The check's.
        error: Why it failed.
        cause: The likely cause, where more is known than the error's class says.
        remedy: What to do, likewise.
        detail: Further lines of what was seen.
    """
    return CheckResult(
        name,
        Verdict.BAD,
        str(error),
        cause or error.cause,
        remedy or error.remedy,
        detail=detail,
        error=error,
    )


def first_error(results: Iterable[CheckResult]) -> UsbprovError | None:
    """Return what the command fails with: the error of the first check that is bad.

    A bad check without an error of its own counts as ``ChecksFailed``.
    """
    results = tuple(results)
    bad = [result for result in results if result.verdict is Verdict.BAD]
    if not bad:
        return None
    return bad[0].error or ChecksFailed(len(bad), len(results))
