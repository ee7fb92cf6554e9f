"""What reports and labels have in common: which jobs they are about, and where they go."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from usbprov.cli.options import with_options
from usbprov.cli.settings import current
from usbprov.errors import NothingToReport, ReportNotWritten, UsageError

if TYPE_CHECKING:
    from usbprov.bench.report.facts import Report
    from usbprov.ledger.history import Stretch
    from usbprov.ledger.ledger import Ledger

F = TypeVar("F", bound=Callable[..., object])

_OWN = 0o600
"""Who works where, and on which phone, is nobody else's business."""


def _when(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> datetime | None:
    """Click callback: a moment."""
    if value is None:
        return None
    from usbprov.bench.report.period import parse_when

    try:
        return parse_when(value, datetime.now(UTC))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no moment: write 8h, 2d, 08:30, 2026-11-29 or 2026-11-29T08:30"
        ) from None


_OPTIONS: tuple[Callable[[F], F], ...] = (
    click.option(
        "--shift", is_flag=True, help="The last shift: the work since a pause of 4 hours."
    ),
    click.option(
        "--since",
        metavar="WHEN",
        callback=_when,
        help="From then on: 8h, 2d (ago), 08:30 (today), or a date and time (ISO 8601).",
    ),
    click.option("--until", metavar="WHEN", callback=_when, help="Until then, written likewise."),
    click.option("--bench", metavar="NAME", help="Only what this bench did."),
    click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Where it goes; standard output if none is named.",
    ),
)


def report_options(function: F) -> F:
    """Add the options; the command gets the first four by the names of ``Choice``."""
    return with_options(function, _OPTIONS)


@dataclass(frozen=True)
class Choice:
    """Which jobs are meant."""

    shift: bool
    since: datetime | None
    until: datetime | None
    bench: str | None

    def report(self) -> "Report":
        """Read the ledger, and work out the report.

        Raises:
            UsageError: The options contradict each other.
            NothingToReport: There is no such job.
            LedgerError: The ledger cannot be read.
        """
        from usbprov.bench.report.summing import make_report
        from usbprov.ledger.history import read_history

        if self.shift and self.since:
            raise UsageError("--shift and --since exclude each other")
        with current().ledger() as ledger:
            stretch = self._stretch(ledger)
            history = read_history(ledger.database, stretch)
        about = self._about(stretch)
        if not history.jobs:
            raise NothingToReport(f"{about}, bench {self.bench}" if self.bench else about)
        return make_report(history, stretch, about, datetime.now(UTC))

    def _stretch(self, ledger: "Ledger") -> "Stretch":
        from usbprov.bench.report.period import last_shift
        from usbprov.ledger.history import Stretch, work_times

        since = self.since
        if self.shift:
            since = last_shift(work_times(ledger.database, Stretch(None, self.until, self.bench)))
        return Stretch(since, self.until, self.bench)

    def _about(self, stretch: "Stretch") -> str:
        from usbprov.bench.report.words import local

        words = "the whole ledger"
        if stretch.since:
            words = f"{'the shift' if self.shift else 'all'} since {local(stretch.since)}"
        return f"{words} until {local(stretch.until)}" if stretch.until else words


def put(data: bytes, output: Path | None, *, is_text: bool) -> None:
    """Write a file whole, readable for its owner only; or write to standard output.

    Raises:
        UsageError: It would be shown on a terminal, and is not text.
        ReportNotWritten: The file cannot be written.
    """
    if output is None:
        if not is_text and sys.stdout.isatty():
            raise UsageError("this is no text: name a file with -o, or send it into one")
        click.echo(data, nl=False)
        return
    from usbprov.files import write_whole

    try:
        write_whole(output, data, _OWN)
    except OSError as error:
        raise ReportNotWritten(str(output), error.strerror or str(error)) from None
    click.echo(f"{output}: {len(data)} bytes", err=True)


def form_of(given: str | None, output: Path | None, known: tuple[str, ...]) -> str:
    """Return the form that is asked for, by name or by the file's ending; else the first."""
    ending = output.suffix.lstrip(".").lower() if output else ""
    return given or (ending if ending in known else known[0])
