"""``usbprov ledger list`` and ``show``: past and unfinished jobs."""

import click

from usbprov.cli import documents
from usbprov.cli.options import json_option
from usbprov.cli.settings import current
from usbprov.cli.text import local, pairs, table
from usbprov.ledger.records import UNFINISHED, ArtifactKind, ArtifactRecord, JobRecord, StepRecord
from usbprov.pki.certificates import load_certificate


@click.command("list")
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


@click.command("show")
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
    if not steps and record.state not in UNFINISHED:
        click.echo("Its steps were removed by a purge; `usbprov ledger verify` tells of it.")
        return
    click.echo(table(("STEP", "BEGUN", "MS", "STATE", "LEARNT"), [_step(step) for step in steps]))


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
        ("error", ": ".join(filter(None, (record.error_code, record.error)))),
    ]
    for artifact in certificates:
        expiry = load_certificate(artifact.data).not_valid_after_utc
        lines.append(("certificate", f"SHA-256 {artifact.sha256}, until {local(expiry)}"))
    return pairs(lines)


def _step(step: StepRecord) -> tuple[str, str, str, str, str]:
    ms = "" if step.ms is None else str(step.ms)
    return step.name, local(step.begun), ms, step.state, step.learnt or step.error_code or ""
