"""Plain text for people: tables, times, thumbprints."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime

import click


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Align rows under their heads; on a terminal the heads are bold."""
    cells = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join([click.style(lines[0], bold=True), *lines[1:]])


def pairs(facts: Iterable[tuple[str, str]]) -> str:
    """Align names and values, one a line; a line without a value is left out."""
    shown = [(name, value) for name, value in facts if value]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in shown)


def local(moment: datetime | None) -> str:
    """Write a moment in the user's zone, to the second."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def thumbprint(digest: str) -> str:
    """Write a digest in groups of four, to be compared by eye."""
    return " ".join(digest[at : at + 4] for at in range(0, len(digest), 4))


def paragraph(name: str, words: str) -> str:
    """Wrap words to the terminal's width, in a column of their own beside their name.

    Into a file or pipe nothing is wrapped: a command that is split cannot be copied.
    """
    return hanging(name, words, is_terminal=sys.stdout.isatty())


def hanging(name: str, words: str, *, is_terminal: bool) -> str:
    """Put words beside their name; on a terminal they are wrapped, never within a word."""
    if not is_terminal:
        return name + words
    lines = textwrap.wrap(
        words,
        shutil.get_terminal_size().columns,
        initial_indent=name,
        subsequent_indent=" " * len(name),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)
