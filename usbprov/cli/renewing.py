"""``usbprov renew --all``: every phone attached, one after the other, with a line each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import click

from usbprov.cli import documents
from usbprov.cli.documents import Document
from usbprov.cli.failure import ToldError
from usbprov.cli.progress import SIGNS
from usbprov.cli.recoveries import Case
from usbprov.cli.recovering import Recoverer
from usbprov.cli.text import local
from usbprov.engine.events import Mark
from usbprov.engine.recovery.facts import Begun, Held
from usbprov.errors import SomeNotRenewed, UsbprovError
from usbprov.phone.candidates import Candidate
from usbprov.phone.holding import hold

_QUIET_HELD = frozenset({Held.GOOD, Held.NONE})
"""What is no matter for a renewal: a certificate that is good for long, or none."""


@dataclass(frozen=True)
class Row:
    """What came of one phone.

    Attributes:
        candidate: The phone.
        case: What was seen and done, or None where it could not be read.
        error: What stopped it.
        is_due: Whether there was anything to be done.
    """

    candidate: Candidate
    case: Case | None = None
    error: UsbprovError | None = None
    is_due: bool = True

    @property
    def mark(self) -> Mark:
        """How it ended."""
        if self.error is not None:
            return Mark.FAILED
        return Mark.DONE if self.is_due else Mark.SKIPPED

    def document(self, *, planned: bool) -> Document:
        """Describe it for ``--json``."""
        if self.case is None:
            told: Document = {"phone": documents.phone(self.candidate.facts, None)}
            error = documents.error(self.error) if self.error else None
            return {"outcome": "failed", **told, "error": error}
        document = self.case.document(planned=planned and self.is_due)
        return document if self.is_due else document | {"outcome": "not-due"}

    def words(self) -> str:
        """Say what came of it, in a line."""
        if self.error is not None:
            return f"error {self.error.code}: {self.error}"
        result = self.case.result if self.case else None
        if result is not None and result.certificate is not None:
            return f"{result.user}, renewed until {local(result.certificate.not_after)}"
        seen = dict(self.case.sight.lines) if self.case else {}
        certificate = seen.get("certificate", "")
        return f"{certificate}; to be renewed" if self.is_due else f"not due: {certificate}"


def renew_all(found: Sequence[Candidate], recoverer: Recoverer) -> None:
    """Renew the phones whose certificate is due.

    They are taken one after the other: a renewal keeps its phone busy for seconds only.

    Raises:
        ToldError: Some were not renewed, and that stands in the JSON document.
        SomeNotRenewed: Some were not renewed.
    """
    phones = [c for c in found if c.driver is not None and not c.driver.detects_only]
    manner = recoverer.manner
    each = replace(recoverer, manner=replace(manner, quiet=True), silent=True)
    rows = []
    for candidate in phones:
        rows.append(row := _row(candidate, each))
        if not (manner.as_json or (manner.quiet and row.error is None)):
            click.echo(f"{SIGNS[row.mark]} {candidate.facts.name}  {row.words()}")
    due = [row for row in rows if row.is_due]
    failed = [row for row in due if row.error]
    error = SomeNotRenewed(len(failed), len(due)) if failed else None
    if manner.as_json:
        documents.show(_document(rows, error, planned=manner.dry_run))
    elif not manner.quiet:
        click.echo(f"\n{len(phones)} phones attached, {len(due)} due, {len(failed)} failed")
    if error is not None:
        raise ToldError(error) if manner.as_json else error


def _row(candidate: Candidate, recoverer: Recoverer) -> Row:
    try:
        case = _looked_at(candidate, recoverer)
        if not _is_due(case):
            return Row(candidate, case, is_due=False)
        case = recoverer.attend(candidate)
    except UsbprovError as error:
        return Row(candidate, error=error)
    return Row(candidate, case, case.error)


def _looked_at(candidate: Candidate, recoverer: Recoverer) -> Case:
    """Look at phone and ledger only: whoever is not due needs no server."""
    looker = replace(recoverer, aim=replace(recoverer.aim, renews=False))
    with hold(candidate) as held:
        return looker.look(held, None)


def _is_due(case: Case) -> bool:
    facts = case.sight.facts
    return facts.held not in _QUIET_HELD or facts.begun is not Begun.NOTHING


def _document(rows: Sequence[Row], error: UsbprovError | None, *, planned: bool) -> Document:
    document: Document = {
        "outcome": "failed" if error else "planned" if planned else "renewed",
        "phones": [row.document(planned=planned) for row in rows],
    }
    return documents.with_error(document, error)
