"""A check of servers, put together for the commands: network, credential, steps, result."""

from usbprov.checks import CheckResult, Verdict, first_error, timed
from usbprov.cli.credentials import CredentialOptions, credential_order, secret_of
from usbprov.cli.servers import ServerOptions
from usbprov.cli.steps import StepList, finish
from usbprov.cli.users import sip_uri
from usbprov.engine.checks.bootstrap import REGISTRAR_STEPS, Steps
from usbprov.engine.checks.inquiry import FACTS, Inquiry
from usbprov.engine.checks.network import Network
from usbprov.engine.checks.sequence import Examined, run_steps
from usbprov.engine.diagnosis.examining import examine, reconsider
from usbprov.engine.diagnosis.model import Context, Diagnosis
from usbprov.engine.diagnosis.probes.contract import Scene
from usbprov.engine.diagnosis.scope import compared
from usbprov.engine.job import known
from usbprov.errors import UsbprovError

_OTHER_USER = "other-user"


def run_inquiry(
    steps: Steps,
    servers: ServerOptions,
    given: CredentialOptions,
    user: str | None,
    *,
    as_json: bool,
    other: CredentialOptions | None = None,
) -> None:
    """Take the steps, show each, and say what they come to.

    Args:
        steps: Which.
        servers: Where.
        given: What proves the user.
        user: The user, where named.
        as_json: Print a document at the end.
        other: What proves another user of the same pool, who is tried if the first is stopped.

    Raises:
        ToldError: A step has failed.
        UsageError: The options contradict each other.
    """
    names = [step.name for step in steps] + ([_OTHER_USER] if other else [])
    shown = StepList(names, as_json=as_json)
    with servers.network() as network:
        inquiry = _inquiry(network, servers, given, user)
        results = run_steps(steps, inquiry, FACTS, shown, _examined(inquiry, servers))
        error = first_error(results)
        if error is not None and other is not None:
            second = _inquiry(network, servers, other, None)
            compared_with = timed(lambda: _compare(steps, second, error))
            shown(compared_with)
            results = (*results, compared_with)
    more = {
        "user": inquiry.user,
        "web_services_url": inquiry.url,
        "registrar": str(inquiry.registrar_address) if inquiry.registrar_address else None,
    }
    finish(results, as_json=as_json, passed=f"{inquiry.user} can sign in.", more=more)


def _inquiry(
    network: Network, servers: ServerOptions, given: CredentialOptions, user: str | None
) -> Inquiry:
    return Inquiry(
        network,
        web_services_url=servers.web_services_url,
        given_registrar=servers.registrar,
        chain_url=servers.chain_url(),
        proof=credential_order(given),
        secret=secret_of(given, user),
        user=sip_uri(user),
    )


def _compare(steps: Steps, other: Inquiry, error: UsbprovError) -> CheckResult:
    """Have another user do the same, and say what that tells of the first one's failure."""
    stopped = first_error(run_steps(steps, other, FACTS, lambda _result: None))
    evidence = compared(error, stopped, f"extension {known(other.proof).name}")
    first = reconsider(error, evidence).first
    return CheckResult(_OTHER_USER, Verdict.NOTE, evidence.seen, first.says, first.remedy)


def _examined(inquiry: Inquiry, servers: ServerOptions) -> Examined:
    """Return what diagnoses a step's error, and looks at the servers to tell causes apart."""

    def look_closer(step: str, error: UsbprovError) -> Diagnosis:
        ways = {inquiry.way} if inquiry.way else set(inquiry.proof.ways if inquiry.proof else ())
        context = Context(step, frozenset(way.value for way in ways))
        download = servers.chain_url()
        scene = Scene(
            inquiry.url or "",
            servers.ca_file,
            servers.site(),
            step in REGISTRAR_STEPS,
            (lambda: inquiry.network.download(download)) if download else None,
        )
        return examine(error, context, scene)

    return look_closer
