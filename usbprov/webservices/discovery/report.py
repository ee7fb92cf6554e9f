"""What discovery is asked, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from usbprov.errors import DhcpNotPermitted, NothingFound, UsageError, UsbprovError
from usbprov.net.site import Site
from usbprov.webservices.discovery.findings import Finding
from usbprov.webservices.urls import host_of, port_of


class Source(Enum):
    """Where the Web Services may be learnt from, in the order in which they count."""

    GIVEN = "given"
    DHCP = "dhcp"
    DNS = "dns"
    AUTODISCOVER = "autodiscover"


class Outcome(Enum):
    """What became of asking a source."""

    ANSWERED = "answered"
    SILENT = "silent"
    """It was asked, and knows nothing."""
    SKIPPED = "skipped"
    """It was not asked."""
    FAILED = "failed"
    """It was asked, and gave nothing usable."""


@dataclass(frozen=True)
class DiscoveryRequest:
    """What is to be found, and by what means.

    Attributes:
        user: SIP URI, with or without ``sip:``, or None.
        domain: SIP domain, where there is no user.
        web_services_url: URL of the certificate service, where it is given.
        registrar: ``HOST[:PORT]``, where it is given.
        interface: The only network interface to ask DHCP from, or None for all.
        ca_file: PEM file with the only trust anchors that count, or None for the system's.
        site: What the site has settled about its servers.
        dns_server: ``HOST[:PORT]`` of a DNS server for the SRV records, or None for the system's.
        sources: Which may be asked.
        first_only: Stop at the first URL that holds, instead of comparing all sources.
    """

    user: str | None = None
    domain: str | None = None
    web_services_url: str | None = None
    registrar: str | None = None
    interface: str | None = None
    ca_file: Path | None = None
    site: Site = field(default_factory=Site)
    dns_server: str | None = None
    sources: frozenset[Source] = frozenset(Source)
    first_only: bool = False

    @property
    def sip_domain(self) -> str | None:
        """The domain of the user, or the one given, in lower case."""
        domain = self.domain or (self.user or "").partition("@")[2]
        return domain.lower().removesuffix(".") or None


@dataclass(frozen=True)
class SourceReport:
    """What one source said.

    Attributes:
        source: Which one.
        outcome: What became of asking it.
        said: In words, one line each.
        url: Of the certificate service.
        guessed: Whether the URL only follows from the Registrar's name, and so must be tried.
        vouched: Whether somebody who proved who he is named it; DHCP and DNS prove nothing.
        registrar: ``host`` or ``host:port``.
        vlan: Voice VLAN.
        findings: What is wrong or odd.
        error: Why it was skipped or failed.
        ms: How long it took.
    """

    source: Source
    outcome: Outcome
    said: tuple[str, ...] = ()
    url: str | None = None
    guessed: bool = False
    vouched: bool = False
    registrar: str | None = None
    vlan: int | None = None
    findings: tuple[Finding, ...] = ()
    error: UsbprovError | None = None
    ms: int = 0


@dataclass(frozen=True)
class Check:
    """Whether the certificate service really is at a URL.

    Attributes:
        url: What was tried.
        said: The outcome in words.
        error: Why it cannot be used, or None if it can.
        findings: What is wrong or odd.
    """

    url: str
    said: str
    error: UsbprovError | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the service answered there, and proved who it is."""
        return self.error is None


@dataclass(frozen=True)
class Discovery:
    """Everything that was learnt.

    Attributes:
        request: What was asked.
        sources: What each source said, in order.
        checks: What came of trying each URL.
        chosen: Whose URL is taken, or None.
        why: Why that one.
        findings: Where sources contradict each other.
    """

    request: DiscoveryRequest
    sources: tuple[SourceReport, ...]
    checks: Mapping[str, Check] = field(default_factory=dict)
    chosen: SourceReport | None = None
    why: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def web_services_url(self) -> str | None:
        """URL of the certificate service, or None."""
        return self.chosen.url if self.chosen else None

    @property
    def check(self) -> Check | None:
        """What came of trying the chosen URL."""
        return self.checks.get(self.web_services_url or "")

    @property
    def usable(self) -> bool:
        """Whether the service answered at the chosen URL, and proved who it is."""
        return self.check is not None and self.check.holds

    @property
    def vouched(self) -> bool:
        """Whether the URL was given, or named by a server that proved who it is.

        Where it was not, somebody should look at the name before a PIN is sent there: its
        certificate is verified, but anybody on the network may have chosen it.
        """
        return self.chosen is not None and self.chosen.vouched

    @property
    def registrar(self) -> str | None:
        """``host:port`` of the Registrar, by the first source that names one."""
        named = next((s.registrar for s in self.sources if s.registrar), None)
        return named if named is None or ":" in named else f"{named}:{_SIP_TLS}"

    @property
    def vlan(self) -> int | None:
        """The voice VLAN, or None."""
        return next((s.vlan for s in self.sources if s.vlan), None)

    def all_findings(self) -> tuple[Finding, ...]:
        """Return every finding once: of the sources, the checks and the comparison."""
        found = [f for s in self.sources for f in s.findings]
        found += [f for c in self.checks.values() for f in c.findings]
        return tuple(dict.fromkeys([*found, *self.findings]))

    def require(self) -> str:
        """Return the URL.

        Raises:
            DhcpNotPermitted: Nothing but DHCP was to be asked, and it could not be.
            NothingFound: No source names it.
        """
        if self.web_services_url is not None:
            return self.web_services_url
        errors = [s.error for s in self.sources if isinstance(s.error, DhcpNotPermitted)]
        if errors and self.asked == _NOBODY:
            raise errors[0]
        raise NothingFound(self.asked)

    def require_vouched(self) -> str:
        """Return the URL, if a secret may be sent there.

        Raises:
            UsageError: Nobody who proved who he is names it.
            DiscoveryError: As ``require``.
        """
        url = self.require()
        if not self.vouched:
            problem = f"{url} was found, but only by what proves nothing (DHCP, DNS, plain HTTP)"
            raise UsageError(f"{problem}: if it is right, give it with --web-services-url")
        return url

    @property
    def asked(self) -> str:
        """Who was asked, in words."""
        asked = [s.source for s in self.sources if s.outcome is not Outcome.SKIPPED]
        return ", ".join(WORDS[source] for source in asked) or _NOBODY


WORDS: Mapping[Source, str] = {
    Source.GIVEN: "the command line",
    Source.DHCP: "DHCP",
    Source.DNS: "DNS",
    Source.AUTODISCOVER: "LyncDiscover",
}
"""The sources in words."""

_NOBODY = "nobody"

_SIP_TLS = 5061


def same_service(one: str, other: str) -> bool:
    """Tell whether two URLs are of one server: host and port count, the path does not."""
    return (host_of(one), port_of(one)) == (host_of(other), port_of(other))
