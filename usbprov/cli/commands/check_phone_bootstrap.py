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
@server_options
@json_option
def check_phone_bootstrap(
    extension: str,
    pin_stdin: bool,
    pin_fd: int | None,
    user: str | None,
    as_json: bool,
    **servers: object,
) -> None:
    """Do what a phone does with extension and PIN, step by step; no phone is needed.

    The servers are found and looked at, the chain downloaded, a Web ticket got by PIN, a
    certificate for a temporary key issued and published, and the user signed in with it and out
    again. The PIN is sent once. The certificate is that of a test device, so no phone's is
    replaced.

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
    run_inquiry(PHONE_BOOTSTRAP, options, given, user, as_json=as_json)
