"""``usbprov check``: is all as it must be? Each command is a list of checks with their results."""

import click

from usbprov.cli.lazy import LazyGroup

COMMANDS = {
    "host": (
        "usbprov.cli.commands.check_host:check_host",
        "This computer: rights, neighbours, limits.",
    ),
    "bus": ("usbprov.cli.commands.check_bus:check_bus", "USB controllers: room for more phones?"),
    "phone-bootstrap": (
        "usbprov.cli.commands.check_phone_bootstrap:check_phone_bootstrap",
        "The whole way of a phone with extension and PIN; no phone is needed.",
    ),
    "client-auth": (
        "usbprov.cli.commands.check_client_auth:check_client_auth",
        "The same with a Windows account.",
    ),
    "chain": (
        "usbprov.cli.commands.check_chain:check_chain",
        "Would a phone, a model or this computer accept a server?",
    ),
    "publication": (
        "usbprov.cli.commands.check_publication:check_publication",
        "Does the home pool know the certificate in a phone?",
    ),
    "phone": (
        "usbprov.cli.commands.check_phone:check_phone",
        "A phone: clock, roots, slots, firmware, configuration.",
    ),
    "all": (
        "usbprov.cli.commands.check_all:check_all",
        "All that needs no secret, side by side.",
    ),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def check() -> None:
    """Check that all is as it must be, and say what to do where it is not.

    Nothing is changed. Where something is wrong, the exit code is that of the first error that was
    found, or 8.
    """
