"""What a job tells while it runs: one stream for the terminal, the log, and later the boards."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from usbprov.engine.retry import Retry
from usbprov.ledger.records import JobRecord


class StepName(StrEnum):
    """The steps' names: the same words in the program, the ledger and the documents."""

    IDENTIFY = "identify"
    PLAN = "plan"
    TICKET = "ticket"
    CLOCK = "clock"
    TRUST = "trust"
    KEY = "key"
    REQUEST = "request"
    PUBLISH = "publish"
    CHECK = "check"
    INSTALL = "install"
    PROVE = "prove"
    SIGN_IN = "sign in"


class Mark(StrEnum):
    """How a step ended."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class StepBegun:
    """A step has begun."""

    step: StepName


@dataclass(frozen=True)
class StepProgress:
    """A lasting step has come to ``percent``, 0 to 100."""

    step: StepName
    percent: int


@dataclass(frozen=True)
class StepRetry:
    """A call of a step has failed in a way that may pass, and is made again after a wait."""

    step: StepName
    retry: Retry


@dataclass(frozen=True)
class PhoneAwaited:
    """The phone went away in the middle of a step, and is waited for.

    Attributes:
        step: The step, which will go on when the phone is back.
        seconds: How long at most.
        why: What the phone's going looked like, in words.
    """

    step: StepName
    seconds: float
    why: str


@dataclass(frozen=True)
class StepEnded:
    """A step has ended after ``ms`` milliseconds; ``learnt`` says what is known now, in words."""

    step: StepName
    mark: Mark
    ms: int
    learnt: str


@dataclass(frozen=True)
class JobKnown:
    """The ledger has the job, from now on or from before.

    Attributes:
        record: The job.
        earlier: Whether an earlier run began it.
    """

    record: JobRecord
    earlier: bool


Event = JobKnown | StepBegun | StepProgress | StepRetry | PhoneAwaited | StepEnded
Listener = Callable[[Event], None]
