"""``usbprov support-bundle``: what one job said and heard, without secrets, in one file."""

from pathlib import Path

import click

from usbprov.cli import documents
from usbprov.cli.options import json_option
from usbprov.cli.settings import current

_NOTICE = "Names of users, servers and phones are in it; PINs, passwords, tickets and keys are not."


@click.command("support-bundle")
@click.argument("file", metavar="FILE.zip", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--job", metavar="JOB", help="Which job; by default the last that failed.")
@json_option
def support_bundle(file: Path, job: str | None, as_json: bool) -> None:
    """Write what one job said and heard to FILE.zip, fit to be sent to a stranger.

    In it are versions, the checks of this computer, what the ledger has of the job, its steps, and
    what went over the cable and to the servers. PINs, passwords, tickets and keys were taken out
    before any of it was recorded; names of users and servers were not. docs/support-bundle.md says
    what is in each file.

    \b
    Examples:
      usbprov support-bundle trouble.zip
      usbprov support-bundle trouble.zip --job 7
    """
    from usbprov.cli.bundling import choose, members
    from usbprov.cli.commands.check_host import host_results
    from usbprov.cli.text import table
    from usbprov.tape.bundle import write_bundle

    with current().ledger() as ledger:
        subject = choose(ledger, job)
        files = members(subject, ledger, host_results(), file.name)
    write_bundle(file, files)
    number = subject.job.id if subject.job else None
    if as_json:
        sizes = {name: len(content) for name, content in files.items()}
        taped = subject.tape is not None
        documents.show({"outcome": "written", "job": number, "taped": taped, "files": sizes})
        return
    whose = f"job {number}" if number is not None else "a run that came to no job"
    click.echo(f"{file}: {whose}" + ("" if subject.tape else "; it was not recorded"))
    rows = [(name, str(len(content))) for name, content in files.items()]
    click.echo(table(("FILE", "BYTES"), rows))
    click.echo(_NOTICE)
