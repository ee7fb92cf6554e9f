"""``usbprov report``: what a shift came to, from the ledger alone."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from usbprov.cli.reporting import Choice, form_of, put, report_options

if TYPE_CHECKING:
    from usbprov.bench.report.facts import Report

FORMS: Mapping[str, tuple[str, str]] = {
    "html": ("usbprov.bench.report.page", "as_page"),
    "csv": ("usbprov.bench.report.delimited", "as_csv"),
    "json": ("usbprov.bench.report.document", "as_json"),
    "xlsx": ("usbprov.bench.report.workbook", "as_workbook"),
}
"""What writes each form; imported when it is used."""


@click.command()
@report_options
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMS)),
    help="By default what the file's name ends with, else html.",
)
def report(form: str | None, output: Path | None, **given: Any) -> None:
    """Report what was staged: yield, phones per hour, time per step, failures, thumbprints.

    All of it comes from the ledger, of one moment; benches may go on working. HTML is one file
    that needs nothing else, to be looked at, printed or sent on. See docs/report.md.

    \b
    Examples:
      usbprov report --shift -o shift.html
      usbprov report --since 2026-11-29 --bench north -o north.xlsx
      usbprov report --since 8h --format csv
    """
    made = Choice(**given).report()
    wanted = form_of(form, output, tuple(FORMS))
    put(_writer(wanted)(made), output, is_text=wanted != "xlsx")


def _writer(form: str) -> "Callable[[Report], bytes]":
    module, name = FORMS[form]
    writer: Callable[[Report], bytes] = getattr(import_module(module), name)
    return writer
