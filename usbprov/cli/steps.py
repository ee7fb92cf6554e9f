"""How the steps of a check are shown: each as it is done, then what it comes to."""

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import click

from usbprov.checks import CheckResult, Verdict, first_error
from usbprov.cli import documents
from usbprov.cli.checks import LOOKS, check_document
from usbprov.cli.failure import ShownError, ToldError
from usbprov.cli.settings import current

_WIDEST = 100
_INDENT = "    "


class StepList:
    """Shows steps while they are taken: a sign, the name, the time, and what was seen."""

    def __init__(self, names: Sequence[str], *, as_json: bool) -> None:
        """Prepare.

        Args:
            names: Of all steps that may come, for their column.
            as_json: Show nothing: the document comes at the end.
        """
        self._silent = as_json or current().verbosity == 0
        self._name_width = max(map(len, names), default=0)
        self._width = line_width()

    def __call__(self, result: CheckResult) -> None:
        """Show a step that has ended."""
        if not self._silent:
            click.echo("\n".join(self._lines(result)))

    def _lines(self, result: CheckResult) -> list[str]:
        sign, colour = LOOKS[result.verdict]
        is_done = result.verdict is not Verdict.UNKNOWN
        time = f"{result.ms:>6} ms" if is_done else " " * 9
        name = f"{result.group}: {result.name}" if result.group else result.name
        head = f"{sign} {name:<{self._name_width}} {time}  "
        words = f"{result.code}: {result.seen}" if result.code else result.seen
        lines = wrapped(words, head, " " * len(head), self._width)
        lines[0] = click.style(lines[0][: len(sign)], fg=colour, bold=True) + lines[0][len(sign) :]
        lines += [_INDENT + line for line in result.detail]
        if result.verdict is not Verdict.GOOD:
            reasons = (("likely cause:", result.cause), ("what to do:", result.remedy))
            for label, text in reasons:
                first = f"{_INDENT}{label:<14} "
                lines += wrapped(text, first, " " * len(first), self._width) if text else []
        return lines


def line_width() -> int | None:
    """Return where lines are to be broken, or None where standard output is no terminal."""
    if not sys.stdout.isatty():
        return None
    return min(shutil.get_terminal_size().columns, _WIDEST)


def wrapped(words: str, first: str, others: str, width: int | None) -> list[str]:
    """Break words into lines; a word is never broken, so that addresses can be copied."""
    if width is None:
        return [first + words]
    return textwrap.wrap(
        words,
        width,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def finish(
    results: Sequence[CheckResult],
    *,
    as_json: bool,
    passed: str,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Say what the steps come to.

    Args:
        results: All of them, in order.
        as_json: Print the document.
        passed: What is said when nothing is bad.
        more: Further names for the document.

    Raises:
        ToldError: Something is bad: carries the first bad step's error.
    """
    error = first_error(results)
    if as_json:
        outcome = {"outcome": "failed" if error else "good"}
        document = outcome | dict(more or {}) | {"checks": [check_document(r) for r in results]}
        documents.show(documents.with_error(document, error))
        if error:
            raise ToldError(error)
    elif error:
        raise ShownError(error)
    elif current().verbosity:
        click.echo("\n" + click.style(passed, bold=True))
