"""``usbprov prepare``: the part of a job that needs the servers, into a sealed file."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from usbprov.cli import documents
from usbprov.cli.carrying import locked, locked_phone, new_file, opened, passphrase_options
from usbprov.cli.closing import facts, panel
from usbprov.cli.credentials import (
    CredentialOptions,
    credential_options,
    credential_order,
    secret_of,
)
from usbprov.cli.keeping import Keeping, keeping_options
from usbprov.cli.options import json_option, old_tls_option, retry_option
from usbprov.cli.provisioning import Manner, job_for, run_shown
from usbprov.cli.servers import ca_file_option, discover_option, discovered
from usbprov.cli.settings import current, site
from usbprov.cli.users import sip_uri
from usbprov.engine.order import KeySource, Order
from usbprov.engine.result import Outcome, Result
from usbprov.engine.retry import RetryPolicy
from usbprov.errors import CarriedFileTaken, UsageError
from usbprov.phone.contract import Capability
from usbprov.pki.keys import DEFAULT_RSA_BITS, RSA_SIZES
from usbprov.registrar.client import RegistrarAddress
from usbprov.webservices.discovery.report import DiscoveryRequest
from usbprov.webservices.urls import service_url

if TYPE_CHECKING:
    from usbprov.offline.files import SealedFile
    from usbprov.offline.package import Package
    from usbprov.offline.requests import RequestFile


@dataclass(frozen=True)
class _Phone:
    """How the phone is named: by a file of its own, or by what stands on its label."""

    request: Path | None
    mac: str | None
    serial: str | None
    model: str | None

    def __post_init__(self) -> None:
        if self.request and (self.mac or self.serial or self.model):
            raise UsageError(
                "--request says which phone; --mac, --serial, --model do not go with it"
            )
        if not self.request and not self.mac:
            raise UsageError("--mac is missing, or --request for a phone that made its own key")


@click.command()
@click.option("--mac", help="The phone's MAC address: it stands on its label.")
@click.option("--serial", help="Its serial number; else any phone of that MAC will do.")
@click.option("--model", help="Its model, for what it is known to verify: CX700.")
@click.option(
    "--request",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The file of `usbprov request`, for a phone that has made its key itself.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The sealed file to be carried to `usbprov apply`.",
)
@passphrase_options
@click.option(
    "--user", metavar="URI", help="The user: sip:alice@contoso.com. Else the ticket says."
)
@credential_options
@click.option("--web-services-url", metavar="URL", help="URL of the certificate service.")
@discover_option
@click.option("--registrar", metavar="HOST[:PORT]", help="Registrar of phone and sign-in.")
@ca_file_option
@old_tls_option
@retry_option
@click.option(
    "--key",
    type=click.Choice([KeySource.HOST.value, KeySource.VAULT.value]),
    help="Who makes the key: this computer, but where --request has the phone's.",
)
@click.option(
    "--key-bits",
    type=click.Choice([str(bits) for bits in RSA_SIZES]),
    default=str(DEFAULT_RSA_BITS),
    show_default=True,
    help="Length of the RSA key that is made here.",
)
@click.option(
    "--replaces",
    metavar="SERIAL|MAC",
    help="With --key vault: the user's key pair of the phone that this one replaces.",
)
@keeping_options
@click.option("--no-sign-in", is_flag=True, help="Do not sign in with the new certificate.")
@json_option
def prepare(
    mac: str | None,
    serial: str | None,
    model: str | None,
    request: Path | None,
    out: Path,
    passphrase_stdin: bool,
    passphrase_fd: int | None,
    user: str | None,
    web_services_url: str | None,
    discover: bool,
    registrar: str | None,
    ca_file: Path | None,
    allow_old_tls: tuple[str, ...],
    retry_seconds: float,
    key: str | None,
    key_bits: str,
    replaces: str | None,
    no_sign_in: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Where the servers are, without the phone: get its certificate, and seal it into a file.

    For a phone that takes a host-made key, its MAC address is enough: key, certificate, settings
    and the servers' roots go into the file, in one round. For a phone that makes its own key,
    `usbprov request` has written a file; only the certificate goes back. The file is encrypted
    under a passphrase. Carry it to the phone, for `usbprov apply`: there no network is needed.
    A job that was interrupted goes on when the command is repeated with the same --out. Servers
    keep one certificate of a user and device: what the phone has been using may be refused from
    now on, so do not wait with the other half.

    \b
    Examples:
      usbprov prepare --mac 00:04:f2:ab:cd:ef --extension 1001 --web-services-url URL \\
        --out alice.usbprov
      usbprov prepare --request alice.request --extension 1001 --out alice.usbprov
      usbprov prepare --mac 0004f2abcdef --serial NEW --key vault --replaces OLD \\
        --extension 1001 --web-services-url URL --out alice.usbprov
      usbprov prepare --mac 0004f2abcdef --extension 1001 --pin-fd 3 --passphrase-fd 4 \\
        --discover --out alice.usbprov --json 3< pin 4< passphrase
    """
    keeping = Keeping.taken_from(given)
    phone, options = _Phone(request, mac, serial, model), CredentialOptions(**given)
    _check_key(phone, key, replaces)
    _one_reader(options, keeping, passphrase_stdin=passphrase_stdin)
    asked = _read(phone)
    if asked:
        user, web_services_url, registrar = _agreed(asked, user, web_services_url, registrar)
    settings, servers = current(), site(allow_old_tls)
    if web_services_url is None and discover:
        found = discovered(DiscoveryRequest(user=user, ca_file=ca_file, site=servers))
        web_services_url, registrar = found.require(), registrar or found.registrar
    if web_services_url is None:
        raise UsageError("--web-services-url is missing (or in the settings), or --discover")
    order = Order(
        service_url(web_services_url),
        credential_order(options),
        user=sip_uri(user),
        registrar=registrar and str(RegistrarAddress.parse(registrar)),
        key=KeySource.EXISTING if asked else KeySource(key or KeySource.HOST),
        bits=int(key_bits),
        slot=asked.slot if asked else 0,
        old_tls=servers.old_tls(),
        sign_in=not no_sign_in,
        replaces=replaces,
    )
    manner = Manner(
        ca_file,
        as_json=as_json,
        quiet=settings.verbosity == 0,
        site=servers,
        retries=RetryPolicy(seconds=retry_seconds),
        tape=False,
        keeping=keeping,
    )
    secret = secret_of(options, user)
    with locked(out):
        sealed, package = _file(out, phone, asked, passphrase_stdin, passphrase_fd)
        result = _run(order, sealed, package, secret, manner)
    _show(result, out, asked, manner)


def _check_key(phone: _Phone, key: str | None, replaces: str | None) -> None:
    if key and phone.request:
        raise UsageError(f"--key {key} and --request do not go together: the phone made its key")
    if key == KeySource.VAULT and not phone.serial:
        raise UsageError("--key vault needs --serial: a pair is bound to serial number and MAC")
    if replaces and key != KeySource.VAULT:
        raise UsageError("--replaces needs --key vault")


def _one_reader(options: CredentialOptions, keeping: Keeping, *, passphrase_stdin: bool) -> None:
    vaults = keeping.vault_passphrase_stdin
    if passphrase_stdin and (options.pin_stdin or options.password_stdin or vaults):
        raise UsageError("standard input has one secret only: give the others by --…-fd")


def _read(phone: _Phone) -> "RequestFile | None":
    from usbprov.offline.files import read_request

    return read_request(phone.request) if phone.request else None


def _agreed(
    asked: "RequestFile", user: str | None, url: str | None, registrar: str | None
) -> tuple[str, str, str | None]:
    """Take user and servers out of the request; what is named here may only confirm it."""
    settings = asked.settings
    if user is not None and sip_uri(user) != settings.sip_uri:
        raise UsageError(f"--user {user}: the request is for {settings.sip_uri}")
    if registrar is not None:
        registrar = str(RegistrarAddress.parse(registrar))
    return settings.sip_uri, url or settings.web_services_url, registrar or settings.registrar


def _file(
    out: Path, phone: _Phone, asked: "RequestFile | None", stdin: bool, descriptor: int | None
) -> "tuple[SealedFile, Package]":
    """Open the file that an earlier run has begun, or begin a new one.

    Raises:
        CarriedFileTaken: It is of another phone, or of another request.
    """
    blank = _blank(phone, asked)
    if not out.exists():
        return new_file(out, stdin=stdin, descriptor=descriptor), blank
    sealed, package = opened(out, stdin=stdin, descriptor=descriptor)
    if package.phone.identity != blank.phone.identity:
        raise CarriedFileTaken(out.name, f"for another phone, MAC {package.phone.mac}")
    if package.request != blank.request:
        raise CarriedFileTaken(out.name, "for another key of this phone")
    return sealed, package


def _blank(phone: _Phone, asked: "RequestFile | None") -> "Package":
    """Return what is known before anything is asked."""
    from usbprov.offline.package import Package, present
    from usbprov.offline.unseen import unseen_phone

    if asked is None:
        seen = unseen_phone(_mac(phone.mac or ""), phone.serial, phone.model)
        return Package(present(), seen)
    can_set = Capability.SET_CLOCK in asked.phone.capabilities
    return Package(
        present(),
        replace(asked.phone, clock=None, slots=()),
        asked.slot,
        asked.key,
        existing=asked.existing,
        request=asked.request,
        clock_behind=None if can_set else asked.clock_behind,
    )


def _mac(text: str) -> str:
    from usbprov.bench.rosterfile.values import mac

    try:
        return mac(text)
    except ValueError as error:
        raise UsageError(f"--mac: {error}") from None


def _run(
    order: Order,
    sealed: "SealedFile",
    package: "Package",
    secret: Callable[[], str],
    manner: Manner,
) -> Result:
    from usbprov.engine.offline.preparing import prepare_course
    from usbprov.offline.paper import PaperPhone

    paper = PaperPhone(sealed, package)
    with ExitStack() as stack:
        stack.enter_context(locked_phone(package.phone.identity, sealed.path))
        ledger = stack.enter_context(current().ledger())
        job = job_for(paper, order, ledger, secret, manner, stack)
        return run_shown(job, manner, prepare_course(paper)).result


def _show(result: Result, out: Path, asked: "RequestFile | None", manner: Manner) -> None:
    compare = asked.fingerprint if asked else None
    if manner.as_json:
        documents.show(documents.result(result) | {"file": str(out), "fingerprint": compare})
    elif not manner.quiet:
        is_new = result.outcome is Outcome.PREPARED
        title = "prepared" if is_new else "was prepared before: nothing was done"
        then = f"Carry {out.name} to the phone, and there:\n  usbprov apply {out.name}"
        same = f"compare: {compare}, as `usbprov request` showed it\n\n" if compare else ""
        panel(f"{out.name}: {title}", f"{facts(result)}\n\n{same}{then}")
