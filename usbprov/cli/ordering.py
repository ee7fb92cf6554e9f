"""The options that say what a new certificate is to be, and from which servers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from usbprov.cli.credentials import CredentialOptions, credential_order, secret_of
from usbprov.cli.keeping import Keeping, keeping_options
from usbprov.cli.key_options import key_bits_option
from usbprov.cli.options import old_tls_option, retry_option, return_option, with_options
from usbprov.cli.servers import ca_file_option, discover_option, discovered
from usbprov.cli.settings import current, site
from usbprov.cli.users import sip_uri
from usbprov.engine.order import CredentialOrder, KeySource, Order
from usbprov.errors import UsageError
from usbprov.pki.keys import DEFAULT_RSA_BITS

if TYPE_CHECKING:
    from usbprov.cli.provisioning import Manner

F = TypeVar("F", bound=Callable[..., object])

_SAME = "; else as before"
_BY_TICKET = ". Else the ticket says"
"""What holds where a phone's user or servers are not named."""


def _options(user: str, servers: str, keys: Sequence[KeySource]) -> Sequence[Callable[[F], F]]:
    """Return the options; ``user`` and ``servers`` say what holds where they are not given."""
    return (
        click.option("--user", metavar="URI", help=f"The user: sip:alice@contoso.com{user}."),
        click.option(
            "--web-services-url", metavar="URL", help=f"URL of the certificate service{servers}."
        ),
        discover_option,
        click.option(
            "--registrar",
            metavar="HOST[:PORT]",
            help=f"Registrar of phone and sign-in{servers}.",
        ),
        ca_file_option,
        old_tls_option,
        retry_option,
        return_option,
        click.option(
            "--key",
            type=click.Choice([source.value for source in keys]),
            help="Who makes a new key; by default the phone if it can, else this computer.",
        ),
        key_bits_option,
        keeping_options,
        click.option(
            "--no-sign-in", is_flag=True, help="Do not sign in at the Registrar in the end."
        ),
    )


@dataclass(frozen=True)
class OrderOptions:
    """What was given of them; the names are the options' own."""

    user: str | None = None
    web_services_url: str | None = None
    discover: bool = False
    registrar: str | None = None
    ca_file: Path | None = None
    allow_old_tls: tuple[str, ...] = ()
    retry_seconds: float = 60.0
    return_seconds: float = 90.0
    key: str | None = None
    key_bits: str = str(DEFAULT_RSA_BITS)
    no_sign_in: bool = False

    def order(self, credential: CredentialOrder) -> Order:
        """Return the order; addresses that nobody gave are empty: ledger or phone know them.

        Raises:
            UsageError: An address is none, or nothing was found.
        """
        from usbprov.registrar.client import RegistrarAddress
        from usbprov.webservices.urls import service_url

        url, registrar = self._servers()
        return Order(
            web_services_url=service_url(url) if url else "",
            credential=credential,
            user=sip_uri(self.user),
            registrar=registrar and str(RegistrarAddress.parse(registrar)),
            key=KeySource(self.key) if self.key else None,
            bits=int(self.key_bits),
            old_tls=site(self.allow_old_tls).old_tls(),
            sign_in=not self.no_sign_in,
        )

    def _servers(self) -> tuple[str | None, str | None]:
        if self.web_services_url or not self.discover:
            return self.web_services_url, self.registrar
        from usbprov.webservices.discovery.report import DiscoveryRequest

        servers = site(self.allow_old_tls)
        found = discovered(DiscoveryRequest(user=self.user, ca_file=self.ca_file, site=servers))
        return found.require(), self.registrar or found.registrar

    def manner(self, keeping: Keeping, *, dry_run: bool, as_json: bool) -> "Manner":
        """Return how the job is run and shown."""
        from usbprov.cli.provisioning import Manner
        from usbprov.engine.retry import RetryPolicy

        return Manner(
            self.ca_file,
            dry_run,
            as_json,
            quiet=current().verbosity == 0,
            site=site(self.allow_old_tls),
            retries=RetryPolicy(seconds=self.retry_seconds),
            return_seconds=self.return_seconds,
            tape=False,
            keeping=keeping,
        )


def order_options(function: F) -> F:
    """Add those of a first order; the command gets them by the names of ``OrderOptions``."""
    return with_options(function, _options(_BY_TICKET, "", tuple(KeySource)))


def later_order_options(function: F) -> F:
    """Add those for a phone that was provisioned before: ledger and phone know the rest."""
    made = tuple(source for source in KeySource if source is not KeySource.EXISTING)
    return with_options(function, _options(_SAME, _SAME, made))


def required_url(url: str | None) -> str:
    """Return the URL of the Web Services.

    Raises:
        UsageError: Nobody has named one.
    """
    if not url:
        raise UsageError("--web-services-url is missing (or in the settings), or --discover")
    return url


class Wanted(NamedTuple):
    """What the options come to.

    Attributes:
        order: The order.
        secret: Gives the PIN or password, when it is needed.
        manner: How the job is run and shown.
    """

    order: Order
    secret: Callable[[], str]
    manner: "Manner"


def ordered(given: Mapping[str, Any], *, dry_run: bool, as_json: bool) -> Wanted:
    """Read the options of ``order_options``, first or later, and ``credential_options``.

    Raises:
        UsageError: They contradict each other, or lack something.
    """
    rest = dict(given)
    keeping = Keeping.taken_from(rest)
    options = OrderOptions(**{f.name: rest.pop(f.name) for f in fields(OrderOptions)})
    proof = CredentialOptions(**rest)
    return Wanted(
        options.order(credential_order(proof)),
        secret_of(proof, options.user),
        options.manner(keeping, dry_run=dry_run, as_json=as_json),
    )
