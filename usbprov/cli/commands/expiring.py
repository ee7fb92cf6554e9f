"""``usbprov expiring``: which phones' certificates end soon, from the ledger."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from usbprov.cli import documents
from usbprov.cli.options import json_option, span_value
from usbprov.cli.settings import current
from usbprov.cli.text import local, table

if TYPE_CHECKING:
    from usbprov.engine.checks.expiry import Expiry


@click.command()
@click.option(
    "--within",
    metavar="SPAN",
    default="30d",
    show_default=True,
    callback=span_value,
    help="Those that end within that time, or have ended: 90m, 8h, 30d.",
)
@json_option
def expiring(within: timedelta, as_json: bool) -> None:
    """Show the phones whose user certificate ends soon, or has ended; the first to end first.

    It is read from the ledger, and no phone is needed: of each phone the certificate that this
    ledger's jobs have put in use. Phones that were retired are left out. The exit code is 0 also
    where there are some.

    \b
    Examples:
      usbprov expiring
      usbprov expiring --within 90d --json
      usbprov --ledger postgresql://bench@db/usbprov expiring --within 14d
    """
    from usbprov.engine.checks.expiry import expiries

    now = datetime.now(UTC)
    with current().ledger() as ledger:
        found = [one for one in expiries(ledger) if one.not_after <= now + within]
    if as_json:
        documents.show([_document(one, now) for one in found])
    elif found:
        heads = ("ENDS", "LEFT", "USER", "PHONE", "MAC", "THUMBPRINT")
        click.echo(table(heads, [_row(one, now) for one in found]))
    else:
        click.echo("No certificate that this ledger knows ends within that time.")


def _row(one: "Expiry", now: datetime) -> tuple[str, ...]:
    from usbprov.engine.checks.renewal import span

    left = one.not_after - now
    words = span(left) if left > timedelta() else "expired"
    job = one.job
    ends = local(one.not_after)
    return (ends, words, job.user or "-", job.phone_serial, job.phone_mac, one.sha1.upper())


def _document(one: "Expiry", now: datetime) -> documents.Document:
    job = one.job
    return {
        "not_after": documents.moment(one.not_after),
        "days_left": (one.not_after - now) // timedelta(days=1),
        "is_due": one.is_due(now),
        "user": job.user,
        "phone": documents.job(job)["phone"],
        "job": job.id,
        "sha256": one.sha256,
        "sha1": one.sha1,
    }
