"""``usbprov check chain``: would this phone, this model or this computer accept a server?"""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from usbprov.cli.options import json_option, old_tls_option
from usbprov.cli.servers import ServerOptions, ca_file_option
from usbprov.cli.settings import current
from usbprov.errors import UsageError

if TYPE_CHECKING:
    from usbprov.engine.checks.chain import Viewer


@click.command("chain")
@click.argument("servers", metavar="HOST[:PORT]...", nargs=-1, required=True)
@click.option("--as-phone", metavar="PHONE", help="See it as this phone does, which is attached.")
@click.option("--as-model", metavar="MODEL", help="See it as phones of this model do: CX700.")
@ca_file_option
@old_tls_option
@json_option
def check_chain(
    servers: tuple[str, ...],
    as_phone: str | None,
    as_model: str | None,
    ca_file: Path | None,
    allow_old_tls: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check whether the certificates of servers are accepted (port 443, if none is given).

    A phone judges by its own roots, its clock and the algorithms that it knows. Of a model only
    the algorithms are known, so this computer's roots and clock stand for the phone's.

    \b
    Examples:
      usbprov check chain pool.contoso.com pool.contoso.com:5061 --as-phone 1-1.4
      usbprov check chain pool.contoso.com --as-model CX700 --json
    """
    from usbprov.cli.steps import StepList, finish
    from usbprov.engine.checks.chain import ChainCheck, chain_steps
    from usbprov.engine.checks.sequence import run_steps
    from usbprov.webservices.trust.servers import server_address

    if as_phone and as_model:
        raise UsageError("--as-phone and --as-model do not go together")
    steps = chain_steps([server_address(server) for server in servers])
    shown = StepList([step.name for step in steps], as_json=as_json)
    options = ServerOptions(ca_file=ca_file, allow_old_tls=allow_old_tls)
    with contextlib.ExitStack() as stack:
        viewer = _viewer(as_phone, as_model, ca_file, stack)
        network = stack.enter_context(options.network())
        results = run_steps(steps, ChainCheck(network, viewer), {}, shown)
    finish(results, as_json=as_json, passed=f"Accepted: {', '.join(s.name for s in steps)}")


def _viewer(
    phone: str | None, model: str | None, ca_file: Path | None, stack: contextlib.ExitStack
) -> "Viewer | None":
    from usbprov.engine.checks.chain import ModelView
    from usbprov.phone.models import model_limits
    from usbprov.webservices.trust.sources import FileSource, SystemSource
    from usbprov.webservices.trust.view import PhoneView

    if phone:
        held = stack.enter_context(current().held(phone))
        return PhoneView(held.phone, held.phone.info())
    if model:
        anchors = FileSource(ca_file) if ca_file else SystemSource()
        return ModelView(model, model_limits(model), frozenset(anchors.fetch()))
    return None
