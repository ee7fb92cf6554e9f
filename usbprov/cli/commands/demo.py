"""``usbprov demo``: the whole job on this computer, with a lab and emulated phones."""

import tempfile
from pathlib import Path

import click

from usbprov.bench.portmap import PortMap
from usbprov.cli.labs import personality_option
from usbprov.cli.provisioning import Manner, provision_one
from usbprov.cli.settings import Settings
from usbprov.engine.order import CredentialOrder, Order
from usbprov.lab.phones import MAX_PHONES, parse_personality, port_paths
from usbprov.lab.up import Lab, LabFacts, LabOptions
from usbprov.lab.users import DEFAULT_USERS, LabUser
from usbprov.ledger.ledger import Ledger
from usbprov.net.credentials import Way
from usbprov.net.site import Site


@click.command()
@click.option(
    "--phones", type=click.IntRange(1, MAX_PHONES), default=1, show_default=True, help="How many."
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the lab and the ledger in this folder; by default they are thrown away.",
)
@personality_option
def demo(phones: int, directory: Path | None, personality: tuple[str, ...]) -> None:
    """Run a lab with emulated phones, provision all of them at once, and end.

    Nothing but this computer's loopback is touched.

    \b
    Examples:
      usbprov demo
      usbprov demo --phones 5 --personality keygen-seconds=3
    """
    with tempfile.TemporaryDirectory(prefix="usbprov-demo-") as folder:
        options = LabOptions(
            dir=directory or Path(folder),
            phones=phones,
            synthetic_users=max(0, phones - len(DEFAULT_USERS)),
            personality=parse_personality(personality),
        )
        with Lab(options) as lab, Ledger(options.dir / "ledger.sqlite3") as ledger:
            click.echo(f"Lab: {lab.facts.web_services_url}, phones on {lab.facts.bus}")
            if phones == 1:
                _provision(lab.facts, ledger, port_paths(1)[0], lab.facts.users[0])
            else:
                _provision_all(lab.facts, ledger, phones)


def _provision_all(facts: LabFacts, ledger: Ledger, phones: int) -> None:
    """Stage all phones at once, as a bench does.

    Raises:
        SomeFailed: Some of them failed.
    """
    from usbprov.bench.assignment import Next
    from usbprov.bench.bench import Setup
    from usbprov.bench.roster import Roster, RosterEntry
    from usbprov.bench.secrets import Secrets
    from usbprov.cli.benches import Place, Show, Until, run_bench

    entries = tuple(
        RosterEntry(line, user.extension, user.sip_uri)
        for line, user in enumerate(facts.users[:phones], 1)
    )
    pins = {line: user.pin for line, user in enumerate(facts.users[:phones], 1)}
    roster, settings = Roster("demo", entries, pins), _settings(facts)
    order = Order(facts.web_services_url, CredentialOrder(()), registrar=facts.registrar)
    setup = Setup("demo", roster, Next(roster), Secrets((roster,)), order)
    place = Place(
        settings.buses(),
        settings.reach(),
        ledger,
        facts.ca_file,
        Site(),
        PortMap(uris=settings.bus_uris),
    )
    run_bench(place, setup, Until(once=True), Show())


def _settings(facts: LabFacts) -> Settings:
    """Return settings with locks of their own: other labs' phones have the same serial numbers."""
    locks = facts.ca_file.parent
    return Settings((facts.bus or "",), ledger_file=None, verbosity=1, lock_dir=locks)


def _provision(facts: LabFacts, ledger: Ledger, path: str, user: LabUser) -> None:
    click.echo(f"\nPhone {path}, extension {user.extension}:")
    credential = CredentialOrder((Way.PIN,), user.extension)
    order = Order(facts.web_services_url, credential, registrar=facts.registrar)
    manner = Manner(ca_file=facts.ca_file)
    provision_one(_settings(facts).find(path), order, ledger, lambda: user.pin, manner)
