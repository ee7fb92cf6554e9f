"""``usbprov check``: is all as it must be? Each command is a list of checks with their results."""

import click

from usbprov.cli.lazy import LazyGroup

COMMANDS = {
    "host": (
        "usbprov.cli.commands.check_host:check_host",
        "This computer: rights, neighbours, limits.",
    ),
    "bus": ("usbprov.cli.commands.check_bus:check_bus", "USB controllers: room for more phones?"),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def check() -> None:
    """Check that all is as it must be, and say what to do where it is not.

    Nothing is changed. The exit code is 8 when something is wrong.
    """
