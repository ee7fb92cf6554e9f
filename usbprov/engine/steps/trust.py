"""Trust: the phone must accept the servers' chain, or it can never sign in or renew."""

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.engine.steps.publish import has_certificate
from usbprov.errors import PhoneCannotVerify
from usbprov.phone.contract import Capability
from usbprov.phone.models import chain_limits
from usbprov.pki.limits import NO_LIMITS
from usbprov.tape.clock import now

if TYPE_CHECKING:
    from usbprov.webservices.trust.plan import TrustPlan

# ruff: noqa: PLC0415 - the plan of trust is imported when a server is asked


class TrustStep:
    """Compares digests first, and installs what is missing of the chain, intermediates too."""

    name: ClassVar = StepName.TRUST
    needs: ClassVar = frozenset({"info"})
    yields: ClassVar = frozenset[str]()

    def already(self, job: Job) -> str | None:
        """Skip it where the phone has no store, or where an earlier run has been past it."""
        if Capability.TRUST_STORE not in known(job.info).capabilities:
            return "the phone has no store of roots that can be changed"
        return "done before the interruption" if has_certificate(job) else None

    def intent(self, job: Job) -> str:
        """Say what is compared."""
        count = len(known(job.info).roots)
        return f"compare the server's chain with the phone's {count} roots; install what is missing"

    def run(self, job: Job) -> str:
        """Judge the server as the phone will, and install what it lacks for that."""
        from usbprov.pki.certificates import shown_name
        from usbprov.webservices.trust.plan import carry_out

        plan = trust_plan(job)
        carry_out(job.phone, plan)
        if plan.installations:
            return f"installed: {', '.join(str(done) for done in plan.installations)}"
        return f"the phone trusts {shown_name(plan.judged[0].planned.path[-1].subject)}"


def refuse_unverifiable(job: Job) -> None:
    """Stop before the ticket if the phone can never verify the server, whatever is installed.

    It costs one TLS handshake, for phones with known limits only, and spares the user's PIN.

    Raises:
        PhoneCannotVerify: The chain has algorithms or sizes that the phone does not know.
    """
    if chain_limits(known(job.info)) == NO_LIMITS:
        return
    obstacle = trust_plan(job).obstacle
    if isinstance(obstacle, PhoneCannotVerify):
        raise obstacle


def trust_plan(job: Job) -> "TrustPlan":
    """Plan with what this computer has, and with the chain download if that does not suffice."""
    from usbprov.pki.certificates import load_certificate
    from usbprov.webservices.trust.plan import Planner, server_source
    from usbprov.webservices.trust.servers import Server, web_services_address
    from usbprov.webservices.trust.sources import GivenSource, SourceName, readable
    from usbprov.webservices.trust.view import PhoneView

    services, info = job.connect(), known(job.info)
    if Capability.SET_CLOCK in info.capabilities:
        info = replace(info, clock=now())  # as the step before this one leaves it
    address = web_services_address(job.order.web_services_url)
    presented = job.retry(services.presented_chain)
    server = Server(address, tuple(load_certificate(c) for c in presented))
    anchors = readable(services.trusted_roots())
    ours = GivenSource(SourceName.SYSTEM, "this computer", anchors, protected=True)
    planner = Planner(PhoneView(job.phone, info), [server], anchors)
    return planner.plan([ours, server_source(server)], [services.chain_download()])
