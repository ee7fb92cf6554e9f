"""Options that several commands have."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import click

from usbprov.cli.settings import Invocation

F = TypeVar("F", bound=Callable[..., object])

phone_argument = click.argument("phone", metavar="[PHONE]", required=False)
"""A port path (1-1.4.2), serial:… or mac:…; may be left out when one phone is attached."""


def _note_json(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> bool:
    """Remember for a failure that JSON was asked for, by whatever way."""
    invocation = ctx.find_root().meta.get(Invocation.KEY)
    if invocation is not None:
        invocation.as_json = wanted
    return wanted


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,
    callback=_note_json,
    help="Print JSON (docs/json.md).",
)


old_tls_option = click.option(
    "--allow-old-tls",
    metavar="HOST",
    multiple=True,
    help="Let this one server speak TLS 1.0 or 1.1, and show weak certificates. Repeatable.",
)

retry_option = click.option(
    "--retry-seconds",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="How long a server that is down for the moment is tried again; 0 for not at all.",
)

return_option = click.option(
    "--return-seconds",
    type=click.FloatRange(min=0),
    default=90.0,
    show_default=True,
    help="How long a phone that restarts, or is pulled, is waited for; 0 for not at all.",
)


def with_options(function: F, options: Sequence[Callable[[F], F]]) -> F:
    """Add several options to a command, which shows them in this order."""
    for option in reversed(options):
        function = option(function)
    return function


def span_value(
    _ctx: click.Context, _parameter: click.Parameter, value: str | None
) -> timedelta | None:
    """Click callback: a span of time."""
    if value is None:
        return None
    from usbprov.engine.times import parse_span

    try:
        return parse_span(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no span of time: write 90m, 8h, 30d") from None


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
