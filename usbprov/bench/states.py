"""The states of a port of the bench, and which step of a job shows as which."""

from collections.abc import Mapping
from enum import StrEnum

from usbprov.engine.events import StepName


class PortState(StrEnum):
    """What a port is doing, in the words of the boards."""

    EMPTY = "empty"
    PLUGGED = "plugged"
    IDENTIFYING = "identifying"
    WAITING = "waiting for a user"
    KEY = "key"
    PUBLISHING = "publishing"
    INSTALLING = "installing"
    PROVING = "proving"
    DONE = "done: unplug"
    FAILED = "failed"
    AWAY = "pulled early"
    """The phone left in the middle of its job, which goes on when it is back, at any port."""


STEP_STATES: Mapping[StepName, PortState] = {
    StepName.IDENTIFY: PortState.IDENTIFYING,
    StepName.PLAN: PortState.IDENTIFYING,
    StepName.TICKET: PortState.PUBLISHING,
    StepName.CLOCK: PortState.INSTALLING,
    StepName.TRUST: PortState.INSTALLING,
    StepName.KEY: PortState.KEY,
    StepName.REQUEST: PortState.PUBLISHING,
    StepName.PUBLISH: PortState.PUBLISHING,
    StepName.CHECK: PortState.PUBLISHING,
    StepName.INSTALL: PortState.INSTALLING,
    StepName.PROVE: PortState.PROVING,
    StepName.SIGN_IN: PortState.PROVING,
}

MAY_UNPLUG = frozenset({PortState.EMPTY, PortState.DONE})
"""The only states in which a board says that a cable may be pulled."""
