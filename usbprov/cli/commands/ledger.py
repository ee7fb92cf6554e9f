"""``usbprov ledger``: past and unfinished jobs."""

import re

import click

from usbprov.cli import documents
from usbprov.cli.lazy import CheckedGroup
from usbprov.cli.options import json_option
from usbprov.cli.settings import current
from usbprov.cli.text import local, pairs, table
from usbprov.ledger.records import ArtifactKind, ArtifactRecord, JobRecord, StepRecord
from usbprov.pki.certificates import load_certificate


def _hash(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Click callback: a SHA-256 in hex."""
    if value is None:
        return None
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", value):
        raise click.BadParameter("it is not a SHA-256 in hex (64 digits)")
    return value.lower()


@click.group(cls=CheckedGroup)
def ledger() -> None:
    """Look at past and unfinished jobs; check that the record of them is whole."""


@ledger.command("list")
@click.option(
    "--last", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="How many."
)
@json_option
def list_jobs(last: int, as_json: bool) -> None:
    """Show the jobs, newest first."""
    with current().ledger() as opened:
        records = opened.jobs(last)
    if as_json:
        documents.show([documents.job(record) for record in records])
        return
    if not records:
        click.echo("The ledger is empty.")
        return
    rows = [
        (
            str(record.id),
            local(record.updated),
            record.state,
            record.phone_serial,
            record.user or "-",
            record.error_code or "",
        )
        for record in records
    ]
    click.echo(table(("JOB", "LAST CHANGE", "STATE", "PHONE", "USER", "ERROR"), rows))


@ledger.command("show")
@click.argument("job")
@json_option
def show_job(job: str, as_json: bool) -> None:
    """Show all that is known of JOB: its phone, its steps, its request and certificate."""
    with current().ledger() as opened:
        record = opened.job(job)
        steps, kept = opened.steps(record.id), opened.artifacts(record.id)
    if as_json:
        documents.show(
            documents.job(record)
            | {"steps": [documents.step(step) for step in steps]}
            | {"artifacts": [documents.artifact(artifact) for artifact in kept]}
        )
        return
    click.echo(_job(record, kept))
    click.echo()
    click.echo(table(("STEP", "BEGUN", "MS", "STATE", "LEARNT"), [_step(step) for step in steps]))


@ledger.command("verify")
@click.option(
    "--expect",
    metavar="HASH",
    callback=_hash,
    help="A hash that this command gave earlier: nothing up to there may be gone, either.",
)
@json_option
def verify(expect: str | None, as_json: bool) -> None:
    """Check that nobody altered the ledger.

    Each write is an entry that holds the hash of the one before, so nothing in the middle can be
    changed or removed without a trace. Write the hash that is shown down, in another place: with
    --expect it shows later that nothing was removed at the end, and nothing written anew.
    """
    with current().ledger() as opened:
        found = opened.verify(expect)
    if as_json:
        documents.show({"outcome": "good", **vars(found)})
        return
    lines = [("entries", str(found.entries)), ("hash", found.head)]
    if found.at:
        lines.append(("last", found.at))
    if found.expected is not None:
        lines.append(("expected", f"is the hash of entry {found.expected}"))
    click.echo("The ledger is what was written to it.")
    click.echo(pairs(lines))


def _job(record: JobRecord, kept: list[ArtifactRecord]) -> str:
    certificates = [a for a in kept if a.kind is ArtifactKind.CERTIFICATE]
    lines = [
        ("job", f"{record.id}, {record.state}"),
        ("phone", f"{record.phone_model}, serial {record.phone_serial}, MAC {record.phone_mac}"),
        ("port", f"{record.port_path}, slot {record.slot}"),
        ("user", record.user or "not known yet"),
        ("Web Services", record.web_services_url),
        ("key", record.key_source),
        ("begun", local(record.created)),
        ("last change", local(record.updated)),
        ("error", f"{record.error_code}: {record.error}" if record.error_code else ""),
    ]
    for artifact in certificates:
        expiry = load_certificate(artifact.data).not_valid_after_utc
        lines.append(("certificate", f"SHA-256 {artifact.sha256}, until {local(expiry)}"))
    return pairs(lines)


def _step(step: StepRecord) -> tuple[str, str, str, str, str]:
    ms = "" if step.ms is None else str(step.ms)
    return step.name, local(step.begun), ms, step.state, step.learnt or step.error_code or ""
