"""``usbprov ledger``: the record of jobs, and its care."""

import click

from usbprov.cli.lazy import LazyGroup

COMMANDS = {
    "list": ("usbprov.cli.commands.ledger_jobs:list_jobs", "Show the jobs, newest first."),
    "show": ("usbprov.cli.commands.ledger_jobs:show_job", "Show all that is known of one job."),
    "verify": (
        "usbprov.cli.commands.ledger_verify:verify",
        "Check that nobody altered the ledger.",
    ),
    "backup": (
        "usbprov.cli.commands.ledger_backup:backup",
        "Copy the ledger into a file, while benches go on.",
    ),
    "restore": (
        "usbprov.cli.commands.ledger_restore:restore",
        "Put a backup in the ledger's place.",
    ),
    "purge": (
        "usbprov.cli.commands.ledger_purge:purge",
        "Remove the details of old jobs; certificates stay.",
    ),
    "vacuum": (
        "usbprov.cli.commands.ledger_vacuum:vacuum",
        "Give back the room of what was removed.",
    ),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def ledger() -> None:
    """Look at past and unfinished jobs; take care of the record of them."""
