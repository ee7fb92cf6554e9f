"""``usbprov dhcp``: the phones' DHCP options, written and explained."""

import click

from usbprov.cli import documents
from usbprov.cli.failure import ToldError
from usbprov.cli.lazy import CheckedGroup
from usbprov.cli.options import json_option
from usbprov.cli.text import pairs

_SERVERS = ("hex", "dnsmasq", "kea", "isc", "windows", "cisco")
_OPTIONS = ("43", "120")


@click.group(cls=CheckedGroup)
def dhcp() -> None:
    """Write and explain the DHCP options that lead phones to the Web Services."""


@dhcp.command()
@click.option(
    "--web-services", required=True, metavar="FQDN", help="The pool's internal Web Services FQDN."
)
@click.option("--registrar", required=True, metavar="FQDN", help="The pool's Registrar.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=443, show_default=True, help="HTTPS."
)
@click.option("--vlan", type=click.IntRange(1, 4094), help="The voice VLAN, if DHCP is to give it.")
@click.option(
    "--for",
    "server",
    type=click.Choice(_SERVERS),
    default="hex",
    show_default=True,
    help="Whose configuration to write.",
)
def encode(web_services: str, registrar: str, port: int, vlan: int | None, server: str) -> None:
    """Print options 43 and 120 as configuration for a DHCP server.

    For kea the JSON is the part within "Dhcp4"; lists that are there already have to be joined.
    For windows the lines belong into an administrator's prompt on the DHCP server.

    \b
    Examples:
      usbprov dhcp encode --web-services web.contoso.com --registrar pool.contoso.com
      usbprov dhcp encode --web-services web.contoso.com --registrar pool.contoso.com --for kea
    """
    from usbprov.webservices.discovery.serverconfig import ServerKind, pool_options, render

    options = pool_options(web_services, registrar, port, vlan)
    click.echo(render(ServerKind(server), options))


@dhcp.command()
@click.argument("value", metavar="HEX")
@click.option("--option", "code", type=click.Choice(_OPTIONS), help="Else it is told by the bytes.")
@click.option(
    "--vendor-class",
    metavar="TEXT",
    help="The vendor class's data that the server binds it to; MS-UC-Client by default.",
)
@json_option
def decode(value: str, code: str | None, vendor_class: str | None, as_json: bool) -> None:
    """Explain an option 43 or 120, byte by byte, and name its faults.

    HEX may hold colons, dots, spaces and 0x. The exit code is 8 if a phone would not take it.

    \b
    Examples:
      usbprov dhcp decode 00086c796e63706f6f6c07636f6e746f736f03636f6d00
      usbprov dhcp decode 0a020064 --vendor-class CPE-OCPHONE
    """
    from usbprov.cli.discoveries import finding_document, findings_text, span_document, spans_text
    from usbprov.errors import OptionInvalid
    from usbprov.webservices.discovery.findings import Severity
    from usbprov.webservices.discovery.guess import explain

    told = explain(value, int(code) if code else None, vendor_class)
    if as_json:
        documents.show(
            {
                "option": told.code,
                "vendor_class": told.vendor_class,
                "web_services_url": told.url,
                "vlan": told.vlan,
                "registrars": list(told.names),
                "bytes": [span_document(span) for span in told.spans],
                "findings": [finding_document(finding) for finding in told.findings],
            }
        )
    else:
        facts = [
            ("option", f"{told.code}, vendor class {told.vendor_class}")
            if told.vendor_class
            else ("option", str(told.code)),
            ("Web Services", told.url or ""),
            ("voice VLAN", str(told.vlan or "")),
            ("Registrar", ", ".join(told.names)),
        ]
        parts = (spans_text(told.spans), pairs(facts), findings_text(told.findings))
        click.echo("\n\n".join(part for part in parts if part))
    errors = [f for f in told.findings if f.severity is Severity.ERROR]
    if errors:
        raise ToldError(OptionInvalid(f"this option {told.code}", str(errors[0])))
