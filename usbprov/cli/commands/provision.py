"""``usbprov provision``: one phone, the whole job."""

from pathlib import Path

import click

from usbprov.cli.options import json_option, phone_argument
from usbprov.cli.provisioning import Manner, provision_one
from usbprov.cli.secret import pin_source
from usbprov.cli.settings import current
from usbprov.engine.order import KeySource, Order
from usbprov.errors import UsageError
from usbprov.pki.keys import DEFAULT_RSA_BITS, RSA_SIZES


@click.command()
@phone_argument
@click.option(
    "--user", metavar="URI", help="The user: sip:alice@contoso.com. Else the ticket says."
)
@click.option("--extension", required=True, help="The user's extension or phone number.")
@click.option("--pin-stdin", is_flag=True, help="Read the PIN from standard input.")
@click.option("--pin-fd", type=click.IntRange(min=0), help="Read the PIN from a file descriptor.")
@click.option(
    "--auth",
    type=click.Choice(["pin"]),
    default="pin",
    expose_value=False,  # there is one way yet, so nothing to choose
    help="How the user is proved.",
)
@click.option("--web-services-url", metavar="URL", help="URL of the certificate service.")
@click.option("--registrar", metavar="HOST[:PORT]", help="Registrar to be written to the phone.")
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Trust the CA certificates of this PEM file instead of the system's.",
)
@click.option(
    "--key",
    type=click.Choice([source.value for source in KeySource]),
    help="Who makes the key; by default the phone if it can, else this computer.",
)
@click.option(
    "--key-bits",
    type=click.Choice([str(bits) for bits in RSA_SIZES]),
    default=str(DEFAULT_RSA_BITS),
    show_default=True,
    help="Length of a new RSA key.",
)
@click.option("--replace", is_flag=True, help="Replace what the phone's slot holds.")
@click.option("--dry-run", is_flag=True, help="Show the plan; touch nothing, ask no server.")
@click.option(
    "--no-sign-in",
    is_flag=True,
    expose_value=False,  # until there is a sign-in, there is none to leave out
    help="Do not sign in at the end; this version never does.",
)
@json_option
def provision(
    phone: str | None,
    user: str | None,
    extension: str,
    pin_stdin: bool,
    pin_fd: int | None,
    web_services_url: str | None,
    registrar: str | None,
    ca_file: Path | None,
    key: str | None,
    key_bits: str,
    replace: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Give PHONE its key and its user certificate, and prove that it holds them.

    PHONE is a port path (1-1.4.2), serial:… or mac:…; it may be left out when one is attached.
    The PIN is asked for on the terminal, or comes by --pin-stdin or --pin-fd, and is sent to the
    server once. A job that was interrupted goes on when the command is repeated.

    \b
    Examples:
      usbprov provision --extension 1001 --web-services-url URL
      usbprov provision 1-1.4 --user sip:alice@contoso.com --extension 1001 --pin-stdin --json
      usbprov provision --extension 1001 --dry-run
    """
    if web_services_url is None:
        raise UsageError("--web-services-url is missing (or web_services_url in the settings)")
    order = Order(
        web_services_url=web_services_url,
        extension=extension,
        user=_sip_uri(user),
        registrar=registrar,
        key=KeySource(key) if key else None,
        bits=int(key_bits),
        replace=replace,
    )
    settings = current()
    pin = pin_source(stdin=pin_stdin, descriptor=pin_fd, who=user or f"extension {extension}")
    manner = Manner(ca_file, dry_run, as_json, quiet=settings.verbosity == 0)
    with settings.ledger() as ledger:
        provision_one(settings.find(phone), order, ledger, pin, manner)


def _sip_uri(user: str | None) -> str | None:
    """Take a user with or without its scheme; it must have a domain."""
    if user is None:
        return None
    address = user.removeprefix("sip:")
    name, at, domain = address.partition("@")
    if not (name and at and domain) or any(c.isspace() or c == "@" for c in name + domain):
        raise UsageError(f"--user {user!r} is no SIP URI like sip:alice@contoso.com")
    return f"sip:{address}"
