"""``usbprov check publication``: is the certificate in a phone the one that the home pool knows?"""

import click

from usbprov.cli.options import json_option, phone_argument
from usbprov.cli.servers import ServerOptions, server_options
from usbprov.cli.settings import current
from usbprov.cli.users import sip_uri
from usbprov.errors import UsageError


@click.command("publication")
@phone_argument
@click.option("--user", metavar="URI", help="No phone: what the ledger has of this user.")
@server_options
@json_option
def check_publication(
    phone: str | None, user: str | None, as_json: bool, **servers: object
) -> None:
    """Check that PHONE's certificate is the published one, how long it is good, when to renew it.

    Only a sign-in with the phone's key shows that, so the phone signs in and out again. It fails
    where the certificate was revoked or replaced, has expired, or the user was moved to another
    pool. With --user no phone is needed, and only dates can be told.

    \b
    Examples:
      usbprov check publication
      usbprov check publication 1-1.4 --registrar pool.contoso.com --json
      usbprov check publication --user sip:alice@contoso.com
    """
    if user is not None and phone is not None:
        raise UsageError("PHONE and --user do not go together: the phone says whose it is")
    if user is not None:
        _by_ledger(sip_uri(user) or "", as_json=as_json)
        return
    _by_phone(phone, ServerOptions(**servers), as_json=as_json)  # type: ignore[arg-type]


def _by_phone(selector: str | None, servers: ServerOptions, *, as_json: bool) -> None:
    from usbprov.cli import documents
    from usbprov.cli.steps import StepList, finish
    from usbprov.engine.checks.publication import (
        PUBLICATION,
        PUBLICATION_FACTS,
        PhoneInquiry,
        examined,
    )
    from usbprov.engine.checks.sequence import run_steps

    settings = current()
    shown = StepList([step.name for step in PUBLICATION], as_json=as_json)
    with settings.ledger() as ledger, settings.held(selector) as held, servers.network() as network:
        inquiry = PhoneInquiry(
            network, given_registrar=servers.registrar, phone=held.phone, ledger=ledger
        )
        results = run_steps(PUBLICATION, inquiry, PUBLICATION_FACTS, shown, examined(inquiry))
        more = {
            "phone": documents.phone(held.phone.facts, inquiry.info),
            "user": inquiry.user,
            "registrar": str(inquiry.registrar_address) if inquiry.registrar_address else None,
            "certificate": documents.user_certificate(inquiry.certificate),
        }
    passed = f"{inquiry.user}'s certificate in this phone is the published one."
    finish(results, as_json=as_json, passed=passed, more=more)


def _by_ledger(user: str, *, as_json: bool) -> None:
    from usbprov.cli import documents
    from usbprov.cli.steps import StepList, finish
    from usbprov.engine.checks.kept import KEPT, KEPT_FACTS, KeptCheck
    from usbprov.engine.checks.sequence import run_steps

    shown = StepList([step.name for step in KEPT], as_json=as_json)
    with current().ledger() as ledger:
        check = KeptCheck(ledger, user)
        results = run_steps(KEPT, check, KEPT_FACTS, shown)
    more = {"user": user, "certificate": documents.user_certificate(check.certificate)}
    passed = "The dates are good. Whether the home pool knows it, only the phone can show."
    finish(results, as_json=as_json, passed=passed, more=more)
