"""``usbprov identify``: find a phone on the bench by its lamp."""

import click

from usbprov.cli.options import phone_argument
from usbprov.cli.settings import current


@click.command()
@phone_argument
@click.option("--off", is_flag=True, help="Put the lamp out again.")
def identify(phone: str | None, off: bool) -> None:
    """Light the lamp of PHONE, to find it among others.

    \b
    Examples:
      usbprov identify 1-1.4.2
      usbprov identify 1-1.4.2 --off
    """
    with current().held(phone) as held:
        opened = held.phone
        opened.identify(on=not off)
        click.echo(f"{opened.facts.name}: lamp {'off' if off else 'on'}")
