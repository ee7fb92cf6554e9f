"""``usbprov request``: the first of two rounds for a phone that makes its own key."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from usbprov.cli import documents
from usbprov.cli.carrying import locked
from usbprov.cli.closing import panel, show_result
from usbprov.cli.key_options import key_bits_option
from usbprov.cli.options import json_option, phone_argument, return_option
from usbprov.cli.provisioning import Manner, run_at_phone
from usbprov.cli.secret import no_secret
from usbprov.cli.settings import current
from usbprov.cli.text import pairs
from usbprov.cli.users import sip_uri
from usbprov.engine.order import CredentialOrder, KeySource, Order
from usbprov.engine.result import Outcome, Result
from usbprov.registrar.client import RegistrarAddress
from usbprov.webservices.urls import service_url

if TYPE_CHECKING:
    from usbprov.offline.requests import RequestFile


@click.command()
@phone_argument
@click.option("--user", metavar="URI", required=True, help="The user: sip:alice@contoso.com.")
@click.option(
    "--web-services-url",
    metavar="URL",
    required=True,
    help="URL of the certificate service, for the phone; it is not asked.",
)
@click.option("--registrar", metavar="HOST[:PORT]", help="Registrar, for the phone; not asked.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file to be carried to `usbprov prepare`.",
)
@click.option(
    "--key",
    type=click.Choice([KeySource.PHONE.value, KeySource.EXISTING.value]),
    default=KeySource.PHONE.value,
    show_default=True,
    help="A new key that the phone makes, or the one that it has.",
)
@key_bits_option
@click.option("--replace", is_flag=True, help="Replace in the end what the phone's slot holds.")
@click.option("--dry-run", is_flag=True, help="Show the plan; touch nothing.")
@return_option
@json_option
def request(
    phone: str | None,
    user: str,
    web_services_url: str,
    registrar: str | None,
    out: Path,
    key: str,
    key_bits: str,
    replace: bool,
    dry_run: bool,
    return_seconds: float,
    as_json: bool,
) -> None:
    """At PHONE, without any network: have it make its key, and write its request into a file.

    The first of two rounds for a phone whose key never leaves it. The file has no secret in it:
    the signed request, and what the phone says of itself. Carry it to a computer that reaches the
    servers, for `usbprov prepare --request`; what comes from there is for `usbprov apply`, here.
    What the phone has been using stays in use until then. The command may be repeated: it finds
    the same key.

    \b
    Examples:
      usbprov request --user sip:alice@contoso.com --web-services-url URL --out alice.request
      usbprov request 1-1.4 --key existing --replace --user sip:alice@contoso.com \\
        --web-services-url URL --registrar pool.contoso.com --out renewal.request
    """
    from usbprov.engine.offline.asking import ASK, request_file
    from usbprov.offline.files import write_request

    settings = current()
    order = Order(
        service_url(web_services_url),
        CredentialOrder((), None, "the servers are asked elsewhere"),
        user=sip_uri(user),
        registrar=registrar and str(RegistrarAddress.parse(registrar)),
        key=KeySource(key),
        bits=int(key_bits),
        replace=replace,
    )
    quiet = settings.verbosity == 0
    manner = Manner(
        dry_run=dry_run,
        as_json=as_json,
        quiet=quiet,
        return_seconds=return_seconds,
        tape=False,
        may_look=False,
    )
    with locked(out), settings.ledger() as ledger:
        run = run_at_phone(settings.find(phone), order, ledger, no_secret, manner, ASK)
        made = None
        if run.result.outcome is Outcome.REQUESTED:
            made = request_file(run.job)
            write_request(out, made)
    if as_json:
        written = {"file": str(out), "fingerprint": made.fingerprint} if made else {}
        documents.show(documents.result(run.result) | written)
    elif made is None:
        show_result(run.result)
    elif not quiet:
        _show(run.result, out, made)


def _show(result: Result, out: Path, made: "RequestFile") -> None:
    facts = pairs(
        [
            ("user", made.settings.sip_uri),
            ("key SHA-256", made.key.sha256),
            ("file", str(out)),
            ("compare", made.fingerprint),
            ("job", str(result.job)),
        ]
    )
    then = (
        f"Carry {out.name} to a computer that reaches the servers, and there:\n"
        f"  usbprov prepare --request {out.name} --extension … --out FILE\n"
        "Compare there the groups above. The cable may be removed."
    )
    panel(f"{result.facts.name}: its request is written", f"{facts}\n\n{then}")
