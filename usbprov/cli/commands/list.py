"""``usbprov list``: what is attached."""

import click

from usbprov.cli import documents
from usbprov.cli.options import json_option
from usbprov.cli.settings import current
from usbprov.cli.text import table


@click.command("list")
@click.option("--watch", is_flag=True, help="Go on showing what comes and goes; Ctrl-C ends.")
@json_option
def list_phones(watch: bool, as_json: bool) -> None:
    """Show what is attached to the buses. Devices of no known family are listed, never touched.

    With --watch it is a live table on a terminal, elsewhere a line for each phone that comes (+),
    goes (-) or changes (~); with --json as well one JSON document a line.

    \b
    Examples:
      usbprov list
      usbprov list --watch
      usbprov --bus kernel --bus usbip://127.0.0.1:3240 list --json
    """
    settings = current()
    buses = settings.buses()
    if watch:
        from usbprov.cli.watching import watch as watch_buses

        watch_buses(buses, as_json=as_json)
        return
    from usbprov.cli import listing

    found = [candidate.facts for candidate in settings.candidates(buses)]
    if as_json:
        documents.show([listing.document(facts) for facts in found])
    elif found:
        click.echo(table(listing.HEADS, [listing.row(facts) for facts in found]))
    else:
        click.echo("Nothing is attached.")
