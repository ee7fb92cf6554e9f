"""The program: common options, the table of commands, and what becomes of errors."""

import contextlib
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from usbprov import __version__
from usbprov.cli.lazy import LazyGroup
from usbprov.cli.settings import ENVIRONMENT_PREFIX, Invocation, Settings, ledger_place, load_config

if TYPE_CHECKING:
    from usbprov.ledger.address import LedgerPlace

COMMANDS = {
    "demo": ("usbprov.cli.commands.demo:demo", "Provision emulated phones against a lab, here."),
    "list": ("usbprov.cli.commands.list:list_phones", "Show what is attached."),
    "info": ("usbprov.cli.commands.info:info", "Show what a phone says of itself."),
    "describe": (
        "usbprov.cli.commands.describe:describe",
        "Show a device's descriptors; keep them in a file.",
    ),
    "identify": ("usbprov.cli.commands.identify:identify", "Light a phone's lamp."),
    "provision": (
        "usbprov.cli.commands.provision:provision",
        "Key, certificate, installation and proof for one phone.",
    ),
    "request": (
        "usbprov.cli.commands.request:request",
        "At a phone without network: its key's request, into a file.",
    ),
    "prepare": (
        "usbprov.cli.commands.prepare:prepare",
        "Where the servers are: a phone's certificate, into a sealed file.",
    ),
    "apply": (
        "usbprov.cli.commands.apply:apply",
        "At a phone without network: install what was prepared.",
    ),
    "recover": (
        "usbprov.cli.commands.recover:recover",
        "Find out what is wrong with a phone, and put it right.",
    ),
    "renew": (
        "usbprov.cli.commands.renew:renew",
        "A new certificate by the one that the phone has, without a PIN.",
    ),
    "expiring": (
        "usbprov.cli.commands.expiring:expiring",
        "Which phones' certificates end soon, from the ledger.",
    ),
    "retire": (
        "usbprov.cli.commands.retire:retire",
        "Erase a phone that goes out of service.",
    ),
    "bench": ("usbprov.cli.commands.bench:bench", "Stage many phones, from a roster."),
    "trust": (
        "usbprov.cli.commands.trust:trust",
        "See whom a phone trusts; give it missing roots.",
    ),
    "discover": ("usbprov.cli.commands.discover:discover", "Find the Web Services."),
    "dhcp": ("usbprov.cli.commands.dhcp:dhcp", "Write and explain the phones' DHCP options."),
    "check": ("usbprov.cli.commands.check:check", "Check that all is as it must be."),
    "explain": (
        "usbprov.cli.commands.explain:explain",
        "Say what an error means, and what to do about it.",
    ),
    "udev": ("usbprov.cli.commands.udev:udev", "Let the users of this computer open phones."),
    "ledger": ("usbprov.cli.commands.ledger:ledger", "Look at past and unfinished jobs."),
    "vault": (
        "usbprov.cli.commands.vault:vault",
        "Look at stored key pairs; export, destroy.",
    ),
    "report": (
        "usbprov.cli.commands.report:report",
        "What a shift came to, from the ledger: HTML, CSV, JSON, XLSX.",
    ),
    "labels": (
        "usbprov.cli.commands.labels:labels",
        "Labels for the phones that are done: PDF, ZPL.",
    ),
    "support-bundle": (
        "usbprov.cli.commands.support_bundle:support_bundle",
        "What one job said and heard, without secrets, in one file.",
    ),
    "replay": (
        "usbprov.cli.commands.replay:replay",
        "Show a support bundle's job, or run it again without any server.",
    ),
    "drivers": ("usbprov.cli.commands.drivers:list_drivers", "Show the phone families known."),
    "lab": ("usbprov.cli.commands.lab:lab", "Run the other side: servers and emulated phones."),
}

EPILOG = """\b
Examples:
  usbprov demo
  usbprov list
  usbprov provision --extension 1001 --web-services-url https://pool.contoso.com/CertProv/CertProvisioningService.svc
  printf '%s\\n' "$PIN" | usbprov provision 1-1.4 --extension 1001 --pin-stdin --json

Exit codes: 0 done, 2 usage, 3 phone or USB, 4 refused, 5 server not reached, 6 trust,
7 credential refused, 8 a check failed, 9 interrupted (repeat goes on), 10 some failed.
"""


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    epilog=EPILOG,
    context_settings={
        "auto_envvar_prefix": ENVIRONMENT_PREFIX,
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
)
@click.version_option(__version__, prog_name="usbprov")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=load_config,
    help="Settings file (TOML); by default config.toml in the user's configuration folder.",
)
@click.option(
    "--bus",
    multiple=True,
    metavar="BUS",
    help="Where to look for phones: kernel (the default), usbip://HOST[:PORT], or a serial line"
    " (tty:/dev/ttyS0). Repeatable.",
)
@click.option(
    "--ledger",
    "ledger_file",
    envvar=f"{ENVIRONMENT_PREFIX}_LEDGER",
    type=ledger_place,
    metavar="FILE|URL",
    help="The record of jobs: a file, by default in the user's state folder, or"
    " postgresql://USER@HOST/DATABASE (docs/ledger.md).",
)
@click.option(
    "--link",
    type=click.Choice(["bulk", "serial"]),
    help="Speak over this kind of cable only; by default bulk where there is one.",
)
@click.option(
    "--lock-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Locks that keep two programs off one phone; by default in the system's place for locks.",
)
@click.option("-v", "--verbose", count=True, help="Say more; -vv for debugging.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors and results.")
@click.option("--log-file", type=click.Path(path_type=Path), help="Log everything to this file.")
@click.pass_context
def cli(
    ctx: click.Context,
    bus: tuple[str, ...],
    ledger_file: "LedgerPlace | None",
    link: str | None,
    lock_dir: Path | None,
    verbose: int,
    quiet: bool,
    log_file: Path | None,
) -> None:
    """Provision desk phones over USB.

    Gives a phone on the cable its key and its Lync / Skype for Business user certificate,
    obtained from the Web Services on the phone's behalf, and proves that it works.
    """
    ctx.meta[Invocation.KEY] = ctx.obj
    if "NO_COLOR" in os.environ:
        ctx.color = False
    verbosity = 0 if quiet else 1 + verbose
    from usbprov.cli.logs import set_up, set_up_none

    if verbose or log_file:
        set_up(verbosity, log_file)
    else:
        set_up_none()
    ctx.obj = Settings(bus, ledger_file, verbosity, link, lock_dir)


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code."""
    invocation = Invocation()
    try:
        cli.main(list(arguments), prog_name="usbprov", standalone_mode=False, obj=invocation)
    except click.exceptions.Exit as asked:
        return asked.exit_code
    except (Exception, KeyboardInterrupt) as error:
        from usbprov.cli.failure import explain

        return explain(error, as_json=invocation.as_json or "--json" in arguments)
    return 0


def _terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    from usbprov.cli.failure import end_thread

    end_thread(ended)


def main() -> NoReturn:
    """Entry point of the console script. SIGTERM ends a job as cleanly as Ctrl-C does."""
    for stream in (sys.stdout, sys.stderr):
        # A sign that cannot be shown must not stop a job, nor a stream that is of an odd kind.
        with contextlib.suppress(OSError):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
    if not sys.warnoptions:  # what a library tells its developers is not for a technician
        warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, _terminated)
    threading.excepthook = _thread_ended
    sys.exit(run(sys.argv[1:]))
