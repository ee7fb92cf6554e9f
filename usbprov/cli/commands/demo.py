"""``usbprov demo``: the whole job on this computer, with a lab and emulated phones."""

import tempfile
from pathlib import Path

import click

from usbprov.cli.failure import tell
from usbprov.cli.labs import personality_option
from usbprov.cli.provisioning import Manner, provision_one
from usbprov.cli.settings import Settings
from usbprov.engine.order import CredentialOrder, Order
from usbprov.errors import SomeFailed, UsbprovError
from usbprov.lab.phones import MAX_PHONES, parse_personality, port_paths
from usbprov.lab.up import Lab, LabFacts, LabOptions
from usbprov.lab.users import DEFAULT_USERS, LabUser
from usbprov.ledger.ledger import Ledger
from usbprov.net.credentials import Way


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
    """Run a lab with emulated phones, provision each of them, and end.

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
            _provision_all(lab.facts, ledger, phones)


def _provision_all(facts: LabFacts, ledger: Ledger, phones: int) -> None:
    """Provision one phone after the other; one that fails does not stop the rest.

    Raises:
        SomeFailed: Some of several phones failed.
        UsbprovError: The only phone failed.
    """
    failed = 0
    for path, user in zip(port_paths(phones), facts.users, strict=False):
        try:
            _provision(facts, ledger, path, user)
        except UsbprovError as error:
            if phones == 1:
                raise
            tell(error)
            failed += 1
    if failed:
        raise SomeFailed(failed, phones)


def _provision(facts: LabFacts, ledger: Ledger, path: str, user: LabUser) -> None:
    click.echo(f"\nPhone {path}, extension {user.extension}:")
    credential = CredentialOrder((Way.PIN,), user.extension)
    order = Order(facts.web_services_url, credential, registrar=facts.registrar)
    # The phones of other labs have the same serial numbers: locks of their own.
    locks = facts.ca_file.parent
    settings = Settings((facts.bus or "",), ledger_file=None, verbosity=1, lock_dir=locks)
    manner = Manner(ca_file=facts.ca_file)
    provision_one(settings.find(path), order, ledger, lambda: user.pin, manner)
