"""Repair: what the runner needs to carry out a plan of recovery.

A recovery is a job like any other: in the ledger before and after every effect, resumed by a
repeat. What needs a server's certificate is the whole job, by the step table; all else takes only
those steps that the plan names.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from usbprov.engine.course import Course
from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.engine.order import CredentialOrder, KeySource, Order
from usbprov.engine.plan import Plan, make_plan, new_job
from usbprov.engine.recovery.actions import Action, Need
from usbprov.engine.recovery.facts import Facts, Reach
from usbprov.engine.recovery.sight import Sight
from usbprov.engine.recovery.steps import RecallStep, RootsStep
from usbprov.engine.recovery.walk import Finding, Recovery
from usbprov.engine.result import Outcome
from usbprov.engine.steps.check import CheckStep
from usbprov.engine.steps.clock import ClockStep
from usbprov.engine.steps.contract import Step
from usbprov.engine.steps.install import InstallStep
from usbprov.engine.steps.key import KeyStep
from usbprov.engine.steps.prove import ProveStep
from usbprov.engine.steps.sign_in import SignInStep
from usbprov.engine.steps.table import STEPS
from usbprov.errors import (
    RecoveryNeedsAddress,
    RecoveryNeedsConsent,
    RecoveryNeedsCredential,
    RecoveryNeedsServer,
    RecoveryUnsupported,
    UsbprovError,
)
from usbprov.ledger.records import JobRecord
from usbprov.net.credentials import Way

Planner = Callable[[Job, Sequence[Step]], Plan]

_WHOLE = frozenset({Action.FINISH, Action.CERTIFY, Action.NEW_KEY, Action.RETRIEVE})
"""Actions that are the whole job; the others keep the certificate that there is."""

_INSTALLS = frozenset({Action.REINSTALL, Action.RESTORE, Action.WRITE_SETTINGS})
_VAULTS = frozenset({Action.RESTORE, Action.RETRIEVE})


@dataclass(frozen=True)
class Aim:
    """What a command is after, besides a phone that works.

    Attributes:
        renews: The certificate is to be a new one, also where it is good for long.
        new_key: It is to be for a new key.
    """

    renews: bool = False
    new_key: bool = False

    def facts(self, facts: Facts) -> Facts:
        """Return the facts as this aim has them."""
        return replace(facts, wants_new=self.renews)

    def lacking(self, recovery: Recovery) -> Sequence[Finding]:
        """Return what is left undone and is not to be."""
        return () if recovery.ends_well and not self.renews else recovery.needs

    def actions(self, recovery: Recovery) -> frozenset[Action]:
        """Return what is to be done now."""
        actions = frozenset(recovery.actions)
        if self.new_key and Action.CERTIFY in actions:
            return actions - {Action.CERTIFY} | {Action.NEW_KEY}
        return actions


@dataclass(frozen=True)
class Repair:
    """What the runner is given.

    Attributes:
        order: The order.
        course: The steps, and which job of the ledger it is.
    """

    order: Order
    course: Course


def repair_of(sight: Sight, recovery: Recovery, order: Order, aim: Aim) -> Repair | None:
    """Return what carries a plan out, or None where there is nothing to be done.

    Args:
        sight: What was seen of the phone.
        recovery: The plan.
        order: What the caller wants: credential, length and maker of a new key.
        aim: What he is after.
    """
    actions = aim.actions(recovery)
    if not actions:
        return None
    order = _completed(order, sight, actions)
    if aim.new_key:
        order = replace(order, replace=True)
    lacking = aim.lacking(recovery)
    left = error_of(lacking, sight) if lacking else None
    if actions & _WHOLE:
        steps, plan = _whole(actions), _whole_plan(sight, actions)
    else:
        steps, plan = _parts(sight, actions, left), _partial(sight, left)
    return Repair(order, Course(steps, plan, outcome=_OUTCOMES[aim.renews]))


_OUTCOMES = {False: Outcome.RECOVERED, True: Outcome.RENEWED}

# --- the order


def _completed(order: Order, sight: Sight, actions: frozenset[Action]) -> Order:
    """Fill in what ledger and phone know, and leave out what proves nobody."""
    unfinished = sight.unfinished if Action.FINISH in actions else None
    order = replace(
        order,
        user=_user(sight, actions),
        web_services_url=sight.wish.web_services_url or "",
        registrar=sight.wish.registrar,
        sign_in=order.sign_in and sight.facts.reach is Reach.REACHED,
        credential=_credential(order.credential, sight),
    )
    if unfinished is not None:
        return replace(order, key=KeySource(unfinished.job.key_source))
    if Action.NEW_KEY in actions:
        return replace(order, replace=sight.facts.may_replace)
    if actions & _VAULTS:
        return replace(order, key=KeySource.VAULT, replace=sight.facts.may_replace)
    return replace(order, key=KeySource.EXISTING, replace=True)


def _user(sight: Sight, actions: frozenset[Action]) -> str | None:
    """Say whose ticket it must be; a new key for an unknown user is whose the ticket says."""
    if sight.wish.user or Action.NEW_KEY in actions:
        return sight.wish.user
    return sight.holder


def _credential(given: CredentialOrder, sight: Sight) -> CredentialOrder:
    ways = tuple(way for way in given.ways if way is not Way.CERTIFICATE)
    if sight.facts.proves_itself or not ways:
        return given
    return replace(given, ways=ways)


def proves_otherwise(credential: CredentialOrder) -> bool:
    """Say whether something but the phone's certificate can prove the user."""
    from usbprov.net.kerberos import has_ticket  # noqa: PLC0415 - only when needed

    if credential.name:
        return any(way is not Way.CERTIFICATE for way in credential.ways)
    return Way.KERBEROS in credential.ways and has_ticket()


# --- the whole job


def _whole(actions: frozenset[Action]) -> Sequence[Step]:
    insist = Action.ADD_ROOTS in actions
    return tuple(RootsStep() if insist and s.name is StepName.TRUST else s for s in STEPS)


def _whole_plan(sight: Sight, actions: frozenset[Action]) -> Planner:
    if Action.FINISH not in actions or sight.unfinished is None:
        return make_plan
    record = sight.unfinished.job

    def go_on(job: Job, _steps: Sequence[Step]) -> Plan:
        job.key_source = KeySource(record.key_source)
        return Plan(new_job(job), record, None, lines=())

    return go_on


# --- parts of it


def _parts(sight: Sight, actions: frozenset[Action], left: UsbprovError | None) -> "Sequence[Step]":
    """Return the steps that are wanted, in the order of the step table."""
    recall = _recall(sight, actions, left)
    wanted: Mapping[StepName, bool] = {
        StepName.CLOCK: Action.SET_CLOCK in actions,
        StepName.TRUST: Action.ADD_ROOTS in actions,
        StepName.KEY: Action.RESTORE in actions,
        StepName.PUBLISH: recall is not None,
        StepName.CHECK: recall is not None,
        StepName.INSTALL: bool(actions & _INSTALLS),
        StepName.PROVE: recall is not None and left is None,
        StepName.SIGN_IN: recall is not None and left is None,
    }
    made: Mapping[StepName, Step | None] = {
        StepName.CLOCK: ClockStep(),
        StepName.TRUST: RootsStep(),
        StepName.KEY: KeyStep(),
        StepName.PUBLISH: recall,
        StepName.CHECK: CheckStep(),
        StepName.INSTALL: InstallStep(),
        StepName.PROVE: ProveStep(),
        StepName.SIGN_IN: SignInStep(),
    }
    return tuple(step for name, step in made.items() if step is not None and wanted[name])


def _recall(
    sight: Sight, actions: frozenset[Action], left: UsbprovError | None
) -> RecallStep | None:
    """Return what takes up the certificate that is kept; one that is of no use is left."""
    if left and not actions & _INSTALLS:
        return None
    if Action.RESTORE in actions and sight.restorable is not None:
        kept = sight.restorable
        return RecallStep(kept.der, f"job {kept.job.id} of the ledger")
    if Action.REINSTALL in actions and sight.kept is not None:
        return RecallStep(sight.kept.der, f"job {sight.kept.job.id} of the ledger")
    if sight.certificate is not None and sight.facts.is_usable:
        return RecallStep(sight.certificate, "the phone")
    return None


def _partial(sight: Sight, left: UsbprovError | None) -> Planner:
    """Make a job of its own, or, where one waits to be finished, do it within that one."""

    def plan(job: Job, _steps: Sequence[Step]) -> Plan:
        job.key_source = known(job.order.key)
        return Plan(new_job(job), _waiting(sight, left), None, (), left)

    return plan


def _waiting(sight: Sight, left: UsbprovError | None) -> JobRecord | None:
    """Return the job that waits for what is left undone: a new one would supersede it."""
    waits = sight.unfinished if left else None
    return waits.job if waits else None


# --- what is missing


def error_of(needs: Sequence[Finding], sight: Sight) -> UsbprovError:
    """Return the error that says what the first of several things lacks that is urgent."""
    first = next((f for f in needs if f.situation.is_urgent), needs[0])
    return _ERRORS[known(first.needs)](sight, first.situation.condition)


_ERRORS: Mapping[Need, Callable[[Sight, str], UsbprovError]] = {
    Need.CONSENT: lambda sight, what: RecoveryNeedsConsent(sight.name, what),
    Need.SERVER: lambda sight, what: RecoveryNeedsServer(
        sight.name, what, str(sight.trouble or "it was not to be asked")
    ),
    Need.ADDRESS: lambda sight, what: RecoveryNeedsAddress(sight.name, what),
    Need.CREDENTIAL: lambda sight, what: RecoveryNeedsCredential(sight.name, what),
    Need.CAPABILITY: lambda sight, what: RecoveryUnsupported(sight.name, what),
}
