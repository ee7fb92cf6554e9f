"""``usbprov ledger vacuum``: the room of what was removed."""

import click

from usbprov.cli import documents
from usbprov.cli.options import json_option
from usbprov.cli.settings import current
from usbprov.cli.waiting import waiting


@click.command()
@json_option
def vacuum(as_json: bool) -> None:
    """Write the ledger anew without what was removed, and give back its room.

    Benches may go on; they wait while it is done. A file needs as much room again as it has.

    \b
    Examples:
      usbprov ledger vacuum
      usbprov ledger vacuum --json
    """
    from usbprov.ledger.vacuum import vacuum as write_anew

    with current().ledger() as opened, waiting("writing anew", silent=as_json):
        found = write_anew(opened.database)
    if as_json:
        documents.show({"outcome": "done", **vars(found)})
        return
    click.echo(f"{found.before} bytes before, {found.after} after.")
    if not found.log_emptied:
        click.echo("Another process still reads the log beside it; it goes when that ends.")
