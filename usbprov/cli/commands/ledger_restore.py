"""``usbprov ledger restore``: a backup in the ledger's place."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from usbprov.cli import documents
from usbprov.cli.confirming import confirmed, yes_option
from usbprov.cli.options import json_option
from usbprov.cli.settings import current
from usbprov.cli.text import pairs
from usbprov.cli.waiting import waiting
from usbprov.errors import UsageError

if TYPE_CHECKING:
    from usbprov.ledger.copying import Told
    from usbprov.ledger.restore import Exchange, May, Restored


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@yes_option
@json_option
def restore(file: Path, yes: bool, as_json: bool) -> None:
    """Put the backup FILE in the ledger's place; what is there is kept beside it.

    FILE is verified first, and only read. No other process may use the ledger meanwhile. If the
    ledger has entries that FILE has not, it is asked whether they may be set aside. In a database
    on a server FILE can only be put if that has no entries yet.

    \b
    Examples:
      usbprov ledger restore /media/stick/ledger-2026-11-29.sqlite3
      usbprov ledger restore --yes friday.sqlite3
      usbprov ledger restore ledger.sqlite3.before-restore-20261129T170500Z    # undo that
    """
    with waiting("verifying", silent=as_json) as shown:

        def may(exchange: "Exchange") -> bool:
            shown.stop()
            return confirmed(_question(exchange), yes=yes, as_json=as_json)

        done = _restore(file, may, shown)
    if as_json:
        documents.show({"outcome": "restored", **documents.restored(done)})
        return
    click.echo("The backup is the ledger now.")
    click.echo(pairs(_lines(done)))


def _restore(file: Path, may: "May", told: "Told") -> "Restored":
    from usbprov.ledger.restore import restore_file, restore_on_server

    with current().ledger() as opened:
        place = opened.database.place
        if not isinstance(place, Path):
            return restore_on_server(opened.database, file, told)
        if place.exists() and place.samefile(file):
            raise UsageError(f"{file} is the ledger itself")
        return restore_file(place, file, may, told)


def _question(exchange: "Exchange") -> str:
    found = exchange.backup
    until = f"The backup ends with entry {found.entries}, at {found.at}." if found.at else ""
    if exchange.set_aside is None:
        return f"{until} The ledger cannot be read: nobody can say what it has more. Go on?"
    return (
        f"{until} {exchange.set_aside} of the ledger's {exchange.present} entries are not in it,"
        " and would be set aside. Go on?"
    )


def _lines(done: "Restored") -> list[tuple[str, str]]:
    aside = "unknown" if done.set_aside is None else str(done.set_aside)
    return [
        ("entries", str(done.backup.entries)),
        ("hash", done.backup.head),
        ("last", done.backup.at),
        ("set aside", aside if done.kept else ""),
        ("kept", str(done.kept or "")),
    ]
