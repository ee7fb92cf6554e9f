"""What ``discover`` and ``dhcp`` show alike: findings, and bytes explained."""

from collections.abc import Iterable, Sequence

import click

from usbprov.cli.documents import Document
from usbprov.cli.text import table
from usbprov.webservices.discovery.explanation import Span, spaced
from usbprov.webservices.discovery.findings import Finding, Severity

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: None}


def finding_document(finding: Finding) -> Document:
    """Describe a finding."""
    return {
        "kind": finding.kind.value,
        "severity": finding.severity.value,
        "message": str(finding),
        "cause": finding.meaning.cause,
        "remedy": finding.meaning.remedy,
    }


def span_document(span: Span) -> Document:
    """Describe some bytes of an option."""
    return {"offset": span.offset, "hex": span.data.hex(), "meaning": span.meaning}


def findings_text(findings: Iterable[Finding]) -> str:
    """Write findings with cause and remedy, the worst first."""
    order = list(Severity)
    lines = []
    for finding in sorted(findings, key=lambda f: order.index(f.severity)):
        word = click.style(finding.severity.value, fg=_COLOURS[finding.severity], bold=True)
        lines += [
            f"{word}: {finding}",
            f"  likely cause:  {finding.meaning.cause}",
            f"  what to do:    {finding.meaning.remedy}",
        ]
    return "\n".join(lines)


def spans_text(spans: Sequence[Span]) -> str:
    """Write bytes and their meaning as a table."""
    rows = [(str(span.offset), spaced(span.data, 12), span.meaning) for span in spans]
    return table(("OFFSET", "BYTES", "MEANING"), rows)
