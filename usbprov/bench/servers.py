"""The servers as workers reach them: what can be shared is, and calls are bounded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from usbprov.bench.limits import CallLimit, ClosableServices, LimitedRegistrar, LimitedServices
from usbprov.bench.sharing import KEPT_SECONDS, Kept
from usbprov.engine.job import SignsIn
from usbprov.errors import ConfigInvalid
from usbprov.net.site import Site
from usbprov.webservices.ticket import TicketCache

if TYPE_CHECKING:
    from usbprov.webservices.metadata import Offer

_LATE_IMPORTS = (
    "usbprov.registrar.kerberos",
    "usbprov.registrar.ntlm",
    "usbprov.registrar.sign_in",
    "usbprov.registrar.taping",
    "usbprov.webservices.client",
    "usbprov.webservices.faults",
    "usbprov.webservices.issue",
    "usbprov.webservices.metadata",
    "usbprov.webservices.methods",
    "usbprov.webservices.publish",
    "usbprov.webservices.trust.download",
    "usbprov.webservices.trust.plan",
)
"""What is imported only when something is asked of a server; they import the rest."""

GoOn = Callable[[], None]
"""Raises when a job must stop."""


class Servers(Protocol):
    """What gives a worker its servers, for one attempt at a job."""

    @contextmanager
    def services(self, go_on: GoOn) -> Iterator[ClosableServices]:
        """Have Web Services within the block."""
        ...

    @contextmanager
    def registrar(self, go_on: GoOn) -> Iterator[SignsIn]:
        """Have the Registrar within the block."""
        ...

    def forget(self, user: str) -> None:
        """Forget what is kept for a user (SIP address) who has a phone now."""
        ...


@dataclass
class RealServers:
    """Web Services and Registrar of a site.

    Every worker has a connection of its own. They share the TLS contexts and parsed WSDL of the
    process, the tickets, the metadata of the services and the chain that they present.

    Attributes:
        url: URL of the certificate provisioning service.
        address: The Registrar's ``host[:port]``, or None.
        ca_file: The only trust anchors, or None for the system's.
        site: What the site has settled.
        limit: How many calls there are at a time.
    """

    url: str
    address: str | None
    ca_file: Path | None
    site: Site
    limit: CallLimit
    tickets: TicketCache = field(default_factory=TicketCache)
    _chain: Kept[list[bytes]] = field(default_factory=lambda: Kept(KEPT_SECONDS))
    _offer: "Kept[Offer]" = field(default_factory=lambda: Kept(KEPT_SECONDS))

    def prepare(self) -> None:
        """Load and read all that the first phone would have to wait for; nothing is sent."""
        from usbprov.net.tls import tls_context  # noqa: PLC0415 - only when needed
        from usbprov.webservices import soap  # noqa: PLC0415

        for name in _LATE_IMPORTS:
            import_module(name)
        soap.prepare()
        with suppress(ConfigInvalid):  # told when a server is asked
            tls_context(self.ca_file)

    @contextmanager
    def services(self, go_on: GoOn) -> Iterator[ClosableServices]:
        """Have Web Services within the block; nothing is sent before a method is called."""
        from usbprov.webservices.client import WebServices  # noqa: PLC0415 - only when needed

        with WebServices(
            self.url,
            ca_file=self.ca_file,
            site=self.site,
            tickets=self.tickets,
            offers=self._offer.get,
        ) as services:
            yield LimitedServices(services, self.limit, go_on, self._chain.get)

    @contextmanager
    def registrar(self, go_on: GoOn) -> Iterator[SignsIn]:
        """Have the Registrar within the block; nothing is sent before a method is called."""
        from usbprov.registrar.client import (  # noqa: PLC0415 - only when needed
            Registrar,
            RegistrarAddress,
        )

        where = RegistrarAddress.parse(self.address or "")
        with Registrar(where, ca_file=self.ca_file, site=self.site) as registrar:
            yield LimitedRegistrar(registrar, self.limit, go_on)

    def forget(self, user: str) -> None:
        """Forget a user's tickets: a bench that runs for days would keep all of them for hours."""
        self.tickets.forget(user)
