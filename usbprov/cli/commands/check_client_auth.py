"""``usbprov check client-auth``: does a Windows account get a certificate, and sign in?"""

import click

from usbprov.cli.options import json_option
from usbprov.cli.servers import server_options


@click.command("client-auth")
@click.option("--user", metavar="URI", required=True, help="The user: sip:alice@contoso.com.")
@click.option(
    "--login",
    metavar="ACCOUNT",
    help="The user's Windows account, DOMAIN\\user or user@realm; else the Kerberos ticket of "
    "whoever types this.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option(
    "--password-fd", type=click.IntRange(min=0), help="Read the password from a file descriptor."
)
@click.option(
    "--auth",
    type=click.Choice(["ntlm", "kerberos", "negotiate"]),
    help="How the account is proved; by default Kerberos where it is to be had, else NTLM.",
)
@server_options
@json_option
def check_client_auth(
    user: str,
    login: str | None,
    password_stdin: bool,
    password_fd: int | None,
    auth: str | None,
    as_json: bool,
    **servers: object,
) -> None:
    """Sign a Windows account in at both servers, and with a certificate got by it.

    The password is used once at the Web Services, and, only if they took it, once at the
    Registrar. The certificate is that of a test device, so no phone's is replaced.

    \b
    Examples:
      usbprov check client-auth --user sip:alice@contoso.com --login CONTOSO\\alice
      usbprov check client-auth --user sip:alice@contoso.com --auth kerberos --json
    """
    from usbprov.cli.credentials import CredentialOptions
    from usbprov.cli.inquiries import run_inquiry
    from usbprov.cli.servers import ServerOptions
    from usbprov.engine.checks.bootstrap import CLIENT_AUTH

    given = CredentialOptions(
        auth=auth or ("negotiate" if login else "kerberos"),
        login=login,
        password_stdin=password_stdin,
        password_fd=password_fd,
    )
    options = ServerOptions(**servers)  # type: ignore[arg-type]  # click has checked them
    run_inquiry(CLIENT_AUTH, options, given, user, as_json=as_json)
