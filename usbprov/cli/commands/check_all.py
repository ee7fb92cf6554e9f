"""``usbprov check all``: everything that can be looked at without a secret."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from usbprov.cli.options import json_option
from usbprov.cli.servers import ServerOptions, server_options
from usbprov.cli.settings import Settings, current
from usbprov.cli.users import sip_uri

if TYPE_CHECKING:
    from usbprov.checks import CheckResult
    from usbprov.engine.checks.inquiry import Inquiry
    from usbprov.engine.checks.network import RealNetwork

_LONGEST_NAME = "web services: web-services-name"


@click.command("all")
@click.option("--user", metavar="URI", help="Whom the Registrar is asked about; no secret is sent.")
@click.option(
    "--limit-seconds",
    type=click.FloatRange(min=1.0),
    default=8.0,
    show_default=True,
    help="How long each thing may take; half of it for one exchange with a server.",
)
@server_options
@json_option
def check_all(user: str | None, limit_seconds: float, as_json: bool, **servers: object) -> None:
    """Check all that needs no secret: this computer, the servers, every phone that is attached.

    All is looked at side by side, and what is slow delays nothing else. This computer and its
    controllers are looked at where phones are reached over its own USB.

    \b
    Examples:
      usbprov check all --user sip:alice@contoso.com
      usbprov check all --web-services-url URL --registrar pool.contoso.com --json
    """
    from usbprov.cli.steps import StepList, finish
    from usbprov.engine.checks.everything import Everything
    from usbprov.engine.checks.inquiry import Inquiry
    from usbprov.net.deadline import TimeLimits

    options = ServerOptions(**servers)  # type: ignore[arg-type]  # click has checked them
    address, chain_url, settings = sip_uri(user), options.chain_url(), current()
    limits = TimeLimits(connect=limit_seconds / 2, answer=limit_seconds / 2)

    def ask(network: "RealNetwork") -> "Inquiry":
        return Inquiry(
            network,
            web_services_url=options.web_services_url,
            given_registrar=options.registrar,
            chain_url=chain_url,
            user=address,
        )

    site_settings = options.site()
    everything = Everything(
        seconds=limit_seconds,
        open_network=lambda: options.network(limits, site_settings),
        ask=ask,
        candidates=lambda: settings.candidates(settings.buses()),
        local=_local(settings),
    )
    results = everything.run(StepList([_LONGEST_NAME], as_json=as_json))
    finish(results, as_json=as_json, passed="Nothing is wrong with what was looked at.")


def _local(settings: Settings) -> "Mapping[str, Callable[[], Sequence[CheckResult]]]":
    """Return the checks of this computer, if phones are reached over its own USB."""
    from usbprov.cli.commands.check_bus import bus_results
    from usbprov.cli.commands.check_host import host_results
    from usbprov.usb.buses import DEFAULT_BUS

    if settings.bus_uris and DEFAULT_BUS not in settings.bus_uris:
        return {}
    return {"host": host_results, "bus": bus_results}
