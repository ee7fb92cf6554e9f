"""``usbprov renew``: a new certificate before the old one ends."""

from typing import Any

import click

from usbprov.cli.credentials import credential_options
from usbprov.cli.options import json_option, phone_argument
from usbprov.cli.ordering import later_order_options, ordered
from usbprov.cli.settings import current
from usbprov.errors import UsageError


@click.command()
@phone_argument
@click.option(
    "--all", "all_due", is_flag=True, help="All phones attached whose certificate is due."
)
@click.option("--new-key", is_flag=True, help="For a new key; by default the phone keeps its key.")
@credential_options
@later_order_options
@click.option("--dry-run", is_flag=True, help="Show the plan; write nothing.")
@json_option
def renew(
    phone: str | None,
    all_due: bool,
    new_key: bool,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Give PHONE a new certificate by the one that it has; nobody need know a PIN.

    The phone signs for itself with the certificate in use, as long as that is valid and published,
    the server takes certificates and the phone can sign. Else --extension with the PIN, or --login,
    proves the user. User, servers and key stay as they are. The old credential works until the new
    one is committed. A renewal that was interrupted goes on when it is repeated.

    With --all every phone attached is looked at, one after the other, and those are renewed whose
    certificate is in the last part of its life. A phone that fails does not stop the others; the
    exit code is then 10. `usbprov expiring` tells which phones to fetch.

    \b
    Examples:
      usbprov renew
      usbprov renew 1-1.4 --new-key
      usbprov renew --all
      usbprov renew --all --dry-run --json
    """
    from usbprov.cli.recovering import Recoverer
    from usbprov.cli.renewing import renew_all
    from usbprov.engine.recovery.repair import Aim

    wanted, settings = ordered(given, dry_run=dry_run, as_json=as_json), current()
    if all_due and (phone or wanted.order.credential.name or wanted.order.user):
        raise UsageError(
            "--all does not go with PHONE, --user, --extension or --login: they are one phone's"
        )
    aim = Aim(renews=True, new_key=new_key)
    with settings.ledger() as ledger:
        recoverer = Recoverer(ledger, *wanted, aim)
        if all_due:
            renew_all(settings.candidates(settings.buses()), recoverer)
        else:
            recoverer.recover(settings.find(phone))
