"""``usbprov recover``: what state a phone is really in, and the shortest safe way to working."""

from typing import Any

import click

from usbprov.cli.credentials import credential_options
from usbprov.cli.options import json_option, phone_argument
from usbprov.cli.ordering import later_order_options, ordered
from usbprov.cli.settings import current


@click.command()
@phone_argument
@credential_options
@later_order_options
@click.option(
    "--replace", is_flag=True, help="A key or certificate that is of no use may be given up."
)
@click.option("--offline", is_flag=True, help="Ask no server; do what can be done without.")
@click.option("--dry-run", is_flag=True, help="Say what state it is in and what would be done.")
@json_option
def recover(
    phone: str | None,
    replace: bool,
    offline: bool,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Bring PHONE back to work: find out what is wrong, and do the least that cures it.

    The phone, the ledger and, where they are reached, the servers are looked at; a sign-in with
    the phone's own certificate shows whether it still counts. Then an interrupted job is finished,
    a certificate that was issued is installed, the phone's key gets a new certificate, roots,
    clock or settings are put right, or nothing is done, because all is well. No PIN is asked for
    unless a certificate must be asked for that nothing else can prove the user for. The old
    credential works until the new one is committed. A new key in place of another needs --replace
    or a word at the terminal.

    \b
    Examples:
      usbprov recover --dry-run
      usbprov recover 1-1.4 --extension 1001
      usbprov recover --offline
      usbprov recover serial:EMU0001 --replace --extension 1001 --pin-stdin --json
    """
    from usbprov.cli.recovering import Recoverer

    wanted, settings = ordered(given, dry_run=dry_run, as_json=as_json), current()
    with settings.ledger() as ledger:
        recoverer = Recoverer(ledger, *wanted, may_replace=replace, offline=offline)
        recoverer.recover(settings.find(phone))
