"""``usbprov prepare``: the part of a job that needs the servers, into a sealed file."""

from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from usbprov.cli import documents
from usbprov.cli.carrying import locked, new_file, one_passphrase, opened, passphrase_options
from usbprov.cli.closing import facts, panel
from usbprov.cli.credentials import (
    CredentialOptions,
    credential_options,
    credential_order,
    secret_of,
)
from usbprov.cli.keeping import Keeping, keeping_options
from usbprov.cli.key_options import key_bits_option
from usbprov.cli.options import json_option, old_tls_option, retry_option
from usbprov.cli.ordering import OrderOptions, required_url
from usbprov.cli.preparing import Named, begun, prepare_file
from usbprov.cli.provisioning import Manner, told
from usbprov.cli.servers import ca_file_option, discover_option
from usbprov.cli.settings import current
from usbprov.cli.users import sip_uri
from usbprov.engine.order import CredentialOrder, KeySource, Order
from usbprov.engine.result import Outcome, Result
from usbprov.errors import UsageError
from usbprov.registrar.client import RegistrarAddress

if TYPE_CHECKING:
    from usbprov.bench.secrets import PinSource
    from usbprov.offline.requests import RequestFile

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@dataclass(frozen=True)
class _Given:
    """What was given, beside the options that other commands have, too."""

    mac: str | None
    serial: str | None
    model: str | None
    request: Path | None
    roster: Path | None
    secrets: Path | None
    out: Path
    passphrase_stdin: bool
    passphrase_fd: int | None
    replaces: str | None

    def __post_init__(self) -> None:
        named = {"--mac": self.mac, "--request": self.request, "--roster": self.roster}
        ways = [option for option, value in named.items() if value]
        if not ways:
            raise UsageError(
                "--mac is missing, or --request for a phone that made its own key, or --roster"
            )
        if len(ways) > 1:
            raise UsageError(f"{ways[0]} and {ways[1]} do not go together")
        if not self.mac and (self.serial or self.model):
            raise UsageError(f"--serial and --model go with --mac, not with {ways[0]}")
        if self.secrets and not self.roster:
            raise UsageError("--secrets goes with --roster; the PIN of one user by --pin-fd")

    @property
    def passphrase(self) -> dict[str, Any]:
        """Where the passphrase comes from."""
        return {"stdin": self.passphrase_stdin, "descriptor": self.passphrase_fd}


@click.command()
@click.option("--mac", help="The phone's MAC address: it stands on its label.")
@click.option("--serial", help="Its serial number; else any phone of that MAC will do.")
@click.option("--model", help="Its model, for what it is known to verify: CX700.")
@click.option(
    "--request",
    type=_FILE,
    help="The file of `usbprov request`, for a phone that has made its key itself.",
)
@click.option("--roster", type=_FILE, help="Prepare a file for each phone of a bench's roster.")
@click.option(
    "--secrets", type=_FILE, help="With --roster: PINs by extension (TOML or CSV), mode 0600."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The sealed file to be carried to `usbprov apply`; with --roster the folder for all.",
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
@key_bits_option
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
    roster: Path | None,
    secrets: Path | None,
    out: Path,
    passphrase_stdin: bool,
    passphrase_fd: int | None,
    replaces: str | None,
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
      usbprov prepare --roster users.csv --secrets pins.toml --discover --out files
      usbprov prepare --mac 0004f2abcdef --serial NEW --key vault --replaces OLD \\
        --extension 1001 --web-services-url URL --out alice.usbprov
      usbprov prepare --mac 0004f2abcdef --extension 1001 --pin-fd 3 --passphrase-fd 4 \\
        --discover --out alice.usbprov --json 3< pin 4< passphrase
    """
    which = _Given(
        mac,
        serial,
        model,
        request,
        roster,
        secrets,
        out,
        passphrase_stdin,
        passphrase_fd,
        replaces,
    )
    keeping = Keeping.taken_from(given)
    names = {field.name for field in fields(OrderOptions)} & given.keys()
    options = OrderOptions(**{name: given.pop(name) for name in names})
    proof = CredentialOptions(**given)
    _check_key(which, options.key)
    _one_reader(which, proof, keeping)
    manner = options.manner(keeping, dry_run=False, as_json=as_json)
    if roster:
        _prepare_roster(roster, which, options, proof, manner)
    else:
        _prepare_one(which, options, proof, manner)


def _check_key(which: _Given, key: str | None) -> None:
    if key and which.request:
        raise UsageError(f"--key {key} and --request do not go together: the phone made its key")
    if key == KeySource.VAULT and which.mac and not which.serial:
        raise UsageError("--key vault needs --serial: a pair is bound to serial number and MAC")
    if which.replaces and (key != KeySource.VAULT or which.roster):
        raise UsageError("--replaces needs --key vault, and is one phone's")


def _one_reader(which: _Given, proof: CredentialOptions, keeping: Keeping) -> None:
    others = proof.pin_stdin or proof.password_stdin or keeping.vault_passphrase_stdin
    if which.passphrase_stdin and others:
        raise UsageError("standard input has one secret only: give the others by --…-fd")


def _order(options: OrderOptions, credential: CredentialOrder) -> Order:
    order = options.order(credential)
    required_url(order.web_services_url)
    return replace(order, key=order.key or KeySource.HOST)


# --- one phone


def _prepare_one(
    which: _Given, options: OrderOptions, proof: CredentialOptions, manner: Manner
) -> None:
    from usbprov.offline.files import read_request

    asked = read_request(which.request) if which.request else None
    if asked:
        options = _agreed(asked, options)
    order = replace(_order(options, credential_order(proof)), replaces=which.replaces)
    if asked:
        order = replace(order, key=KeySource.EXISTING, slot=asked.slot)
    secret = secret_of(proof, options.user)
    blank = Named(asked, which.mac, which.serial, which.model).blank()
    new, old = partial(new_file, **which.passphrase), partial(opened, **which.passphrase)
    with locked(which.out), current().ledger() as ledger:
        file = begun(which.out, blank, new, old)
        result = told(prepare_file(order, file, ledger, secret, manner), manner)
    _show(result, which.out, asked, manner)


def _agreed(asked: "RequestFile", options: OrderOptions) -> OrderOptions:
    """Take user and servers out of the request; what is named here may only confirm the user."""
    settings = asked.settings
    if options.user is not None and sip_uri(options.user) != settings.sip_uri:
        raise UsageError(f"--user {options.user}: the request is for {settings.sip_uri}")
    named = options.registrar and str(RegistrarAddress.parse(options.registrar))
    return replace(
        options,
        user=settings.sip_uri,
        web_services_url=options.web_services_url or settings.web_services_url,
        registrar=named or settings.registrar,
    )


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


# --- all of a roster


def _prepare_roster(
    file: Path, which: _Given, options: OrderOptions, proof: CredentialOptions, manner: Manner
) -> None:
    from usbprov.bench.rosterfile.reading import read_roster
    from usbprov.bench.secrets import Account, Secrets, asked_once, read_secrets
    from usbprov.cli.preparing_many import Batch, prepare_all, refuse_unbound

    if options.user or proof.extension:
        raise UsageError("--user and --extension are one phone's: the roster has them")
    roster = read_roster(file).require()
    refuse_unbound(roster)
    pins: list[PinSource] = [read_secrets(which.secrets)] if which.secrets else []
    account = None
    if proof.login:
        account = Account(credential_order(proof), asked_once(secret_of(proof, None)))
    order = _order(options, CredentialOrder(()))
    words = one_passphrase("all files", **which.passphrase)
    with current().ledger() as ledger:
        batch = Batch(
            roster, Secrets((*pins, roster), account), order, which.out, words, ledger, manner
        )
        prepare_all(batch)
