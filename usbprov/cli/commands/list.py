"""``usbprov list``: what is attached."""

import click

from usbprov.cli import documents
from usbprov.cli.options import json_option
from usbprov.cli.settings import current
from usbprov.cli.text import table


@click.command("list")
@json_option
def list_phones(as_json: bool) -> None:
    """Show what is attached to the buses. Devices of no known family are listed, never touched.

    \b
    Examples:
      usbprov list
      usbprov --bus kernel --bus usbip://127.0.0.1:3240 list --json
    """
    from usbprov.phone.selection import candidates, qualified
    from usbprov.usb.buses import search

    found = candidates(search(current().buses()))
    if as_json:
        documents.show([documents.listed(candidate) for candidate in found])
        return
    if not found:
        click.echo("Nothing is attached.")
        return
    rows = [
        (
            qualified(candidate.facts),
            candidate.facts.product or "-",
            candidate.facts.serial or "-",
            f"{candidate.facts.vendor_id:04x}:{candidate.facts.product_id:04x}",
            candidate.driver.family if candidate.driver else "-",
            candidate.facts.problem or "",
        )
        for candidate in found
    ]
    click.echo(table(("PHONE", "PRODUCT", "SERIAL", "USB ID", "DRIVER", "NOTE"), rows))
