"""``usbprov bench run``: a worker for every phone that is plugged in."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from usbprov.cli.keeping import Keeping, keeping_options
from usbprov.cli.key_options import key_bits_option
from usbprov.cli.options import json_option, old_tls_option
from usbprov.cli.ordering import required_url
from usbprov.cli.rosters import RosterOptions, roster_options
from usbprov.cli.servers import ca_file_option, discover_option
from usbprov.cli.settings import current, site
from usbprov.engine.order import CredentialOrder, KeySource, Order
from usbprov.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from usbprov.bench.admission import Rules
    from usbprov.bench.assignment import Assigner
    from usbprov.bench.bench import Setup
    from usbprov.bench.limits import Bounds
    from usbprov.bench.portmap import PortMap
    from usbprov.bench.readiness import Choices
    from usbprov.bench.roster import Roster
    from usbprov.bench.web.address import BoardAddress
    from usbprov.net.site import Site
    from usbprov.pki.vault.vault import Vault


@click.command("run")
@click.argument("roster", type=click.Path(path_type=Path, dir_okay=False))
@roster_options
@click.option("--web-services-url", metavar="URL", help="URL of the certificate service.")
@discover_option
@click.option("--registrar", metavar="HOST[:PORT]", help="Registrar of phones and sign-in.")
@ca_file_option
@old_tls_option
@click.option("--name", help="The bench's name; by default the map's, else this computer's.")
@click.option("--once", is_flag=True, help="End when all that is plugged in now is done.")
@click.option(
    "--until", type=click.IntRange(min=1), metavar="N", help="End when N phones are done."
)
@click.option("--again", is_flag=True, help="Users who have a phone may get a further one.")
@click.option("--replace", is_flag=True, help="Replace what is in phones already.")
@click.option(
    "--key",
    type=click.Choice([KeySource.PHONE.value, KeySource.HOST.value, KeySource.VAULT.value]),
    help="Who makes the keys; by default the phone if it can, else this computer.",
)
@key_bits_option
@keeping_options
@click.option("--no-sign-in", is_flag=True, help="Do not sign in at the Registrar in the end.")
@click.option(
    "--ports",
    type=click.IntRange(1, 1000),
    default=128,
    show_default=True,
    help="Phones worked on at a time.",
)
@click.option(
    "--calls",
    type=click.IntRange(1, 1000),
    default=16,
    show_default=True,
    help="Calls to the servers at a time.",
)
@click.option(
    "--key-threads",
    type=click.IntRange(1, 256),
    help="Keys made at a time for phones that cannot; by default one a processor.",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="How long what may pass by itself is tried again.",
)
@click.option(
    "--board", metavar="[HOST:]PORT", help="Show the bench to browsers, too; 0 for a free port."
)
@json_option
def bench_run(roster: Path, as_json: bool, **given: Any) -> None:
    """Stage the phones of ROSTER (CSV or XLSX): plug in, watch the board, unplug, next.

    Every phone that is plugged in gets its user, key and certificate, and is proved. "done: unplug"
    is shown only when all of that is done. A phone that is pulled early goes on when it is back, at
    any port; so does everything when the program is ended and started again.

    \b
    Examples:
      usbprov bench run users.csv --secrets pins.toml --web-services-url URL --registrar HOST
      usbprov bench run users.xlsx --assign scan --key-in-pins --web-services-url URL
      usbprov bench run users.csv --secrets pins.toml --once --json --discover
      usbprov bench run users.csv --secrets pins.toml --board 8080 --web-services-url URL
    """
    from usbprov.bench.pins import PinDesk
    from usbprov.bench.readiness import ready
    from usbprov.bench.rosterfile.reading import read_roster
    from usbprov.bench.secrets import KeyedPins
    from usbprov.cli.benches import Place, Show, Until, run_bench

    keeping = Keeping.taken_from(given)
    reading, keyed, options = read_roster(roster), KeyedPins(), RosterOptions.taken_from(given)
    choices = options.choices(reading.roster, keyed, now=True)
    users = ready(reading, choices)
    settings, servers = current(), site(given["allow_old_tls"])
    order = replace(_order(_with_servers(given, users, servers)), old_tls=servers.old_tls())
    setup = replace(_setup(users, choices, order, given), sealing=keeping.sealing)
    if options.key_in_pins:
        setup = replace(setup, pins=PinDesk(keyed))
    if order.key is KeySource.VAULT:
        setup = replace(setup, vault=_unlocked(keeping))
    with settings.ledger() as ledger:
        place = Place(
            settings.buses(),
            settings.reach(),
            ledger,
            given["ca_file"],
            servers,
            _ports(choices.port_map, settings.bus_uris),
        )
        until = Until(given["once"], given["until"])
        show = Show(
            as_json, settings.verbosity == 0, not options.password_stdin, _web(given["board"])
        )
        run_bench(place, setup, until, show)


def _unlocked(keeping: Keeping) -> "Callable[[], Vault]":
    """Have the passphrase now: later the board has the terminal."""
    opened = keeping.vault()
    opened.unlock()
    return lambda: opened


def _web(text: str | None) -> "BoardAddress | None":
    """Read where browsers are to be shown the bench."""
    from usbprov.bench.web.address import BoardAddress

    try:
        return BoardAddress.parse(text) if text else None
    except ValueError as error:
        raise UsageError(f"--board: {error}") from None


def _with_servers(given: dict[str, Any], users: "Roster", servers: "Site") -> dict[str, Any]:
    """Fill in the servers that are to be found by the roster's SIP domain."""
    from usbprov.cli.benches import find_servers

    if given["web_services_url"] is not None or not given["discover"]:
        return given
    found = find_servers(users, given["ca_file"], servers)
    return given | {
        "web_services_url": found.require(),
        "registrar": given["registrar"] or found.registrar,
    }


def _order(given: dict[str, Any]) -> Order:
    """Return what every job does; the user is filled in when a phone has one."""
    from usbprov.registrar.client import RegistrarAddress
    from usbprov.webservices.urls import service_url

    registrar = given["registrar"]
    return Order(
        web_services_url=service_url(required_url(given["web_services_url"])),
        credential=CredentialOrder(()),
        registrar=registrar and str(RegistrarAddress.parse(registrar)),
        key=KeySource(given["key"]) if given["key"] else None,
        bits=int(given["key_bits"]),
        replace=given["replace"],
        sign_in=not given["no_sign_in"],
    )


def _setup(roster: "Roster", choices: "Choices", order: Order, given: dict[str, Any]) -> "Setup":
    from usbprov.bench.again import Patience
    from usbprov.bench.bench import Setup

    return Setup(
        name=given["name"] or _name(choices.port_map),
        roster=roster,
        assigner=_assigner(roster, choices),
        secrets=choices.secrets,
        order=order,
        rules=_rules(given),
        bounds=_bounds(given),
        patience=Patience(seconds=given["patience"]),
    )


def _name(port_map: "PortMap | None") -> str:
    import socket

    from usbprov.bench.portmap import DEFAULT_NAME

    named = port_map is not None and port_map.name != DEFAULT_NAME
    return port_map.name if port_map is not None and named else socket.gethostname()


def _assigner(roster: "Roster", choices: "Choices") -> "Assigner":
    from usbprov.bench.assignment import STEADY
    from usbprov.bench.scanning import ByScan

    return STEADY[choices.by](roster) if choices.by in STEADY else ByScan(roster)


def _rules(given: dict[str, Any]) -> "Rules":
    from usbprov.bench.admission import Rules

    return Rules(given["again"], given["replace"])


def _bounds(given: dict[str, Any]) -> "Bounds":
    from usbprov.bench.limits import Bounds, processors

    threads = given["key_threads"] or processors()
    return Bounds(given["ports"], given["calls"], threads)


def _ports(port_map: "PortMap | None", uris: tuple[str, ...]) -> "PortMap":
    from usbprov.bench.portmap import PortMap

    return replace(port_map or PortMap(), uris=uris)
