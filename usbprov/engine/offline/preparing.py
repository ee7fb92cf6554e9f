"""Prepare: the steps of a job that need the servers, with a phone on paper in the phone's place.

They are the steps of every job; some say in other words what they do, since the paper is no phone,
and one takes along what the phone will have to trust.
"""

from collections.abc import Sequence
from typing import ClassVar

from usbprov.engine.course import Course
from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.engine.order import KeySource
from usbprov.engine.plan import Plan, make_plan
from usbprov.engine.result import Outcome
from usbprov.engine.steps.check import CheckStep
from usbprov.engine.steps.contract import Step
from usbprov.engine.steps.install import InstallStep
from usbprov.engine.steps.key import KeyStep
from usbprov.engine.steps.prove import ProveStep
from usbprov.engine.steps.publish import PublishStep, has_certificate
from usbprov.engine.steps.request import RequestStep
from usbprov.engine.steps.sign_in import SignInStep
from usbprov.engine.steps.ticket import TicketStep
from usbprov.engine.steps.trust import TrustStep, trust_plan
from usbprov.errors import CarriedFileTaken
from usbprov.offline.paper import PaperPhone
from usbprov.phone.contract import Capability
from usbprov.pki.certificates import shown_name, to_der


class CarryTrustStep(TrustStep):
    """Judges the server as the phone will, and takes along what leads to its root."""

    name: ClassVar = StepName.TRUST

    def __init__(self, paper: PaperPhone) -> None:
        self._paper = paper

    def already(self, job: Job) -> str | None:
        """Skip it where the phone has no store, or where the file has it from an earlier run."""
        if Capability.TRUST_STORE not in known(job.info).capabilities:
            return super().already(job)
        has_all = has_certificate(job) and bool(self._paper.package.server_chain)
        return "taken along before the interruption" if has_all else None

    def intent(self, job: Job) -> str:
        """Say what is taken along."""
        return "take along the server's chain, up to the root that the phone is to trust"

    def run(self, job: Job) -> str:
        """Take along the server's own chain, and the certificates above it.

        Raises:
            TrustError: The phone, or this computer, could never trust this server.
        """
        plan = trust_plan(job)
        if plan.obstacle is not None:
            raise plan.obstacle
        judged = plan.judged[0]
        path = judged.planned.path[1:]
        self._paper.carry([to_der(c) for c in judged.server.chain], [to_der(c) for c in path])
        return f"taken along: {', '.join(shown_name(c.subject) for c in path)}"


class PaperKeyStep(KeyStep):
    """A key of this computer is in the file before anything is asked for it."""

    name: ClassVar = StepName.KEY

    def already(self, job: Job) -> str | None:
        """A phone's key is there from the start; one of this computer from an earlier run."""
        found = super().already(job)
        return self._where(job) if found and job.key_source is KeySource.EXISTING else found

    def intent(self, job: Job) -> str:
        """Say where the key comes from."""
        return self._where(job)

    def run(self, job: Job) -> str:
        """Make it, and have it in the file; or take the phone's out of its request."""
        learnt = super().run(job)
        if job.key_source is KeySource.VAULT:
            return learnt
        return f"{self._where(job)}, SHA-256 {known(job.key_sha256)[:16]}…"

    def _where(self, job: Job) -> str:
        if job.key_source is KeySource.EXISTING:
            return "the phone's, by its request"
        if job.key_source is KeySource.VAULT:
            return f"of the vault's pair, into {job.phone.facts.port_path}"
        return f"made on this computer, RSA {job.order.bits}, into {job.phone.facts.port_path}"


class PaperRequestStep(RequestStep):
    """The phone's own request, or one that is signed with the key in the file."""

    name: ClassVar = StepName.REQUEST

    def intent(self, job: Job) -> str:
        """Say who signs it."""
        who = "the phone" if job.key_source is KeySource.EXISTING else "this computer"
        return f"certificate request (PKCS#10), signed by {who}"


class SealStep(InstallStep):
    """Installing on paper: certificate and settings into the file, both at once."""

    name: ClassVar = StepName.INSTALL

    def intent(self, job: Job) -> str:
        """Say what is written where."""
        return f"certificate and settings into {job.phone.facts.port_path}, sealed"

    def run(self, job: Job) -> str:
        """Write the file."""
        super().run(job)
        return f"{len(known(job.certificate))} bytes, sealed in {job.phone.facts.port_path}"


def prepare_course(paper: PaperPhone) -> Course:
    """Return the way of a job to a finished file.

    Possession and sign-in are proved where the file has the key; a phone that made its own does so
    when the file is applied.
    """
    proofs: tuple[Step, ...] = () if paper.package.request else (ProveStep(), SignInStep())
    steps: tuple[Step, ...] = (
        TicketStep(),
        CarryTrustStep(paper),
        PaperKeyStep(),
        PaperRequestStep(),
        PublishStep(),
        CheckStep(),
        SealStep(),
        *proofs,
    )
    return Course(
        steps=steps,
        plan=lambda job, steps: _plan(job, steps, paper),
        confirm=proofs[:1],
        outcome=Outcome.PREPARED,
        again=Outcome.ALREADY_PREPARED,
    )


def _plan(job: Job, steps: Sequence[Step], paper: PaperPhone) -> Plan:
    """Plan; a file that is finished, and of another job, is left as it is.

    Raises:
        CarriedFileTaken: It is.
    """
    package = paper.package
    nonce = package.key.nonce if package.key else None
    plan = make_plan(job, steps, nonce, refuse=lambda _job: None)
    if package.certificate and not plan.done and not plan.resumes:
        whose = package.settings.sip_uri if package.settings else "somebody"
        raise CarriedFileTaken(paper.facts.port_path, f"with a certificate of {whose}")
    return plan
