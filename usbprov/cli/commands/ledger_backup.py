"""``usbprov ledger backup``: a copy of one moment."""

from pathlib import Path

import click

from usbprov.cli import documents
from usbprov.cli.options import json_option
from usbprov.cli.settings import current
from usbprov.cli.text import pairs
from usbprov.cli.waiting import waiting


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def backup(file: Path, as_json: bool) -> None:
    """Copy the ledger into FILE, which must not be there, while benches go on writing.

    FILE is one SQLite file, readable for its owner only, whatever the ledger is kept in. It is
    there when it is whole. The hash is that of its last entry: write it down in another place.

    \b
    Examples:
      usbprov ledger backup /media/stick/ledger-2026-11-29.sqlite3
      usbprov --ledger postgresql://usbprov@db.contoso.com/usbprov ledger backup friday.sqlite3
      usbprov --ledger friday.sqlite3 ledger verify --expect HASH
    """
    from usbprov.ledger.backup import back_up

    with current().ledger() as opened, waiting("copying", silent=as_json) as told:
        made = back_up(opened.database, file, told)
    if as_json:
        documents.show({"outcome": "written", **documents.backup(made)})
        return
    click.echo(f"{file}: the ledger as it is now.")
    lines = [("entries", str(made.entries)), ("hash", made.head), ("last", made.at)]
    click.echo(pairs([*lines, ("bytes", str(made.size))]))
