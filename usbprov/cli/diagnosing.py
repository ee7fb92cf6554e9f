"""Diagnoses for the commands: made where a failure is known best, shown where it is told."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from usbprov.engine.diagnosis.model import NOWHERE, Case, Cause, Context, Diagnosis
from usbprov.errors import UsbprovError

if TYPE_CHECKING:
    from usbprov.engine.diagnosis.probes.contract import Scene
    from usbprov.engine.job import Job
    from usbprov.engine.result import Result

PAGE = "docs/diagnosis.md"

_MADE: WeakKeyDictionary[UsbprovError, Diagnosis] = WeakKeyDictionary()
"""Diagnoses of errors that are still to be told, with all that was known where they arose."""

_MOST_OTHERS = 2


def examine(error: UsbprovError, context: Context, scene: "Scene | None" = None) -> Diagnosis:
    """Diagnose an error with all that is known, and keep that for when the error is told.

    Args:
        error: What stopped the command.
        context: Where it arose.
        scene: The servers, if they may be looked at to tell causes apart.
    """
    from dataclasses import replace

    from usbprov.engine.diagnosis.probes import look_into
    from usbprov.engine.diagnosis.ranking import diagnose

    if scene is not None:
        case = Case(error.code, str(error), error.facts())
        context = replace(context, evidence=(*context.evidence, *look_into(case, scene)))
    _MADE[error] = diagnose(error, context)
    return _MADE[error]


def diagnosis_of(error: UsbprovError) -> Diagnosis:
    """Return what was made out about an error, or what can be said of it alone."""
    from usbprov.engine.diagnosis.ranking import diagnose

    return _MADE.get(error) or diagnose(error, NOWHERE)


def context_of(job: "Job", result: "Result") -> Context:
    """Return what is known where a job stopped: the step, the way to the ticket, the phone."""
    info = job.info
    return Context(
        step=result.steps[-1].name if result.steps else "",
        ways=frozenset(way.value for way in job.order.credential.ways),
        phone=f"{info.vendor} {info.model} {info.firmware}" if info else "",
    )


def lines(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    """Yield names and words, as they are told below what happened; the likeliest cause first."""
    first = diagnosis.first
    yield ("most likely:" if len(diagnosis.causes) > 1 else "likely cause:"), first.says
    yield "what to do:", first.remedy
    yield from further_lines(diagnosis)


def further_lines(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    """Yield names and words of what is told below the likeliest cause and its remedy."""
    first, *others = diagnosis.causes
    yield "how to tell:", first.tell
    for evidence in diagnosis.evidence:
        yield "found out:", evidence.seen
    for cause in others[:_MOST_OTHERS]:
        yield "or else:", cause.says
    yield "more:", more(diagnosis)


def more(diagnosis: Diagnosis) -> str:
    """Say where there is more to read about an error."""
    code = diagnosis.case.code
    if diagnosis.symptom is None:
        from usbprov.engine.diagnosis.ranking import error_classes

        kind = error_classes().get(code)
        return f"docs/errors.md#{code.lower()}-{kind.__name__.lower() if kind else ''}"
    return f"usbprov explain {code}; {PAGE}#{code.lower()}"


def document(diagnosis: Diagnosis) -> list[dict[str, Any]]:
    """Describe the likely causes for ``--json``, in order."""
    return [cause_document(cause) for cause in diagnosis.causes]


def cause_document(cause: Cause) -> dict[str, Any]:
    """Describe one cause."""
    return {
        "id": cause.id,
        "cause": cause.says,
        "tell_apart": cause.tell,
        "remedy": cause.remedy,
    }


def evidence_document(diagnosis: Diagnosis) -> list[dict[str, str]]:
    """Describe what probes have seen."""
    return [{"probe": seen.probe, "seen": seen.seen} for seen in diagnosis.evidence]
