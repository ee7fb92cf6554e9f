"""How a recovery is shown: what was seen, what it means, what is done, and what is lacking."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from usbprov.cli import documents
from usbprov.cli.documents import Document
from usbprov.cli.text import pairs
from usbprov.engine.recovery.actions import DEEDS
from usbprov.engine.recovery.repair import error_of
from usbprov.engine.recovery.sight import Sight
from usbprov.engine.recovery.walk import Finding, Recovery
from usbprov.engine.result import Result
from usbprov.errors import UsbprovError
from usbprov.usb.devices import DeviceFacts


@dataclass(frozen=True)
class Case:
    """A phone in trouble.

    Attributes:
        facts: Where it is attached.
        sight: What was seen of it.
        recovery: What is to be done.
        result: What the job came to, where there was one.
        error: What stopped it, or what is left undone.
    """

    facts: DeviceFacts
    sight: Sight
    recovery: Recovery
    result: Result | None = None
    error: UsbprovError | None = None

    @property
    def outcome(self) -> str:
        """What it came to, in a word."""
        if self.error is not None:
            return "failed"
        return self.result.outcome if self.result else "well"

    def document(self, *, planned: bool = False) -> Document:
        """Describe it for ``--json``."""
        document: Document = {
            "outcome": "planned" if planned else self.outcome,
            "phone": documents.phone(self.facts, self.sight.info),
            "seen": [{"name": name, "words": words} for name, words in self.sight.lines],
            "state": {name: _plain(value) for name, value in vars(self.sight.facts).items()},
            "situations": [_situation(finding) for finding in self.recovery.findings],
            "job": documents.result(self.result) if self.result else None,
        }
        return documents.with_error(document, self.error)


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool) else str(value)


def _situation(finding: Finding) -> Document:
    row = finding.situation
    return {
        "name": row.name,
        "condition": row.condition,
        "actions": [action.value for action in row.actions],
        "why": row.why,
        "needs": finding.needs.value if finding.needs else None,
    }


def show_case(case: Case) -> None:
    """Show what was seen, and the plan."""
    info = case.sight.info
    head = f"{info.vendor} {info.model}, serial {info.serial}, MAC {info.mac}"
    click.echo(pairs([("phone", f"{case.sight.name}, {head}"), *case.sight.lines]))
    click.echo()
    for finding in _told(case.recovery.findings):
        click.echo("\n".join(_lines(finding, case.sight)))
    click.echo()


def _told(findings: Sequence[Finding]) -> Sequence[Finding]:
    """Leave out how it will be when all of it is done."""
    return [found for found in findings if found.situation.actions] or findings


def _lines(finding: Finding, sight: Sight) -> Iterator[str]:
    row = finding.situation
    yield click.style(f"{row.name}: ", bold=True) + row.condition
    if finding.needs:
        lacking = error_of([finding], sight)
        yield f"    lacking  {finding.needs}: {lacking.remedy}"
        return
    yield from (f"    do       {DEEDS[action].words}" for action in row.actions)
    yield f"    because  {row.why}"
