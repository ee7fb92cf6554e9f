"""``usbprov retire``: a phone goes out of service."""

import sys
from typing import TYPE_CHECKING

import click

from usbprov.cli import documents
from usbprov.cli.options import json_option
from usbprov.cli.settings import current
from usbprov.cli.text import pairs
from usbprov.errors import NotConfirmed

if TYPE_CHECKING:
    from usbprov.engine.recovery.retirement import Retired
    from usbprov.phone.contract import Phone, PhoneInfo

_BY_IDENTITY = ("serial:", "mac:")
"""How a phone is named so that no other can be meant, whatever port it is at."""


@click.command()
@click.argument("phone")
@click.option("--yes", is_flag=True, help="Do not ask; PHONE must be serial:… or mac:… then.")
@json_option
def retire(phone: str, yes: bool, as_json: bool) -> None:
    """Erase PHONE: keys, certificates and settings of all its slots, for good.

    Its serial number or MAC has to be typed. What it holds afterwards is read back. The ledger
    notes that it was retired, so that it is no longer told when its certificate expires, and its
    user counts as one without a phone. Its certificate stays published until an administrator
    revokes it; the command for that is shown, since no other way is known.

    \b
    Examples:
      usbprov retire 1-1.4
      usbprov retire serial:EMU0001 --yes --json
    """
    from usbprov.engine.recovery.retirement import retire as take_out

    settings = current()
    with settings.ledger() as ledger, settings.held(phone) as held:
        info = held.phone.info()
        held.bind(info.identity)
        _confirm(held.phone, info, phone, yes=yes)
        retired = take_out(held.phone, info, ledger)
        if as_json:
            documents.show(_document(held.phone, info, retired))
        elif settings.verbosity:
            click.echo(_words(held.phone, retired))


def _confirm(phone: "Phone", info: "PhoneInfo", selector: str, *, yes: bool) -> None:
    """See that somebody means this phone.

    Raises:
        NotConfirmed: Nobody does.
    """
    if yes and selector.lower().startswith(_BY_IDENTITY):
        return
    if yes or not sys.stdin.isatty():
        raise NotConfirmed(phone.facts.name)
    whose = info.settings.sip_uri if info.settings else "nobody's"
    click.echo(f"{info.vendor} {info.model}, {info.identity}, {whose}", err=True)
    typed = click.prompt("Type its serial number or MAC to erase it", err=True)
    if typed.strip().lower() not in {info.serial.lower(), info.mac, info.mac.replace(":", "")}:
        raise NotConfirmed(phone.facts.name)


def _document(phone: "Phone", info: "PhoneInfo", retired: "Retired") -> documents.Document:
    left = retired.revocation
    return {
        "outcome": "retired",
        "phone": documents.phone(phone.facts, info),
        "user": retired.user,
        "job": retired.job,
        "revocation": {"command": left.command, "others": list(left.others)} if left else None,
    }


def _words(phone: "Phone", retired: "Retired") -> str:
    left = retired.revocation
    facts = [
        ("erased", f"{phone.facts.name}; read back and empty"),
        ("user", retired.user or ""),
        ("job", str(retired.job)),
        ("left to do", f"{left.command}   (as an administrator)" if left else ""),
        ("mind", _others(left.others) if left else ""),
    ]
    return pairs(facts)


def _others(serials: tuple[str, ...]) -> str:
    if not serials:
        return ""
    phones = ", ".join(serials)
    return f"that revokes the user's other phones, too ({phones}): usbprov recover each of them"
