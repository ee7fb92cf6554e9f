"""``usbprov udev``: the rules that let the users of this computer open phones."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from usbprov.cli.lazy import CheckedGroup
from usbprov.cli.options import json_option

if TYPE_CHECKING:
    from usbprov.usb.udev_rules import RulesFile

F = TypeVar("F", bound=Callable[..., object])


def _dir_option(function: F) -> F:
    return click.option(
        "--dir",
        "directory",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="Another folder than udev's own, /etc/udev/rules.d; udev is then left alone.",
    )(function)


@click.group(cls=CheckedGroup)
def udev() -> None:
    """Let the users of this computer open phones, without being root (Linux).

    Two small files of rules say to udev who may open the phones that the drivers know, and keep
    ModemManager and mtp-probe from talking to them.

    \b
    Examples:
      sudo usbprov udev install
      usbprov udev check
      usbprov udev print > rules-for-the-administrator.txt
    """


@udev.command("print")
@click.argument("name", required=False)
def print_rules(name: str | None) -> None:
    """Print the rules: of the file NAME only, or of all."""
    from usbprov.cli.rules import rules

    files = rules()
    chosen = [file for file in files if name in {None, file.name}]
    if not chosen:
        known = ", ".join(file.name for file in files)
        raise click.BadParameter(f"{name!r}; the files are: {known}", param_hint="NAME")
    click.echo("\n".join(file.text for file in chosen), nl=False)


@udev.command()
@_dir_option
def install(directory: Path | None) -> None:
    """Write the rules to /etc/udev/rules.d and apply them to what is attached; needs root."""
    from usbprov.cli.rules import rules
    from usbprov.usb import udev_files
    from usbprov.usb.udev_rules import GROUP

    _say(udev_files.install(rules(), directory or udev_files.RULES_DIR))
    if directory is None:
        _say(udev_files.load())
        click.echo(
            f"The user at this computer's seat may open phones now. For SSH and services, add the"
            f" user to the group {GROUP}: sudo usermod -aG {GROUP} USER, and log in again."
        )


@udev.command()
@_dir_option
def uninstall(directory: Path | None) -> None:
    """Remove the rules that `usbprov udev install` wrote; needs root."""
    from usbprov.cli.rules import rules
    from usbprov.usb import udev_files

    _say(udev_files.uninstall(rules(), directory or udev_files.RULES_DIR))
    if directory is None:
        _say(udev_files.load())
        click.echo(
            "Phones that are attached can be opened as before until they are plugged in anew."
        )


@udev.command()
@_dir_option
@json_option
def check(directory: Path | None, as_json: bool) -> None:
    """Compare the installed rules with what they must be; the exit code is 8 if they are not."""
    from usbprov.checks import timed
    from usbprov.cli.checks import show_checks
    from usbprov.cli.rules import rules
    from usbprov.usb.udev_files import SEARCHED, check_rules, lint

    files: tuple[RulesFile, ...] = rules()
    places = SEARCHED if directory is None else (directory,)
    results = [*check_rules(files, places), timed(lambda: lint(files, places))]
    show_checks(results, as_json=as_json)


def _say(lines: tuple[str, ...]) -> None:
    for line in lines:
        click.echo(line)
