"""``usbprov drivers``: the phone families that are known."""

import click

from usbprov.cli import documents
from usbprov.cli.options import json_option


@click.command("drivers")
@json_option
def list_drivers(as_json: bool) -> None:
    """Show the installed drivers, and by what they recognise their phones."""
    from usbprov.phone.registry import drivers

    if as_json:
        documents.show(
            [
                {
                    "family": d.family,
                    "summary": d.summary,
                    "matches": [dict(m.row()) for m in d.matches],
                }
                for d in drivers()
            ]
        )
        return
    for driver in drivers():
        click.echo(f"{click.style(driver.family, bold=True)}  {driver.summary}")
        for match in driver.matches:
            words = ", ".join(f"{name} {value}" for name, value in match.row().items())
            click.echo(f"    recognised by: {words}")
