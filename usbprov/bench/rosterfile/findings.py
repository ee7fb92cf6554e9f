"""What is wrong, or worth knowing, in a roster: each with its line and column."""

from collections.abc import Iterable
from dataclasses import dataclass

from usbprov.checks import CheckResult, Verdict


@dataclass(frozen=True)
class Finding:
    """Something about one cell, line or file.

    Attributes:
        line: The line in the file, from 1; 0 is the file as a whole.
        column: The column's name as the file has it, or "" where it is about the line.
        words: What it is. Never a PIN.
        is_error: Whether nothing may be begun while it stands.
        cell: The cell's name in a workbook: ``C7``; "" in text files.
        remedy: What to do.
    """

    line: int
    column: str
    words: str
    is_error: bool = True
    cell: str = ""
    remedy: str = ""

    @property
    def place(self) -> str:
        """Where it is: ``line 7, pin``, ``cell C7 (pin)``, ``file``."""
        if self.cell:
            return f"cell {self.cell}" + (f" ({self.column})" if self.column else "")
        if not self.line:
            return f"column {self.column}" if self.column else "file"
        return f"line {self.line}" + (f", {self.column}" if self.column else "")

    def __str__(self) -> str:
        return f"{self.place}: {self.words}"

    def result(self) -> CheckResult:
        """Return it as the result of a check."""
        verdict = Verdict.BAD if self.is_error else Verdict.NOTE
        return CheckResult(self.place, verdict, self.words, remedy=self.remedy)


def errors_of(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return those that stand in the way."""
    return tuple(finding for finding in findings if finding.is_error)
