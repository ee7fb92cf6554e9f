"""``usbprov lab phone``: one emulated phone on a cable of its own."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from usbprov.cli import documents
from usbprov.cli.labs import personality_option
from usbprov.cli.options import json_option, lab_dir_option
from usbprov.cli.text import pairs

if TYPE_CHECKING:
    from usbprov.lab.single import SingleFacts, SingleOptions

_ONLY_ONE = ""
"""What stands for the name of the one device controller that there is."""


@click.command()
@lab_dir_option
@click.option(
    "--gadget",
    "udc",
    is_flag=False,
    flag_value=_ONLY_ONE,
    metavar="[UDC]",
    help="On this board's USB device port; UDC is its controller, where there are several.",
)
@click.option("--pty", "on_pty", is_flag=True, help="On a pseudo-terminal, as a serial line.")
@click.option(
    "--link-name",
    type=click.Path(path_type=Path),
    help="With --pty: make a symbolic link of this name to the terminal.",
)
@click.option(
    "--index",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Which phone: gives its serial number and MAC.",
)
@personality_option
@json_option
def phone(
    directory: Path,
    udc: str | None,
    on_pty: bool,
    link_name: Path | None,
    index: int,
    personality: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run one emulated phone on a real cable or a serial line, until Ctrl-C.

    In the folder of a lab the phone trusts that lab's root; in any other folder it trusts nobody
    yet. What it was given lasts in the folder until the next start. With --gadget another
    computer finds the phone when the cable is plugged in; see docs/gadget.md.

    \b
    Examples:
      sudo usbprov lab phone --gadget --dir phone
      usbprov lab phone --pty --link-name /tmp/phone --dir lab
      usbprov --bus tty:/tmp/phone info
    """
    from usbprov.lab.phones import parse_personality
    from usbprov.lab.single import SingleOptions

    if (udc is not None) == on_pty:
        raise click.UsageError("Give either --gadget or --pty.")
    if link_name is not None and not on_pty:
        raise click.UsageError("--link-name goes with --pty.")
    options = SingleOptions(directory, index, personality=parse_personality(personality))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with _served(options, udc, link_name) as facts:
        _show(facts, as_json=as_json)
        stop.wait()


@contextmanager
def _served(
    options: "SingleOptions", udc: str | None, link_name: Path | None
) -> "Iterator[SingleFacts]":
    from usbprov.lab.single import serve_gadget, serve_pty

    if udc is None:
        with serve_pty(options, link_name) as facts:
            yield facts
    else:
        with serve_gadget(options, udc or None) as facts:
            yield facts


def _show(facts: "SingleFacts", *, as_json: bool) -> None:
    """Say where the phone is."""
    if as_json:
        documents.show(facts.row())
        return
    where = {
        "serial number": facts.serial,
        "terminal": facts.path,
        "bus": facts.bus,
        "USB gadget": facts.gadget,
        "controller": facts.controller,
    }
    click.echo(pairs((name, value or "") for name, value in where.items()))
    click.echo("Ctrl-C pulls the phone.")
