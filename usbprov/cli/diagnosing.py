"""How diagnoses are shown: as lines below an error, and as JSON."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from usbprov.engine.diagnosis.model import Cause, Context, Diagnosis

if TYPE_CHECKING:
    from usbprov.engine.events import StepRetry
    from usbprov.engine.job import Job
    from usbprov.engine.result import Result

PAGE = "docs/diagnosis.md"

_MOST_OTHERS = 2


def context_of(job: "Job", result: "Result") -> Context:
    """Return what is known where a job stopped: the step, the way to the ticket, the phone."""
    info = job.info
    return Context(
        step=result.steps[-1].name if result.steps else "",
        ways=frozenset(way.value for way in job.order.credential.ways),
        phone=f"{info.vendor} {info.model} {info.firmware}" if info else "",
    )


def passed_diagnosis(trouble: "StepRetry") -> Diagnosis:
    """Diagnose what went wrong in a step, and well when it was tried again."""
    from usbprov.engine.diagnosis.ranking import diagnose

    return diagnose(trouble.retry.error, Context(trouble.step))


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
