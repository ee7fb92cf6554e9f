"""``usbprov provision``: one phone, the whole job."""

from dataclasses import replace as changed
from typing import Any

import click

from usbprov.cli.credentials import credential_options
from usbprov.cli.options import json_option, phone_argument
from usbprov.cli.ordering import order_options, ordered, required_url
from usbprov.cli.provisioning import provision_one
from usbprov.cli.settings import current
from usbprov.engine.order import KeySource
from usbprov.errors import UsageError


@click.command()
@phone_argument
@credential_options
@order_options
@click.option(
    "--replaces",
    metavar="SERIAL|MAC",
    help="With --key vault: give this phone the user's key pair of the phone that it replaces.",
)
@click.option("--replace", is_flag=True, help="Replace what the phone's slot holds.")
@click.option("--dry-run", is_flag=True, help="Show the plan; touch nothing, ask no server.")
@click.option("--no-tape", is_flag=True, help="Do not record the job for a support bundle.")
@json_option
def provision(
    phone: str | None,
    replaces: str | None,
    replace: bool,
    dry_run: bool,
    no_tape: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Give PHONE its key and its user certificate, and prove that it can sign in with them.

    PHONE is a port path (1-1.4.2), serial:… or mac:…; it may be left out when one is attached.
    The user is proved by extension and PIN, by a Windows account and its password, by the Kerberos
    ticket of whoever types this, or by the certificate that the phone has already. A PIN or
    password is asked for on the terminal, or comes by --…-stdin or --…-fd, and is sent to the
    server once. A job that was interrupted goes on when the command is repeated.

    \b
    Examples:
      usbprov provision --extension 1001 --web-services-url URL
      usbprov provision 1-1.4 --user sip:alice@contoso.com --extension 1001 --pin-stdin --json
      usbprov provision --login CONTOSO\\alice --user sip:alice@contoso.com --discover
      usbprov provision --replace --key existing --auth certificate --web-services-url URL
      usbprov provision --extension 1001 --key vault --replaces SERIAL --web-services-url URL
      usbprov provision --extension 1001 --dry-run --web-services-url URL
    """
    wanted, settings = ordered(given, dry_run=dry_run, as_json=as_json), current()
    order = changed(wanted.order, replace=replace, replaces=replaces)
    if replaces and order.key is not KeySource.VAULT:
        raise UsageError("--replaces needs --key vault")
    required_url(order.web_services_url)
    manner = changed(wanted.manner, tape=not no_tape)
    with settings.ledger() as ledger:
        provision_one(settings.find(phone), order, ledger, wanted.secret, manner)
