"""``usbprov lab``: the other side, for trying, teaching and testing."""

import signal
import threading
from pathlib import Path

import click

from usbprov.cli import documents
from usbprov.cli.commands.lab_phone import phone
from usbprov.cli.labs import personality_option, show_call, show_lab
from usbprov.cli.lazy import CheckedGroup
from usbprov.cli.options import json_option, lab_dir_option
from usbprov.cli.text import pairs, table

_PORT = click.IntRange(0, 65535)


@click.group(cls=CheckedGroup)
def lab() -> None:
    """Run the other side: Web Services with users and a store, and emulated phones.

    A lab listens on this computer's loopback addresses only.
    """


@lab.command()
@lab_dir_option
@click.option("--phones", type=click.IntRange(0), default=0, help="How many phones to emulate.")
@click.option(
    "--users",
    "users_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Users file (TOML); by default alice, bob and carol at contoso.test.",
)
@click.option(
    "--policy",
    multiple=True,
    metavar="NAME=VALUE",
    help="A server setting, as in the users file's [policy] table; see docs/lab.md. Repeatable.",
)
@click.option(
    "--keytab",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Take Kerberos too, with this keytab of HTTP/HOST@REALM.",
)
@click.option("--no-chain-download", is_flag=True, help="Refuse the chain download.")
@click.option("--host", default="localhost", show_default=True, help="Name of the server.")
@click.option("--https-port", type=_PORT, default=0, help="0, the default: a free one.")
@click.option("--http-port", type=_PORT, default=0, help="0, the default: a free one.")
@click.option("--sip-port", type=_PORT, default=0, help="0, the default: a free one.")
@click.option("--usbip-port", type=_PORT, default=0, help="0, the default: a free one.")
@click.option(
    "--fault", "faults", multiple=True, metavar="NAME[=ARG]", help="Misbehave; see `lab faults`."
)
@personality_option
@json_option
def up(
    directory: Path,
    phones: int,
    users_file: Path | None,
    policy: tuple[str, ...],
    keytab: Path | None,
    no_chain_download: bool,
    host: str,
    https_port: int,
    http_port: int,
    sip_port: int,
    usbip_port: int,
    faults: tuple[str, ...],
    personality: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run a lab in the foreground until Ctrl-C or SIGTERM.

    When all is ready, DIR/lab.json says where everything is. A second start with the same --dir
    goes on with the same CA, users, published certificates and phones. Each call is shown as it
    comes, and kept in DIR/calls.log.

    \b
    Examples:
      usbprov lab up --dir lab --phones 2
      usbprov lab up --dir lab --phones 1 --personality keygen-seconds=20 --fault slow=3
      usbprov lab up --dir lab --policy min-key-bits=3072 --policy validity-hours=24
    """
    from usbprov.lab.phones import parse_personality
    from usbprov.lab.up import Lab, LabOptions
    from usbprov.lab.users import DEFAULT_USERS

    options = LabOptions(
        dir=directory,
        phones=phones,
        users_file=users_file,
        synthetic_users=0 if users_file else max(0, phones - len(DEFAULT_USERS)),
        host=host,
        https_port=https_port,
        http_port=http_port,
        sip_port=sip_port,
        usbip_port=usbip_port,
        faults=faults,
        personality=parse_personality(personality),
        policy=(*policy, *(["chain-download=off"] if no_chain_download else [])),
        keytab=keytab,
    )
    with Lab(options, None if as_json else show_call) as running:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        show_lab(running.facts, as_json=as_json)
        running.wait(stop)


@lab.command()
@lab_dir_option
@click.option("--phones", type=click.IntRange(1), required=True, help="How many.")
@click.option(
    "--first",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of the first; gives serial numbers and MACs.",
)
@click.option("--usbip-port", type=_PORT, default=0, help="0, the default: a free one.")
@personality_option
def phones(
    directory: Path, phones: int, first: int, usbip_port: int, personality: tuple[str, ...]
) -> None:
    """Run only the emulated phones of a lab, until standard input ends or Ctrl-C.

    `lab up` runs them by itself. This brings them back after their process was killed, as
    their state files have them: like plugging them in again.

    For several benches at one lab each table of phones has a folder of its own, with a copy of
    the lab's authority/root-ca.pem in it, and numbers of its own (--first).
    """
    from usbprov.lab.phonebank import PhonesOptions
    from usbprov.lab.phones import parse_personality, run

    options = PhonesOptions(
        directory,
        phones,
        port=usbip_port,
        personality=parse_personality(personality),
        first=first,
    )
    run(options, lambda facts: click.echo(f"bus  {facts['bus']}"))


@lab.command()
@lab_dir_option
@json_option
def users(directory: Path, as_json: bool) -> None:
    """Show the lab's users, with their PINs and passwords: they are made up."""
    from usbprov.lab.up import lab_users

    rows = [user.row() for user in lab_users(directory)]
    if as_json:
        documents.show(rows)
        return
    heads = ("sip_uri", "extension", "pin", "user_name", "domain", "password", "home_pool")
    click.echo(table(heads, [[row[head] for head in heads] for row in rows]))


@lab.command()
@lab_dir_option
@json_option
def published(directory: Path, as_json: bool) -> None:
    """Show the certificates that the lab's home pools know, of all users and devices."""
    from usbprov.lab import store

    rows = [publication.row() for publication in store.published(directory)]
    if as_json:
        documents.show(rows)
        return
    heads = ("sip_uri", "device_id", "sha256", "not_after")
    click.echo(table(heads, [[row[head] for head in heads] for row in rows]))


@lab.command()
@lab_dir_option
@click.argument("sip_uri")
def revoke(directory: Path, sip_uri: str) -> None:
    """Remove all published certificates of the user SIP_URI."""
    from usbprov.lab import store

    count = store.revoke(directory, sip_uri)
    click.echo(f"{count} certificates of {sip_uri} revoked")


@lab.command()
@lab_dir_option
@click.argument("sip_uri")
@click.argument("pool")
@click.option(
    "--leave-certificates", is_flag=True, help="They stay in the old pool: a move that got stuck."
)
def move(directory: Path, sip_uri: str, pool: str, leave_certificates: bool) -> None:
    """Move the user SIP_URI to another home POOL (its FQDN), also while the lab runs.

    The Registrar then sends him on to the other pool's.

    \b
    Examples:
      usbprov lab move sip:alice@contoso.test pool02.contoso.test --dir lab
    """
    from usbprov.lab.moves import move

    move(directory, sip_uri, pool, with_certificates=not leave_certificates)
    click.echo(f"{sip_uri} moved to {pool}")


@lab.command("sign-ins")
@lab_dir_option
@json_option
def list_sign_ins(directory: Path, as_json: bool) -> None:
    """Show who has signed in at the lab's Registrar or tried to, oldest first."""
    from usbprov.lab.registrar.signins import sign_ins

    rows = [one.row() for one in sign_ins(directory)]
    if as_json:
        documents.show(rows)
        return
    heads = ("at", "sip_uri", "device_id", "scheme", "protocol", "outcome")
    click.echo(table(heads, [[row[head] for head in heads] for row in rows]))


@lab.command()
@lab_dir_option
@click.argument("name", metavar="NAME[=ARG]")
@click.argument("state", type=click.Choice(["on", "off"]))
def fault(directory: Path, name: str, state: str) -> None:
    """Switch a fault of a lab that runs on or off; see `lab faults`.

    What is switched holds when the command returns. A TLS handshake that is over is not done again:
    faults of the handshake show in new connections.

    \b
    Examples:
      usbprov lab fault store-unreachable=2 on --dir lab
      usbprov lab fault store-unreachable off --dir lab
    """
    from usbprov.lab.faults import faults_of, parse_fault, parse_name

    with faults_of(directory) as running:
        if state == "on":
            running.switch_on(parse_fault(name))
        else:
            running.switch_off(parse_name(name.partition("=")[0]))
    click.echo(f"fault {name} is {state}")


@lab.command()
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Show the faults that are on in the lab that runs in this folder.",
)
@json_option
def faults(directory: Path | None, as_json: bool) -> None:
    """Show what a lab can be told to do wrong, with --fault and `lab fault`."""
    from usbprov.lab.faults import FAULTS, faults_of

    if directory is not None:
        with faults_of(directory) as running:
            on = {setting.name.value: setting.argument for setting in running.settings()}
        if as_json:
            documents.show(on)
        else:
            click.echo(pairs((n, "on" if a is None else str(a)) for n, a in on.items()) or "none")
        return
    rows = [(n.value + k.argument.form, k.scope.value, k.help) for n, k in FAULTS.items()]
    if as_json:
        documents.show([dict(zip(("fault", "acts_on", "help"), row, strict=True)) for row in rows])
        return
    click.echo(pairs((fault, f"{help_} ({scope})") for fault, scope, help_ in rows))


@lab.command()
def personalities() -> None:
    """Show how emulated phones can be told to behave with --personality."""
    from usbprov.emulation.registry import emulators

    for family, emulator in emulators().items():
        click.echo(click.style(family, bold=True))
        click.echo(pairs(emulator.personalities.items()))


lab.add_command(phone)
