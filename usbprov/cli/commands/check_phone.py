"""``usbprov check phone``: is a phone as it must be?"""

import click

from usbprov.cli.options import json_option, phone_argument
from usbprov.cli.servers import ServerOptions, server_options
from usbprov.cli.settings import current


@click.command("phone")
@phone_argument
@server_options
@json_option
def check_phone(phone: str | None, as_json: bool, **servers: object) -> None:
    """Check PHONE: its clock, roots, slots, firmware, certificate and configuration.

    Nothing is written to the phone. With --web-services-url or --registrar it is said whether the
    phone, as it is, would accept these servers.

    \b
    Examples:
      usbprov check phone
      usbprov check phone 1-1.4 --web-services-url URL --registrar pool.contoso.com --json
    """
    from usbprov.cli import documents
    from usbprov.cli.steps import StepList, finish
    from usbprov.engine.checks.phone import PHONE, PHONE_FACTS, PhoneCheck
    from usbprov.engine.checks.sequence import run_steps
    from usbprov.webservices.trust.servers import registrar_address, web_services_address

    options = ServerOptions(**servers)  # type: ignore[arg-type]  # click has checked them
    url, registrar = options.web_services_url, options.registrar
    addresses = [web_services_address(url)] if url else []
    addresses += [registrar_address(registrar)] if registrar else []
    shown = StepList([step.name for step in PHONE], as_json=as_json)
    with current().held(phone) as held, options.network() as network:
        check = PhoneCheck(held.phone, lambda: [network.look_at(a) for a in addresses])
        results = run_steps(PHONE, check, PHONE_FACTS, shown)
        more = {"phone": documents.phone(held.phone.facts, check.info)}
    finish(results, as_json=as_json, passed="Nothing is wrong with this phone.", more=more)
