"""``usbprov provision``: one phone, the whole job."""

from pathlib import Path
from typing import Any

import click

from usbprov.cli.credentials import (
    CredentialOptions,
    credential_options,
    credential_order,
    secret_of,
)
from usbprov.cli.keeping import Keeping, keeping_options
from usbprov.cli.options import (
    json_option,
    old_tls_option,
    phone_argument,
    retry_option,
    return_option,
)
from usbprov.cli.provisioning import Manner, provision_one
from usbprov.cli.servers import ca_file_option, discover_option, discovered
from usbprov.cli.settings import current, site
from usbprov.cli.users import sip_uri
from usbprov.engine.order import KeySource, Order
from usbprov.engine.retry import RetryPolicy
from usbprov.errors import UsageError
from usbprov.pki.keys import DEFAULT_RSA_BITS, RSA_SIZES
from usbprov.registrar.client import RegistrarAddress
from usbprov.webservices.discovery.report import DiscoveryRequest
from usbprov.webservices.urls import service_url


@click.command()
@phone_argument
@click.option(
    "--user", metavar="URI", help="The user: sip:alice@contoso.com. Else the ticket says."
)
@credential_options
@click.option("--web-services-url", metavar="URL", help="URL of the certificate service.")
@discover_option
@click.option("--registrar", metavar="HOST[:PORT]", help="Registrar of phone and sign-in.")
@ca_file_option
@old_tls_option
@retry_option
@return_option
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
@click.option(
    "--replaces",
    metavar="SERIAL|MAC",
    help="With --key vault: give this phone the user's key pair of the phone that it replaces.",
)
@keeping_options
@click.option("--replace", is_flag=True, help="Replace what the phone's slot holds.")
@click.option("--dry-run", is_flag=True, help="Show the plan; touch nothing, ask no server.")
@click.option(
    "--no-sign-in",
    is_flag=True,
    help="Do not sign in at the Registrar in the end.",
)
@click.option("--no-tape", is_flag=True, help="Do not record the job for a support bundle.")
@json_option
def provision(
    phone: str | None,
    user: str | None,
    web_services_url: str | None,
    discover: bool,
    registrar: str | None,
    ca_file: Path | None,
    allow_old_tls: tuple[str, ...],
    retry_seconds: float,
    return_seconds: float,
    key: str | None,
    key_bits: str,
    replaces: str | None,
    replace: bool,
    dry_run: bool,
    no_sign_in: bool,
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
    keeping = Keeping.taken_from(given)
    options, servers = CredentialOptions(**given), site(allow_old_tls)
    if replaces and key != KeySource.VAULT:
        raise UsageError("--replaces needs --key vault")
    if web_services_url is None and discover:
        found = discovered(DiscoveryRequest(user=user, ca_file=ca_file, site=servers))
        web_services_url, registrar = found.require(), registrar or found.registrar
    if web_services_url is None:
        raise UsageError("--web-services-url is missing (or in the settings), or --discover")
    order = Order(
        web_services_url=service_url(web_services_url),
        credential=credential_order(options),
        user=sip_uri(user),
        registrar=_registrar(registrar),
        key=KeySource(key) if key else None,
        bits=int(key_bits),
        replace=replace,
        old_tls=servers.old_tls(),
        sign_in=not no_sign_in,
        replaces=replaces,
    )
    settings = current()
    secret = secret_of(options, user)
    manner = Manner(
        ca_file,
        dry_run,
        as_json,
        quiet=settings.verbosity == 0,
        site=servers,
        retries=RetryPolicy(seconds=retry_seconds),
        return_seconds=return_seconds,
        tape=not no_tape,
        keeping=keeping,
    )
    with settings.ledger() as ledger:
        provision_one(settings.find(phone), order, ledger, secret, manner)


def _registrar(text: str | None) -> str | None:
    """Refuse an address that cannot be one before anything is done."""
    return text and str(RegistrarAddress.parse(text))
