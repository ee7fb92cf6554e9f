"""``usbprov ledger purge``: the details of old jobs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from usbprov.cli import documents
from usbprov.cli.confirming import confirmed, yes_option
from usbprov.cli.options import json_option, span_value
from usbprov.cli.settings import current
from usbprov.cli.text import pairs
from usbprov.cli.waiting import waiting

if TYPE_CHECKING:
    from usbprov.ledger.ledger import Ledger
    from usbprov.ledger.purge import Purged
    from usbprov.ledger.purge_plan import Plan


@click.command()
@click.option(
    "--older-than",
    "age",
    metavar="AGE",
    required=True,
    callback=span_value,
    help="Jobs that were finished so long ago are meant: 180d, 8h.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@yes_option
@json_option
def purge(age: timedelta, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove the details of old jobs: steps, what was learnt, errors, requests, extensions.

    Certificates and thumbprints stay, and so do jobs that are not finished. The chain is cut, and
    says so: `ledger verify` holds afterwards, and still sees what is altered before and after.
    Make a backup first if the details may be needed; it has them, too.

    \b
    Examples:
      usbprov ledger purge --older-than 180d --dry-run
      usbprov ledger purge --older-than 180d
      usbprov ledger purge --older-than 180d --yes --json     # from a timer
    """
    before = datetime.now(UTC) - age
    with current().ledger() as opened:
        if dry_run:
            _show_plan(_plan(opened, before), as_json=as_json)
        else:
            _purge(opened, before, yes=yes, as_json=as_json)


def _plan(opened: "Ledger", before: datetime) -> "Plan":
    from usbprov.ledger.purge import plan_purge

    return plan_purge(opened.database, before)


def _show_plan(plan: "Plan", *, as_json: bool) -> None:
    if as_json:
        documents.show({"outcome": "planned", **documents.purge_plan(plan)})
    else:
        click.echo(f"Would remove {plan}." if plan.jobs else _NOTHING)


_NOTHING = "There is nothing to remove."


def _purge(opened: "Ledger", before: datetime, *, yes: bool, as_json: bool) -> None:
    from usbprov.ledger.purge import purge as remove
    from usbprov.ledger.purge import purge_tapes

    with waiting("verifying", silent=as_json) as shown:

        def may(plan: "Plan") -> bool:
            shown.stop()
            question = f"This removes {plan}; it cannot be undone. Go on?"
            return confirmed(question, yes=yes, as_json=as_json)

        done = remove(opened.database, before, may)
    tapes = purge_tapes(opened.path, opened.database, before) if done or yes else 0
    copies = _copies(opened)
    if as_json:
        documents.show(documents.purged(done, tapes, copies))
        return
    click.echo(f"Removed {done.plan}." if done else _NOTHING)
    click.echo(pairs(_lines(done, tapes, copies)))


def _copies(opened: "Ledger") -> list[Path]:
    """Return the older ledgers that are kept beside this one, which have the details still."""
    path = opened.path.resolve()
    return sorted(path.parent.glob(f"{path.name}.before-*"))


def _lines(done: "Purged | None", tapes: int, copies: list[Path]) -> list[tuple[str, str]]:
    lines = [("recordings", str(tapes) if tapes else "")]
    if done is not None:
        size = done.size
        lines += [
            ("entry", str(done.entry)),
            ("hash", done.head),
            ("bytes", f"{size.before} before, {size.after} after"),
            ("log", "" if size.log_emptied else "another process still reads it: run vacuum later"),
        ]
    return [*lines, *(("kept copy", str(copy)) for copy in copies)]
