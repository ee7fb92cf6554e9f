"""``usbprov ledger verify``: was the record altered?"""

import re
from typing import TYPE_CHECKING

import click

from usbprov.cli import documents
from usbprov.cli.options import json_option
from usbprov.cli.settings import current
from usbprov.cli.text import pairs
from usbprov.cli.waiting import waiting

if TYPE_CHECKING:
    from usbprov.ledger.checkpoint import Purge


def _hash(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Click callback: a SHA-256 in hex."""
    if value is None:
        return None
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", value):
        raise click.BadParameter("it is not a SHA-256 in hex (64 digits)")
    return value.lower()


@click.command("verify")
@click.option(
    "--expect",
    metavar="HASH",
    callback=_hash,
    help="A hash that this command gave earlier: nothing up to there may be gone, either.",
)
@json_option
def verify(expect: str | None, as_json: bool) -> None:
    """Check that nobody altered the ledger.

    Each write is an entry that holds the hash of the one before, so nothing in the middle can be
    changed or removed without a trace. Write the hash that is shown down, in another place: with
    --expect it shows later that nothing was removed at the end, and nothing written anew.
    """
    with current().ledger() as opened, waiting("verifying", silent=as_json):
        found = opened.verify(expect)
    if as_json:
        documents.show(documents.verified(found))
        return
    lines = [("entries", str(found.entries)), ("hash", found.head)]
    if found.at:
        lines.append(("last", found.at))
    if found.expected is not None:
        lines.append(("expected", f"is the hash of entry {found.expected}"))
    if found.purged:
        lines.append(("purged", _of_purge(found.purged)))
    click.echo("The ledger is what was written to it.")
    click.echo(pairs(lines))


def _of_purge(purge: "Purge") -> str:
    return (
        f"at {purge.at}: {purge.jobs} jobs that were finished before {purge.before};"
        f" the chain begins at entry {purge.up_to}"
    )
