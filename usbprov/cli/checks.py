"""How checks are shown: lines with signs, words and colours for people, or a document."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from usbprov.checks import CheckResult, Verdict, first_error
from usbprov.cli import documents
from usbprov.cli.documents import Document
from usbprov.cli.failure import ToldError

LOOKS = {
    Verdict.GOOD: ("✓", "green"),
    Verdict.NOTE: ("•", "cyan"),
    Verdict.BAD: ("✗", "red"),
    Verdict.UNKNOWN: ("?", "yellow"),
}
"""A sign and a colour for each verdict; its word is shown, too: not everybody sees colours."""


def show_checks(
    results: Sequence[CheckResult], *, as_json: bool, more: Mapping[str, Any] | None = None
) -> None:
    """Show the results of checks, in the order in which they were made.

    Args:
        results: What the checks came to.
        as_json: Print a document instead of lines.
        more: Further names for the document.

    Raises:
        UsbprovError: Something is wrong: the first bad check's error, else ``ChecksFailed``.
        ToldError: Likewise; the document, which says so, was printed.
    """
    error = first_error(results)
    if not as_json:
        click.echo(checks_text(results))
        if error is not None:
            raise error
        return
    document: Document = {"checks": [check_document(r) for r in results]} | dict(more or {})
    if error is None:
        documents.show({"outcome": "good"} | document)
        return
    documents.show({"outcome": "failed"} | document | {"error": documents.error(error)})
    raise ToldError(error)


def check_document(result: CheckResult) -> Document:
    """Describe a check."""
    return {
        "name": result.name,
        "verdict": result.verdict.value,
        "seen": result.seen,
        "cause": result.cause,
        "remedy": result.remedy,
        "ms": result.ms,
        "code": result.code or None,
        "detail": list(result.detail),
    } | ({"group": result.group} if result.group else {})


def checks_text(results: Sequence[CheckResult]) -> str:
    """Write a line for each check, with cause and remedy below it where there are any.

    Nothing is wrapped: a command that is split over two lines cannot be copied.
    """
    width = max((len(result.name) for result in results), default=0)
    return "\n".join(line for result in results for line in _lines(result, width))


def _lines(result: CheckResult, width: int) -> list[str]:
    sign, colour = LOOKS[result.verdict]
    word = click.style(f"{sign} {result.verdict.value:<7}", fg=colour, bold=True)
    lines = [f"{word}  {result.name.ljust(width)}  {result.seen}"]
    if result.verdict is not Verdict.GOOD:
        reasons = (("likely cause:", result.cause), ("what to do:", result.remedy))
        lines += [f"    {name:<14} {words}" for name, words in reasons if words]
    return lines
