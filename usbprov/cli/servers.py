"""The options that name the servers, and what this computer trusts of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from usbprov.cli.options import old_tls_option, with_options
from usbprov.cli.settings import site

if TYPE_CHECKING:
    from usbprov.engine.checks.network import RealNetwork
    from usbprov.net.deadline import TimeLimits
    from usbprov.net.site import Site
    from usbprov.webservices.discovery.report import Discovery, DiscoveryRequest

F = TypeVar("F", bound=Callable[..., object])

ca_file_option = click.option(
    "--ca-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Trust these CA certificates (PEM, DER, PKCS#7) instead of the system's.",
)
web_services_option = click.option(
    "--web-services-url", metavar="URL", help="URL of the certificate service; else it is found."
)
registrar_option = click.option(
    "--registrar", metavar="HOST[:PORT]", help="The Registrar (port 5061); else it is found."
)
discover_option = click.option(
    "--discover", is_flag=True, help="Find the Web Services, as `usbprov discover` does."
)
chain_download_option = click.option(
    "--chain-download-url",
    metavar="URL",
    help="The chain download; else the Web Services' host at port 80.",
)


@dataclass(frozen=True)
class ServerOptions:
    """What was given of them."""

    web_services_url: str | None = None
    registrar: str | None = None
    chain_download_url: str | None = None
    ca_file: Path | None = None
    allow_old_tls: tuple[str, ...] = ()

    def site(self) -> "Site":
        """Return what is settled about the servers; of the command's own thread only."""
        return site(self.allow_old_tls)

    def network(
        self, limits: "TimeLimits | None" = None, settled: "Site | None" = None
    ) -> "RealNetwork":
        """Return the way to these servers; nothing is sent yet.

        Args:
            limits: Time limits of each exchange.
            settled: What ``site`` has said before, for another thread.
        """
        from usbprov.engine.checks.network import RealNetwork
        from usbprov.net.deadline import DEFAULT_LIMITS

        return RealNetwork(self.ca_file, settled or self.site(), limits or DEFAULT_LIMITS)

    def chain_url(self) -> str | None:
        """Return the address of the chain download, checked; raises ``UsageError``."""
        from usbprov.webservices.trust.download import download_url

        return download_url(self.chain_download_url) if self.chain_download_url else None


def discovered(request: "DiscoveryRequest") -> "Discovery":
    """Find the Web Services; a name that proves nothing is told, but no secret is sent there."""
    from usbprov.webservices.discovery.finder import discover

    found = discover(replace(request, first_only=True))
    found.require_vouched()
    return found


def server_options(function: F) -> F:
    """Add all of them; the command gets them by the names of ``ServerOptions``."""
    options = (
        web_services_option,
        registrar_option,
        chain_download_option,
        ca_file_option,
        old_tls_option,
    )
    return with_options(function, options)
