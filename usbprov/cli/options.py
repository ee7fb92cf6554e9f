"""Options that several commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

F = TypeVar("F", bound=Callable[..., object])

phone_argument = click.argument("phone", metavar="[PHONE]", required=False)
"""A port path (1-1.4.2), serial:… or mac:…; may be left out when one phone is attached."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/json.md).")


def lab_dir_option(function: F) -> F:
    """Add ``--dir``, the lab's folder, with its default in the user's state folder."""
    return click.option(
        "--dir",
        "directory",
        type=click.Path(path_type=Path, file_okay=False),
        default=_lab_default,
        show_default="lab in the user's state folder",
        help="The lab's folder.",
    )(function)


def _lab_default() -> Path:
    from usbprov.cli.settings import default_lab

    return default_lab()
