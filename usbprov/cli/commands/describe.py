"""``usbprov describe``: what a device says of itself, without touching it."""

import json
from pathlib import Path

import click

from usbprov.cli.documents import show
from usbprov.cli.options import json_option, phone_argument
from usbprov.cli.settings import current

_NOTICE = "The serial number {serial} is in it and identifies this device; --no-serial masks it."


@click.command()
@phone_argument
@click.option(
    "--dump",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the description in this file (JSON).",
)
@click.option("--no-serial", is_flag=True, help="Mask the serial number.")
@json_option
def describe(phone: str | None, file: Path | None, no_serial: bool, as_json: bool) -> None:
    """Show the descriptors and strings of PHONE, and where it is plugged in.

    PHONE may be any device, of a known family or not: a port path (1-1.4.2), or serial:…; `usbprov
    list` shows them. Nothing is written to it and nothing of its data is read. The file helps
    those who would write a driver for it.

    \b
    Examples:
      usbprov describe 1-1.4
      usbprov describe 1-1.4 --no-serial --dump phone.json
    """
    from usbprov.cli.describing import description_document, description_text, masked
    from usbprov.usb.description import chain_of, describe_device

    candidate = current().find(phone)
    facts = candidate.facts
    chain = chain_of(facts.port_path) if facts.bus == "kernel" else ()
    described = describe_device(candidate.device, chain[-1] if chain else None)
    document = description_document(candidate, described, chain)
    if no_serial:
        document = masked(document, facts.serial)
    if file is not None:
        _keep(file, document)
    if as_json:
        show(document)
    elif file is None:
        click.echo(description_text(document))
    else:
        click.echo(f"{file} is written.")
    if facts.serial and not no_serial and file is not None:
        click.echo(_NOTICE.format(serial=facts.serial), err=True)


def _keep(file: Path, document: dict[str, object]) -> None:
    from usbprov.errors import UsageError
    from usbprov.files import write_whole

    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    try:
        write_whole(file, text.encode("utf-8", "replace"), 0o644)
    except OSError as failure:
        raise UsageError(f"{file} cannot be written: {failure.strerror}") from None
