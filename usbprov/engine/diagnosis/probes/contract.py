"""What a probe is, and what it may know."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from usbprov.engine.diagnosis.model import Case, Evidence
from usbprov.net.site import Site
from usbprov.registrar.client import DEFAULT_PORT as SIP_TLS

if TYPE_CHECKING:
    from usbprov.webservices.trust.sources import Source

_HTTPS = 443


@dataclass(frozen=True)
class Scene:
    """The servers of a job or check, as far as they are known. Nothing in it is secret.

    Attributes:
        web_services_url: URL of the certificate service, or ``""``.
        ca_file: The only trust anchors that count, or None for the system's.
        site: What is settled about the servers.
        at_registrar: Whether the error is of a call to the Registrar.
        download: Gives the anonymous chain download, or None for the one that belongs to the URL.
    """

    web_services_url: str = ""
    ca_file: Path | None = None
    site: Site = field(default_factory=Site)
    at_registrar: bool = False
    download: "Callable[[], Source] | None" = None

    @property
    def port(self) -> int:
        """That of the server which an error speaks of, where it names none."""
        return SIP_TLS if self.at_registrar else _HTTPS


class Probe(Protocol):
    """Looks at one thing, in a bounded time.

    Attributes:
        name: What it looks at.
        seconds: Its limit.
        codes: The errors whose causes it tells apart.
    """

    name: str
    seconds: float
    codes: frozenset[str]

    def look(self, case: Case, scene: Scene) -> Evidence | None:
        """Look, and say what was seen; None if that says nothing. May raise anything."""
        ...


def address_of(case: Case, scene: Scene) -> tuple[str, int] | None:
    """Return host and port of the server that an error speaks of, or None if it names none."""
    parts = urlsplit(f"//{case.facts.get('server', '')}")
    return (parts.hostname, parts.port or scene.port) if parts.hostname else None
