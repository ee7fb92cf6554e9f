"""What the commands around the lab share: its options, and how it is shown when it is up."""

import click

from usbprov.cli import documents
from usbprov.cli.text import pairs, table
from usbprov.lab.up import LabFacts

personality_option = click.option(
    "--personality",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="How the phones behave; see `lab personalities`. Repeatable.",
)


def show_lab(facts: LabFacts, *, as_json: bool) -> None:
    """Say where everything is, and how a first phone is provisioned."""
    if as_json:
        documents.show(facts.row())
        return
    rows = [(user.sip_uri, user.extension, user.pin, user.home_pool) for user in facts.users]
    where = [
        ("Web Services", facts.web_services_url),
        ("LyncDiscover", facts.autodiscover_url),
        ("chain download", facts.chain_url),
        ("Registrar", facts.registrar),
        ("CA file", str(facts.ca_file)),
        ("bus", facts.bus or "no phones"),
    ]
    click.echo(pairs(where))
    click.echo()
    click.echo(table(("USER", "EXTENSION", "PIN", "HOME POOL"), rows))
    click.echo()
    if facts.bus:
        click.echo(_first_line(facts))
    click.echo("Ctrl-C ends the lab.")


def show_call(line: str) -> None:
    """Show a line of the request log; it comes from a thread of the lab's server."""
    click.echo(line)


def _first_line(facts: LabFacts) -> str:
    user = facts.users[0]
    return (
        "Provision a phone with:\n"
        f"  usbprov --bus {facts.bus} provision 1-1 --extension {user.extension} \\\n"
        f"    --web-services-url {facts.web_services_url} \\\n"
        f"    --registrar {facts.registrar} --ca-file {facts.ca_file}\n"
        f"and the PIN {user.pin}.\n"
    )
