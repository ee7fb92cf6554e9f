"""A check of servers, put together for the commands: network, credential, steps, result."""

from usbprov.cli.credentials import CredentialOptions, credential_order, secret_of
from usbprov.cli.servers import ServerOptions
from usbprov.cli.steps import StepList, finish
from usbprov.cli.users import sip_uri
from usbprov.engine.checks.bootstrap import Steps
from usbprov.engine.checks.inquiry import FACTS, Inquiry
from usbprov.engine.checks.sequence import run_steps


def run_inquiry(
    steps: Steps,
    servers: ServerOptions,
    given: CredentialOptions,
    user: str | None,
    *,
    as_json: bool,
) -> None:
    """Take the steps, show each, and say what they come to.

    Raises:
        ToldError: A step has failed.
        UsageError: The options contradict each other.
    """
    shown = StepList([step.name for step in steps], as_json=as_json)
    with servers.network() as network:
        inquiry = Inquiry(
            network,
            web_services_url=servers.web_services_url,
            given_registrar=servers.registrar,
            chain_url=servers.chain_url(),
            proof=credential_order(given),
            secret=secret_of(given, user),
            user=sip_uri(user),
        )
        results = run_steps(steps, inquiry, FACTS, shown)
    more = {
        "user": inquiry.user,
        "web_services_url": inquiry.url,
        "registrar": str(inquiry.registrar_address) if inquiry.registrar_address else None,
    }
    finish(results, as_json=as_json, passed=f"{inquiry.user} can sign in.", more=more)
