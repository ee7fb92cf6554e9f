"""``usbprov discover``: where the Web Services are, by whom, and what is wrong on the way."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from usbprov.cli import documents
from usbprov.cli.failure import ToldError
from usbprov.cli.options import json_option
from usbprov.cli.servers import ca_file_option
from usbprov.cli.settings import current, site
from usbprov.cli.text import pairs
from usbprov.errors import UsageError, UsbprovError

if TYPE_CHECKING:
    from usbprov.cli.documents import Document
    from usbprov.webservices.discovery.report import (
        Discovery,
        SourceReport,
    )


@click.command()
@click.option("--user", metavar="URI", help="The user, whose SIP domain is asked for.")
@click.option("--domain", metavar="DOMAIN", help="The SIP domain, where no user is known.")
@click.option("--interface", metavar="NAME", help="Ask DHCP from this interface only.")
@click.option("--web-services-url", metavar="URL", help="Compare with this, and take it.")
@click.option("--registrar", metavar="HOST[:PORT]", help="Compare with this.")
@click.option("--dns-server", metavar="HOST[:PORT]", help="Ask this server for the SRV records.")
@ca_file_option
@click.option("--no-dhcp", is_flag=True, help="Do not ask DHCP.")
@click.option("--no-dns", is_flag=True, help="Do not ask DNS for the SIP domain.")
@click.option("--no-autodiscover", is_flag=True, help="Do not ask LyncDiscover.")
@json_option
def discover(
    user: str | None,
    domain: str | None,
    interface: str | None,
    web_services_url: str | None,
    registrar: str | None,
    dns_server: str | None,
    ca_file: Path | None,
    no_dhcp: bool,
    no_dns: bool,
    no_autodiscover: bool,
    as_json: bool,
) -> None:
    """Find the Web Services as phones and computers do, and say what each source says.

    DHCP is asked for options only (DHCPINFORM), never for a lease; that needs root or
    CAP_NET_BIND_SERVICE, and without them the rest still works.

    \b
    Examples:
      sudo usbprov discover --user sip:alice@contoso.com
      usbprov discover --domain contoso.com --no-dhcp --json
    """
    from usbprov.webservices.discovery.finder import discover as find
    from usbprov.webservices.discovery.report import DiscoveryRequest, Source

    off = {Source.DHCP: no_dhcp, Source.DNS: no_dns, Source.AUTODISCOVER: no_autodiscover}
    request = DiscoveryRequest(
        user=user,
        domain=_checked_domain(domain, user),
        web_services_url=web_services_url,
        registrar=registrar,
        interface=interface,
        ca_file=ca_file,
        site=site(()),
        dns_server=dns_server,
        sources=frozenset(source for source in Source if not off.get(source)),
    )
    silent = as_json or current().verbosity == 0
    found = find(request, told=_nothing if silent else _show_source)
    if as_json:
        _show_document(found)
    elif silent:
        click.echo(found.require())
    else:
        _show_end(found)


def _checked_domain(domain: str | None, user: str | None) -> str | None:
    from usbprov.webservices.discovery.explanation import is_name

    named = domain or (user or "").partition("@")[2]
    if user is not None and not named:
        raise UsageError(f"--user {user!r} is no SIP URI like sip:alice@contoso.com")
    if named and not is_name(named):
        raise UsageError(f"{named!r} is no SIP domain")
    return named or None


def _nothing(_report: "SourceReport") -> None:
    """Show nothing."""


def _show_source(report: "SourceReport") -> None:
    head = f"{report.source.value:<13} {report.outcome.value:<9} {report.ms:>6} ms"
    click.echo("\n".join([head, *(f"    {line}" for line in report.said)]))


def _show_end(found: "Discovery") -> None:
    from usbprov.cli.discoveries import findings_text

    check = found.check
    facts = [
        ("Web Services", found.web_services_url or ""),
        ("because", found.why if found.chosen else ""),
        ("tried", check.said if check else ""),
        ("Registrar", found.registrar or ""),
        ("voice VLAN", str(found.vlan or "")),
        ("mind", "" if found.vouched or not found.chosen else _UNVOUCHED),
    ]
    parts = (pairs(facts), findings_text(found.all_findings()))
    click.echo("".join(f"\n{part}\n" for part in parts if part), nl=False)
    found.require()


_UNVOUCHED = "nobody vouches for this name: look at it before a PIN is sent there"


def _show_document(found: "Discovery") -> None:
    from usbprov.cli.discoveries import finding_document

    document: Document = {
        "web_services_url": found.web_services_url,
        "source": found.chosen.source.value if found.chosen else None,
        "why": found.why,
        "usable": found.usable,
        "vouched": found.vouched,
        "registrar": found.registrar,
        "vlan": found.vlan,
        "sources": [_source_document(report) for report in found.sources],
        "checks": [
            {"url": c.url, "usable": c.holds, "said": c.said, "error_code": _code(c.error)}
            for c in found.checks.values()
        ],
        "findings": [finding_document(finding) for finding in found.all_findings()],
    }
    try:
        found.require()
    except UsbprovError as error:
        documents.show(document | {"outcome": "failed", "error": documents.error(error)})
        raise ToldError(error) from None
    documents.show(document)


def _source_document(report: "SourceReport") -> "Document":
    return {
        "name": report.source.value,
        "outcome": report.outcome.value,
        "said": list(report.said),
        "web_services_url": report.url,
        "guessed": report.guessed,
        "vouched": report.vouched,
        "registrar": report.registrar,
        "vlan": report.vlan,
        "error_code": _code(report.error),
        "findings": [finding.kind.value for finding in report.findings],
        "ms": report.ms,
    }


def _code(error: UsbprovError | None) -> str | None:
    return error.code if error else None
