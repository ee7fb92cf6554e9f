"""How checks reach servers: one object, so that each step says what it asks and not how."""

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from usbprov.engine.job import Services
from usbprov.errors import ServerUnreachable
from usbprov.net.deadline import DEFAULT_LIMITS, TimeLimits
from usbprov.net.site import Site

if TYPE_CHECKING:
    from usbprov.net.credentials import CertificateCredential, WindowsCredential
    from usbprov.phone.endpoint import Endpoint
    from usbprov.registrar.client import Challenge, SignIn
    from usbprov.webservices.discovery.report import Discovery, DiscoveryRequest
    from usbprov.webservices.trust.servers import Server, ServerAddress
    from usbprov.webservices.trust.sources import Source

# ruff: noqa: PLC0415 - what asks servers is imported when a server is asked


class SignsIn(Protocol):
    """What checks need of a Registrar; ``usbprov.registrar.client`` fulfils it."""

    def challenge(self, user: str, endpoint: "Endpoint") -> "Challenge":
        """Ask what an unsigned REGISTER is answered with; no secret is sent."""
        ...

    def sign_in(
        self,
        user: str,
        credential: "CertificateCredential | WindowsCredential",
        endpoint: "Endpoint",
    ) -> "SignIn":
        """Sign in, verify the server's proof, and sign out again."""
        ...


class Network(Protocol):
    """What checks ask of the network. Every method may raise errors of the tree."""

    def discover(self, request: "DiscoveryRequest") -> "Discovery":
        """Ask every source where the servers are."""
        ...

    def addresses(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host.

        Raises:
            ServerUnreachable: Its name is not known.
        """
        ...

    def look_at(self, address: "ServerAddress") -> "Server":
        """Have a server present itself over TLS."""
        ...

    def services(self, url: str) -> Services:
        """Return the Web Services at a URL, the same object for the same URL."""
        ...

    def registrar(self, address: "ServerAddress") -> SignsIn:
        """Return the Registrar at an address."""
        ...

    def download(self, url: str) -> "Source":
        """Return the chain download at a URL, as a source that is not asked yet."""
        ...


class RealNetwork:
    """The network of this computer. Not thread-safe; close it."""

    def __init__(
        self, ca_file: Path | None, site: Site, limits: TimeLimits = DEFAULT_LIMITS
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            ca_file: File with the only trust anchors that count, or None for the system's.
            site: What the site has settled about its servers.
            limits: Time limits of each exchange.
        """
        self._ca_file = ca_file
        self._site = site
        self._limits = limits
        self._stack = ExitStack()
        self._services: dict[str, Services] = {}
        self._registrars: dict[ServerAddress, SignsIn] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def discover(self, request: "DiscoveryRequest") -> "Discovery":
        """Ask every source, with this network's anchors."""
        from dataclasses import replace

        from usbprov.webservices.discovery.finder import discover

        return discover(replace(request, ca_file=self._ca_file, site=self._site))

    def addresses(self, host: str) -> tuple[str, ...]:
        """Resolve a name the way connections are made later."""
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise ServerUnreachable(host, "the name is not known") from None
        return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))

    def look_at(self, address: "ServerAddress") -> "Server":
        """Look at what a server presents, and verify it."""
        from usbprov.webservices.trust.servers import look_at

        return look_at(address, self._ca_file, self._site, self._limits)

    def services(self, url: str) -> Services:
        """Open the Web Services at a URL, once."""
        from usbprov.webservices.client import WebServices

        if url not in self._services:
            opened = WebServices(url, ca_file=self._ca_file, timeout=self._limits, site=self._site)
            self._services[url] = self._stack.enter_context(opened)
        return self._services[url]

    def registrar(self, address: "ServerAddress") -> SignsIn:
        """Make a client of the Registrar at an address, once."""
        from usbprov.registrar.client import Registrar, RegistrarAddress

        if address not in self._registrars:
            client = Registrar(
                RegistrarAddress(address.host, address.port),
                ca_file=self._ca_file,
                timeout=self._limits,
                site=self._site,
            )
            self._registrars[address] = self._stack.enter_context(client)
        return self._registrars[address]

    def download(self, url: str) -> "Source":
        """Make the download in the site's form."""
        from usbprov.webservices.trust.download import DownloadSource, site_form

        return DownloadSource(url, site_form(self._site.chain_form), self._limits)
