"""``usbprov bench check``: everything that is wrong with a roster, before anything starts."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from usbprov.cli.options import json_option
from usbprov.cli.rosters import RosterOptions, roster_options
from usbprov.cli.servers import ServerOptions, server_options

if TYPE_CHECKING:
    from usbprov.bench.readiness import Choices
    from usbprov.bench.roster import Roster
    from usbprov.bench.rosterfile.findings import Finding
    from usbprov.bench.rosterfile.reading import RosterReading
    from usbprov.checks import CheckResult
    from usbprov.cli.steps import StepList

_LONGEST_NAME = "web-services-name"


@click.command("check")
@click.argument("roster", type=click.Path(path_type=Path, dir_okay=False))
@roster_options
@click.option(
    "--ask",
    is_flag=True,
    help="Ask the servers about each user, too; so do --web-services-url and --registrar.",
)
@server_options
@json_option
def bench_check(roster: Path, ask: bool, as_json: bool, **given: Any) -> None:
    """Check ROSTER (CSV or XLSX): every line, and what the way of working needs of it.

    All that is wrong is told at once, with line and column. With --ask the servers are looked at
    as well, and the Registrar is asked about each user; no PIN is tried, and no password.

    \b
    Examples:
      usbprov bench check users.csv --secrets pins.toml
      usbprov bench check users.xlsx --assign port --map bench.toml
      usbprov bench check users.csv --key-in-pins --ask --registrar pool.contoso.com --json
    """
    from usbprov.bench.rosterfile.reading import read_roster
    from usbprov.cli.steps import StepList

    options = RosterOptions.taken_from(given)
    servers = ServerOptions(**{f.name: given[f.name] for f in fields(ServerOptions)})
    reading = read_roster(roster)
    choices = options.choices(reading.roster)
    findings = _findings(reading, choices)
    shown = StepList([finding.place for finding in findings] + [_LONGEST_NAME], as_json=as_json)
    results = [*(f.result() for f in findings), _summary(reading.roster, findings)]
    for result in results:
        shown(result)
    if ask or servers.web_services_url or servers.registrar:
        results += _asked(reading.roster, choices, servers, shown)
    _finish(reading, findings, results, as_json=as_json)


def _findings(reading: "RosterReading", choices: "Choices") -> "Sequence[Finding]":
    from usbprov.bench.readiness import shortcomings

    found = [*reading.findings, *shortcomings(reading.roster, choices)]
    return sorted(found, key=lambda finding: finding.line)


def _summary(roster: "Roster", findings: "Sequence[Finding]") -> "CheckResult":
    from usbprov.bench.rosterfile.findings import errors_of
    from usbprov.checks import CheckResult, Verdict

    wrong = len(errors_of(findings))
    words = f"{len(roster.entries)} users" + (f"; {wrong} errors" if wrong else "")
    return CheckResult("roster", Verdict.NOTE if wrong else Verdict.GOOD, words)


def _asked(
    roster: "Roster", choices: "Choices", servers: ServerOptions, shown: "StepList"
) -> "Sequence[CheckResult]":
    from usbprov.bench.asking import ask_about
    from usbprov.engine.checks.inquiry import Inquiry

    if not roster.entries:
        return ()
    with servers.network() as network:
        inquiry = Inquiry(
            network,
            web_services_url=servers.web_services_url,
            given_registrar=servers.registrar,
            proof=choices.secrets.order(roster.entries[0]),
        )
        return ask_about(roster, inquiry, shown)


def _finish(
    reading: "RosterReading",
    findings: "Sequence[Finding]",
    results: "Sequence[CheckResult]",
    *,
    as_json: bool,
) -> None:
    from usbprov.bench.rosterfile.findings import errors_of
    from usbprov.cli.steps import finish
    from usbprov.errors import RosterInvalid

    wrong = tuple(map(str, errors_of(findings)))
    if wrong:
        error = RosterInvalid(str(reading.path), len(wrong), wrong[0], wrong)
        index = next(n for n, result in enumerate(results) if result.verdict == "bad")
        results = [*results[:index], replace(results[index], error=error), *results[index + 1 :]]
    more = {
        "roster": reading.roster.key,
        "users": len(reading.roster.entries),
        "findings": [_document(finding) for finding in findings],
    }
    finish(results, as_json=as_json, passed="The bench can begin with this roster.", more=more)


def _document(finding: "Finding") -> dict[str, Any]:
    return {
        "line": finding.line or None,
        "column": finding.column or None,
        "cell": finding.cell or None,
        "error": finding.is_error,
        "message": finding.words,
    }
