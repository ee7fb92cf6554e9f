"""``usbprov explain``: what a code, a number or a message means, and what to do about it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from usbprov.cli import diagnosing, documents
from usbprov.cli.options import json_option
from usbprov.cli.settings import current
from usbprov.cli.text import paragraph
from usbprov.errors import UsageError

if TYPE_CHECKING:
    from usbprov.engine.diagnosis.model import Cause, Diagnosis, Symptom


@click.command()
@click.argument("words", nargs=-1, metavar="[CODE|NUMBER|WORDS…]")
@click.option("--job", metavar="N", help="Explain what stopped this job of the ledger.")
@json_option
def explain(words: tuple[str, ...], job: str | None, as_json: bool) -> None:
    """Say what an error means: its likely causes, how to tell them apart, what to do.

    CODE is that of an error (WEB-09), NUMBER what a server says in its diagnostics (28020, 1000).
    WORDS are those of a TLS library ("certificate has expired") or of a phone's display.

    \b
    Examples:
      usbprov explain WEB-09
      usbprov explain 28020
      usbprov explain unable to get local issuer certificate
      usbprov explain Unable to locate Lync Certificate Web service
      usbprov explain --job 12
    """
    if bool(words) == (job is not None):
        raise UsageError("give either a code, a number or words, or --job N")
    if job is not None:
        _show_job(_diagnosis_of_job(job), as_json=as_json)
        return
    from usbprov.engine.diagnosis.lookup import look_up

    rows = look_up(" ".join(words))
    if as_json:
        documents.show([_document(row) for row in rows])
        return
    click.echo("\n\n".join(_text(row.code, row.says, row.causes) for row in rows))


def _diagnosis_of_job(number: str) -> "Diagnosis":
    """Diagnose what stopped a job, from what the ledger has of it; no server is asked."""
    from usbprov.engine.diagnosis.model import Case, Context
    from usbprov.engine.diagnosis.ranking import diagnose_case
    from usbprov.ledger.records import StepState

    with current().ledger() as ledger:
        record = ledger.job(number)
        steps, facts = ledger.steps(record.id), ledger.facts(record.id)
    if record.error_code is None:
        raise UsageError(f"job {number} was not stopped by an error: it is {record.state}")
    failed = [step.name for step in steps if step.state is StepState.FAILED]
    context = Context(step=failed[-1] if failed else "", phone=record.phone_model)
    return diagnose_case(Case(record.error_code, record.error or "", facts), context)


def _show_job(diagnosis: "Diagnosis", *, as_json: bool) -> None:
    case = diagnosis.case
    if as_json:
        causes = diagnosing.document(diagnosis)
        documents.show({"code": case.code, "message": case.words, "diagnosis": causes})
        return
    click.echo(_text(case.code, case.words, diagnosis.causes))


def _document(row: "Symptom") -> documents.Document:
    return {
        "symptom": row.id,
        "code": row.code or None,
        "says": row.says,
        "numbers": sorted(row.numbers),
        "diagnosis": [diagnosing.cause_document(cause) for cause in row.causes],
    }


def _text(code: str, says: str, causes: "Sequence[Cause]") -> str:
    head = click.style(f"{code}: {says}" if code else says, bold=True)
    numbered = (_cause(number, cause) for number, cause in enumerate(causes, 1))
    return "\n".join([head, *numbered])


def _cause(number: int, cause: "Cause") -> str:
    shown = [
        paragraph(f"  {number}. {'most likely' if number == 1 else 'or else':<12} ", cause.says),
        paragraph("     how to tell  ", cause.tell) if cause.tell else "",
        paragraph("     what to do   ", cause.remedy),
    ]
    return "\n".join(line for line in shown if line)
