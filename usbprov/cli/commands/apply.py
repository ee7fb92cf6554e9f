"""``usbprov apply``: what was prepared goes into its phone, without any network."""

from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING

import click

from usbprov.cli import documents
from usbprov.cli.carrying import locked, opened, passphrase_options
from usbprov.cli.closing import facts, panel, show_result
from usbprov.cli.options import (
    json_option,
    old_tls_option,
    phone_argument,
    retry_option,
    return_option,
)
from usbprov.cli.provisioning import Manner, Run, run_at_phone
from usbprov.cli.secret import no_secret
from usbprov.cli.servers import ca_file_option
from usbprov.cli.settings import current, site
from usbprov.cli.text import local
from usbprov.engine.job import known
from usbprov.engine.result import Outcome, Result
from usbprov.engine.retry import RetryPolicy
from usbprov.errors import CarriedNotWritten, UsageError

if TYPE_CHECKING:
    from usbprov.offline.files import SealedFile
    from usbprov.offline.package import Application, Package


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@phone_argument
@passphrase_options
@click.option("--replace", is_flag=True, help="Replace what the phone's slot holds.")
@click.option("--sign-in", is_flag=True, help="Sign in at the Registrar in the end; asks servers.")
@ca_file_option
@old_tls_option
@retry_option
@return_option
@click.option("--dry-run", is_flag=True, help="Show the plan; touch nothing.")
@json_option
def apply(
    file: Path,
    phone: str | None,
    passphrase_stdin: bool,
    passphrase_fd: int | None,
    replace: bool,
    sign_in: bool,
    ca_file: Path | None,
    allow_old_tls: tuple[str, ...],
    retry_seconds: float,
    return_seconds: float,
    dry_run: bool,
    as_json: bool,
) -> None:
    """At PHONE, without any network: give it what `usbprov prepare` has put into FILE.

    The phone must be the one that the file was prepared for. Its clock is set, the roots that it
    lacks are installed, then key and certificate in one commit, and it proves that it holds the
    key. No server is asked for anything, unless --sign-in says so; where there is a network, the
    same command with --sign-in shows later that the phone can sign in. A job that was interrupted
    goes on when the command is repeated; applied twice, nothing is done.

    \b
    Examples:
      usbprov apply alice.usbprov
      usbprov apply alice.usbprov 1-1.4 --passphrase-fd 3 --json 3< passphrase
      usbprov apply alice.usbprov --sign-in
    """
    from usbprov.engine.offline.applying import Carried, apply_course

    settings, servers = current(), site(allow_old_tls)
    manner = Manner(
        ca_file,
        dry_run,
        as_json,
        quiet=settings.verbosity == 0,
        site=servers,
        retries=RetryPolicy(seconds=retry_seconds),
        return_seconds=return_seconds,
        tape=False,
        may_look=sign_in,
    )
    with locked(file), settings.ledger() as ledger:
        sealed, package = opened(file, stdin=passphrase_stdin, descriptor=passphrase_fd)
        carried = Carried(file.name, package)
        if sign_in and carried.settings.registrar is None:
            raise UsageError(f"--sign-in: {file.name} was prepared without a Registrar")
        order = carried.order(replace=replace, sign_in=sign_in)
        candidate = settings.find(phone)
        run = run_at_phone(candidate, order, ledger, no_secret, manner, apply_course(carried))
        trouble = None if dry_run else _mark(sealed, package, run)
    _show(run.result, file, package.applied, manner)
    if trouble and not as_json:
        click.echo(f"note: {trouble}", err=True)


def _mark(sealed: "SealedFile", package: "Package", run: Run) -> CarriedNotWritten | None:
    """Write into the file that it was applied; a medium that is read-only stops nothing."""
    from usbprov.offline.package import Application, present

    identity = known(run.job.info).identity
    before = {(done.serial, done.mac) for done in package.applied}
    if run.result.outcome is Outcome.ALREADY and (identity.serial, identity.mac) in before:
        return None
    done = Application(present(), identity.serial, identity.mac)
    try:
        sealed.write(changed(package, applied=(*package.applied, done)))
    except CarriedNotWritten as error:
        return error
    return None


def _show(result: Result, file: Path, applied: "tuple[Application, ...]", manner: Manner) -> None:
    """Show what came of it, and what the file says of earlier times."""
    if manner.as_json:
        earlier = [{"at": documents.moment(done.at), "serial": done.serial} for done in applied]
        documents.show(documents.result(result) | {"file": str(file), "applied_before": earlier})
    elif result.outcome is Outcome.PLANNED:
        show_result(result)
    elif not manner.quiet:
        is_new = result.outcome is Outcome.PROVISIONED
        title = f"applied {file.name}" if is_new else "nothing to do: it has it already"
        panel(f"{result.facts.name}: {title}", _body(result, file, applied))


def _body(result: Result, file: Path, applied: "tuple[Application, ...]") -> str:
    lines = [facts(result), ""]
    lines += [f"{file.name} was applied before, on {local(done.at)}." for done in applied[-1:]]
    if result.signed_in is None:
        lines.append(
            "No server was asked. With a network, the sign-in is shown by\n"
            f"  usbprov apply {file.name} --sign-in"
        )
    lines.append("The cable may be removed.")
    return "\n".join(lines)
