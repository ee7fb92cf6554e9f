"""A check as a list of steps: each says what it saw, or what stops it, and the rest goes on.

A step names the facts that it cannot do without. Where an earlier step has not found one of them,
the step is not done, and says which fact it lacks; so one failure is told once, as what it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from usbprov.checks import CheckResult, Verdict, failed, timed
from usbprov.engine.diagnosis.examining import examine
from usbprov.engine.diagnosis.model import Context, Diagnosis
from usbprov.errors import TrustError, UsbprovError

C = TypeVar("C")
Told = Callable[[CheckResult], None]


@dataclass(frozen=True)
class Seen:
    """What a step saw.

    Attributes:
        words: In a line.
        detail: Further lines.
        verdict: What it comes to.
        cause: The likely cause, where not all is well.
        remedy: What to do, likewise.
    """

    words: str
    detail: tuple[str, ...] = ()
    verdict: Verdict = Verdict.GOOD
    cause: str = ""
    remedy: str = ""


class StepFailed(Exception):
    """Carries the error that ends a step, and what the step knows beyond the error's class."""

    def __init__(
        self, error: UsbprovError, *, cause: str = "", remedy: str = "", detail: Sequence[str] = ()
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.cause = cause
        self.remedy = remedy
        self.detail = tuple(detail)


@dataclass(frozen=True)
class CheckStep(Generic[C]):
    """One step.

    Attributes:
        name: Its stable name (docs/checks.md).
        look: Looks, notes in the context what later steps need, and says what it saw. Raises
            ``StepFailed`` or an error of the tree.
        needs: The context's attributes that must not be None.
    """

    name: str
    look: Callable[[C], Seen]
    needs: tuple[str, ...] = ()


Examined = Callable[[str, UsbprovError], Diagnosis]
"""Diagnoses the error that ended a step, given the step's name."""


def _examined(step: str, error: UsbprovError) -> Diagnosis:
    return examine(error, Context(step))


def run_steps(
    steps: Sequence[CheckStep[C]],
    context: C,
    facts: Mapping[str, str],
    told: Told,
    examined: Examined = _examined,
) -> tuple[CheckResult, ...]:
    """Take the steps in their order.

    Args:
        steps: What is looked at.
        context: What they share.
        facts: What each attribute that a step may need is called, for a step that is not done.
        told: Is called with each result as it comes.
        examined: Diagnoses what has ended a step; by default without looking at any server.
    """
    results = []
    for step in steps:
        result = _take(step, context, facts, examined)
        told(result)
        results.append(result)
    return tuple(results)


def _take(
    step: CheckStep[C], context: C, facts: Mapping[str, str], examined: Examined
) -> CheckResult:
    missing = next((fact for fact in step.needs if getattr(context, fact) is None), None)
    if missing is not None:
        return not_done(step.name, f"there is no {facts[missing]}")
    result = timed(lambda: _result(step, context))
    return result if result.error is None else _diagnosed(result, result.error, examined)


def _result(step: CheckStep[C], context: C) -> CheckResult:
    try:
        seen = step.look(context)
    except StepFailed as stopped:
        known = {"cause": stopped.cause, "remedy": stopped.remedy}
        return failed(step.name, stopped.error, detail=stopped.detail, **known)
    except TrustError as error:
        return failed(step.name, error, detail=error.presented)
    except UsbprovError as error:
        return failed(step.name, error)
    return result_of(step.name, seen)


def _diagnosed(result: CheckResult, error: UsbprovError, examined: Examined) -> CheckResult:
    """Tell the likeliest cause, unless the step itself knew better than the error's class."""
    first = examined(result.name, error).first
    cause = first.says if result.cause == error.cause else result.cause
    remedy = first.remedy if result.remedy == error.remedy else result.remedy
    return replace(result, cause=cause, remedy=remedy)


def result_of(name: str, seen: Seen) -> CheckResult:
    """Return what a step saw as its result."""
    return CheckResult(name, seen.verdict, seen.words, seen.cause, seen.remedy, detail=seen.detail)


def not_done(name: str, why: str) -> CheckResult:
    """Return the result of a step that could not be taken."""
    return CheckResult(name, Verdict.UNKNOWN, f"not done: {why}")
