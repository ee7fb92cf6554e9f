"""``usbprov bench map``: learn what the ports are called, from one phone plugged in everywhere."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from usbprov.cli.rosters import DEFAULT_MAP, buses_now, map_option
from usbprov.cli.settings import current

if TYPE_CHECKING:
    from usbprov.bench.portmap import PortMap


@click.command("map")
@map_option
@click.option("--hub", metavar="NAME", default="A", show_default=True, help="The first hub's name.")
@click.option(
    "--columns",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="How many ports the hub has in a row.",
)
@click.option("--name", metavar="NAME", help="The bench's name.")
@click.option("--new", is_flag=True, help="Begin anew; what the file has is given up.")
@click.option("--until", type=click.IntRange(1), metavar="N", help="End after N ports.")
def bench_map(
    map_file: Path | None, hub: str, columns: int, name: str | None, new: bool, until: int | None
) -> None:
    """Learn what the ports are called: plug one phone into port after port, in their order.

    Each port is saved at once. Lines that are keyed in meanwhile: undo, skip, label NAME,
    hub NAME [COLUMNS], end.

    \b
    Examples:
      usbprov bench map --hub A --columns 4
      usbprov bench map --map second.toml --new --name bench-2
    """
    from usbprov.bench.mapping import MapLearner
    from usbprov.cli.mapping import Course, learn

    path = map_file or DEFAULT_MAP
    settings = current()
    buses = settings.buses()
    known = _known(path, name, new=new)
    present = [c.address for c in settings.candidates(buses) if c.driver is not None]
    learner = MapLearner(known, present)
    click.echo(learner.begin_hub(hub, columns))
    if present:
        click.echo(f"plugged in already, and not learnt before it was away: {', '.join(present)}")
    learn(Course(learner, path, columns, until), buses)


def _known(path: Path, name: str | None, *, new: bool) -> "PortMap":
    from dataclasses import replace

    from usbprov.bench.mapfile import read_map
    from usbprov.bench.portmap import PortMap

    today = buses_now()
    before = PortMap() if new or not path.exists() else read_map(path)
    known = before.now(today)
    lost = len(before.labels) - len(known.labels)
    if lost:
        click.echo(f"{lost} ports are of controllers that are not there now, and are given up")
    return replace(known, name=name or known.name, buses=today)
