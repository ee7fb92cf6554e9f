"""``usbprov check phone-bootstrap``: would a phone get its certificate, and sign in with it?"""

import click

from usbprov.cli.options import json_option
from usbprov.cli.servers import server_options


@click.command("phone-bootstrap")
@click.option(
    "--extension", required=True, help="The user's extension or phone number; goes with a PIN."
)
@click.option("--pin-stdin", is_flag=True, help="Read the PIN from standard input.")
@click.option("--pin-fd", type=click.IntRange(min=0), help="Read the PIN from a file descriptor.")
@click.option("--user", metavar="URI", help="The user to whom extension and PIN must belong.")
@click.option(
    "--other-extension",
    metavar="EXTENSION",
    help="Another user of the same pool, who is tried if the first fails: is it the user or the "
    "pool?",
)
@click.option(
    "--other-pin-fd",
    type=click.IntRange(min=0),
    help="Read that user's PIN from a file descriptor; else it is asked for.",
)
@server_options
@json_option
def check_phone_bootstrap(
    extension: str,
    pin_stdin: bool,
    pin_fd: int | None,
    user: str | None,
    other_extension: str | None,
    other_pin_fd: int | None,
    as_json: bool,
    **servers: object,
) -> None:
    """Do what a phone does with extension and PIN, step by step; no phone is needed.

    The servers are found and looked at, the chain downloaded, a Web ticket got by PIN, a
    certificate for a temporary key issued and published, and the user signed in with it and out
    again. The PIN is sent once. The certificate is that of a test device, so no phone's is
    replaced.

    With --other-extension another user's fate tells whose trouble it is. That user's PIN is sent
    once, too, and only if the first user is stopped.

    \b
    Examples:
      usbprov check phone-bootstrap --extension 1001 --user sip:alice@contoso.com
      usbprov check phone-bootstrap --extension 1001 --pin-stdin --web-services-url URL \\
        --registrar pool.contoso.com --json
    """
    from usbprov.cli.credentials import CredentialOptions
    from usbprov.cli.inquiries import run_inquiry
    from usbprov.cli.servers import ServerOptions
    from usbprov.engine.checks.bootstrap import PHONE_BOOTSTRAP

    given = CredentialOptions(extension=extension, pin_stdin=pin_stdin, pin_fd=pin_fd)
    options = ServerOptions(**servers)  # type: ignore[arg-type]  # click has checked them
    other = CredentialOptions(extension=other_extension, pin_fd=other_pin_fd)
    run_inquiry(
        PHONE_BOOTSTRAP,
        options,
        given,
        user,
        as_json=as_json,
        other=other if other_extension else None,
    )
