"""``usbprov bench``: many phones at once, from a roster."""

import click

from usbprov.cli.lazy import LazyGroup

COMMANDS = {
    "run": (
        "usbprov.cli.commands.bench_run:bench_run",
        "Work on every phone that is plugged in.",
    ),
    "check": (
        "usbprov.cli.commands.bench_check:bench_check",
        "Is the roster right, and what do the servers say of its users?",
    ),
    "map": (
        "usbprov.cli.commands.bench_map:bench_map",
        "Learn what the ports are called, and how they lie.",
    ),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def bench() -> None:
    """Stage many phones: plug in, watch the board, unplug, next."""
