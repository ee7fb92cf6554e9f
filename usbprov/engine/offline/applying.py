"""Apply: what is in a prepared file goes into its phone, and no server is asked for anything."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from usbprov.engine.course import Course
from usbprov.engine.events import StepName
from usbprov.engine.fitness import unfitness
from usbprov.engine.job import Job, known
from usbprov.engine.order import CredentialOrder, KeySource, Order
from usbprov.engine.plan import Plan, make_plan, refuse_occupied
from usbprov.engine.steps.check import CheckStep
from usbprov.engine.steps.clock import TOLERANCE, ClockStep
from usbprov.engine.steps.contract import Step
from usbprov.engine.steps.install import InstallStep
from usbprov.engine.steps.key import KeyStep
from usbprov.engine.steps.prove import ProveStep
from usbprov.engine.steps.sign_in import SignInStep
from usbprov.engine.times import local
from usbprov.errors import (
    ClockBehindFile,
    PreparedExpired,
    PreparedForOther,
    PreparedKeyMissing,
    PreparedUnfinished,
)
from usbprov.ledger.records import ArtifactKind
from usbprov.offline.package import Package
from usbprov.phone.contract import Capability, KeyState, PhoneSettings
from usbprov.pki.certificates import load_certificate, thumbprint
from usbprov.tape.clock import now

if TYPE_CHECKING:
    from usbprov.webservices.trust.plan import TrustPlan

# ruff: noqa: PLC0415 - what judges chains is imported when there is one


class Carried:
    """A finished file: what it holds is known to be there.

    Attributes:
        file: What it is called in messages.
        package: All of it.
    """

    def __init__(self, file: str, package: Package) -> None:
        """Look at it.

        Raises:
            PreparedUnfinished: There is no certificate in it.
        """
        if package.certificate is None or package.settings is None or package.key is None:
            raise PreparedUnfinished(file)
        self.file = file
        self.package = package
        self.certificate: bytes = package.certificate
        self.settings: PhoneSettings = package.settings
        self.key: KeyState = package.key

    @property
    def key_source(self) -> KeySource:
        """Who made the key."""
        if self.package.pkcs8 is not None:
            return KeySource.HOST
        return KeySource.EXISTING if self.package.existing else KeySource.PHONE

    def order(self, *, replace: bool, sign_in: bool) -> Order:
        """Say what is to be done, as the technician's order would."""
        key = load_certificate(self.certificate).public_key()
        return Order(
            self.settings.web_services_url,
            CredentialOrder((), None, "the certificate is in the file"),
            user=self.settings.sip_uri,
            registrar=self.settings.registrar,
            key=self.key_source,
            bits=getattr(key, "key_size", 0),
            slot=self.package.slot,
            replace=replace,
            sign_in=sign_in,
        )


class CarriedTrustStep:
    """Compares digests first, and installs what the phone lacks of what the file has."""

    name: ClassVar = StepName.TRUST
    needs: ClassVar = frozenset({"info"})
    yields: ClassVar = frozenset[str]()

    def __init__(self, carried: Carried) -> None:
        self._carried = carried

    def already(self, job: Job) -> str | None:
        """Skip it where the phone has no store of its own."""
        if Capability.TRUST_STORE not in known(job.info).capabilities:
            return "the phone has no store of roots that can be changed"
        return None if self._carried.package.server_chain else "the file has no chain"

    def intent(self, job: Job) -> str:
        """Say what is compared."""
        roots = len(self._carried.package.roots)
        return f"compare the file's {roots} certificates with the phone's; install what is missing"

    def run(self, job: Job) -> str:
        """Judge the server as the phone will, with what was seen of it when the file was made."""
        from usbprov.webservices.trust.plan import carry_out

        plan = self._plan(job)
        carry_out(job.phone, plan)
        if plan.installations:
            return f"installed: {', '.join(str(done) for done in plan.installations)}"
        return "the phone has all of it"

    def _plan(self, job: Job) -> "TrustPlan":
        """Plan; the file vouches for what it has, since only who knows its passphrase made it."""
        from usbprov.webservices.trust.plan import Planner, server_source
        from usbprov.webservices.trust.servers import Server, web_services_address
        from usbprov.webservices.trust.sources import GivenSource, SourceName
        from usbprov.webservices.trust.view import PhoneView

        package = self._carried.package
        roots = tuple(load_certificate(c) for c in package.roots)
        chain = tuple(load_certificate(c) for c in package.server_chain)
        server = Server(web_services_address(job.order.web_services_url), chain)
        given = GivenSource(SourceName.FILE, self._carried.file, roots, protected=True)
        # The server has another certificate before this one expires: it is judged as it was seen.
        info = known(job.info)
        seen = replace(
            info, clock=package.made, capabilities=info.capabilities - {Capability.SET_CLOCK}
        )
        planner = Planner(PhoneView(job.phone, seen), [server], roots)
        return planner.plan([given, server_source(server)])


class CarriedKeyStep(KeyStep):
    """The key out of the file, or the one that the phone made for its request."""

    name: ClassVar = StepName.KEY

    def __init__(self, carried: Carried) -> None:
        self._carried = carried

    def already(self, job: Job) -> str | None:
        """It may be in the phone: made there, or given to it in an earlier run."""
        found = super().already(job)
        given = self._carried.package.pkcs8 is not None
        return found if given or not found else self.intent(job)

    def intent(self, job: Job) -> str:
        """Say where the key comes from."""
        return _KEY_WORDS[self._carried.key_source]

    def prepare(self, job: Job) -> None:
        """Nothing is made ready here: the file has the key, and keeps it."""

    def run(self, job: Job) -> str:
        """Give it to the phone, or find it there."""
        carried, order = self._carried, job.order
        pkcs8 = carried.package.pkcs8
        if pkcs8 is None:
            job.key_sha256 = carried.key.sha256
        else:
            key = job.phone.import_key(order.slot, pkcs8, job.nonce, replace=order.replace)
            job.key_sha256 = key.sha256
        return f"{_KEY_WORDS[carried.key_source]}, SHA-256 {carried.key.sha256[:16]}…"


_KEY_WORDS = {
    KeySource.HOST: "the file's, given to the phone",
    KeySource.PHONE: "made in the phone for its request",
    KeySource.EXISTING: "the phone's present key",
}


class CarriedCertificateStep:
    """The answer of the servers comes out of the file."""

    name: ClassVar = StepName.PUBLISH
    needs: ClassVar = frozenset({"record"})
    yields: ClassVar = frozenset({"certificate"})

    def __init__(self, carried: Carried) -> None:
        self._carried = carried

    def already(self, job: Job) -> str | None:
        """It may have been taken out in an earlier run."""
        if job.artifact(ArtifactKind.CERTIFICATE) != self._carried.certificate:
            return None
        job.certificate = self._carried.certificate
        return "taken out of the file before"

    def intent(self, job: Job) -> str:
        """Say where it is from."""
        return f"published when {self._carried.file} was prepared; no server is asked"

    def run(self, job: Job) -> str:
        """Take it out, and keep it in the ledger of this computer, too."""
        job.certificate = self._carried.certificate
        job.keep(ArtifactKind.CERTIFICATE, job.certificate)
        return f"out of {self._carried.file}, prepared {local(self._carried.package.made)}"


class AskedSignInStep(SignInStep):
    """Servers are asked only by whoever says so."""

    name: ClassVar = StepName.SIGN_IN

    def already(self, job: Job) -> str | None:
        """Leave it out, unless it was asked for."""
        if not job.order.sign_in:
            return "no server is asked without --sign-in"
        return super().already(job)


def apply_course(carried: Carried) -> Course:
    """Return the way of a job from a finished file into the phone."""
    proofs: tuple[Step, ...] = (ProveStep(), AskedSignInStep())
    steps: tuple[Step, ...] = (
        ClockStep(),
        CarriedTrustStep(carried),
        CarriedKeyStep(carried),
        CarriedCertificateStep(carried),
        CheckStep(),
        InstallStep(),
        *proofs,
    )
    return Course(steps, lambda job, steps: _plan(job, steps, carried), proofs)


def _plan(job: Job, steps: Sequence[Step], carried: Carried) -> Plan:
    """See that this file is for this phone, today, before anything is written.

    Raises:
        OfflineError: It is not.
        SlotOccupied: The slot holds something else that may not be replaced.
    """
    _right_phone(job, carried)
    _right_time(carried)
    plan = make_plan(job, steps, carried.key.nonce, refuse=lambda _job: None)
    _right_key(job, carried)
    if not _may_write(job, carried):
        refuse_occupied(job)
    return plan


def _right_phone(job: Job, carried: Carried) -> None:
    wanted, found = carried.package.phone, known(job.info)
    is_serial = wanted.serial in {"", found.serial}
    if wanted.mac == found.mac.lower() and is_serial:
        return
    expected = str(wanted.identity) if wanted.serial else f"MAC {wanted.mac}"
    name = job.phone_name
    raise PreparedForOther(carried.file, phone=name, expected=expected, found=str(found.identity))


def _right_time(carried: Carried) -> None:
    moment, made = now(), carried.package.made
    if moment < made - TOLERANCE:
        raise ClockBehindFile(carried.file, local(moment), local(made))
    unfit = unfitness(load_certificate(carried.certificate), carried.settings.sip_uri)
    if unfit:
        raise PreparedExpired(carried.file, unfit.words)


def _right_key(job: Job, carried: Carried) -> None:
    """See that a key that only the phone has is still there."""
    keys = {key.sha256 for key in (job.slot.pending_key, job.slot.active_key) if key}
    if carried.package.pkcs8 is None and carried.key.sha256 not in keys:
        raise PreparedKeyMissing(carried.file, job.phone_name, carried.key.sha256[:16])


def _may_write(job: Job, carried: Carried) -> bool:
    """Say whether the slot is this file's: it may be replaced, is in use so, or has its key."""
    slot = job.slot
    in_use = slot.active_certificate == thumbprint(load_certificate(carried.certificate))
    pending = slot.pending_key and slot.pending_key.sha256 == carried.key.sha256
    active = slot.active_key and slot.active_key.sha256 == carried.key.sha256
    return bool(job.order.replace or in_use or pending or (active and carried.package.existing))
