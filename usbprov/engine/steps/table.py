"""The step table: the order in which a job goes, after it was identified and planned."""

from usbprov.engine.steps.check import CheckStep
from usbprov.engine.steps.clock import ClockStep
from usbprov.engine.steps.contract import Step
from usbprov.engine.steps.install import InstallStep
from usbprov.engine.steps.key import KeyStep
from usbprov.engine.steps.prove import ProveStep
from usbprov.engine.steps.publish import PublishStep
from usbprov.engine.steps.request import RequestStep
from usbprov.engine.steps.sign_in import SignInStep
from usbprov.engine.steps.ticket import TicketStep
from usbprov.engine.steps.trust import TrustStep

STEPS: tuple[Step, ...] = (
    TicketStep(),
    ClockStep(),
    TrustStep(),
    KeyStep(),
    RequestStep(),
    PublishStep(),
    CheckStep(),
    InstallStep(),
    ProveStep(),
    SignInStep(),
)

KNOWN_FROM_PLAN = frozenset({"info", "record", "key_source"})
"""The job's attributes that are known when the first of them runs."""
