"""A course: which steps a job takes, how it is planned, and what its end is called."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from usbprov.engine.job import Job
from usbprov.engine.plan import Plan, make_plan
from usbprov.engine.result import Outcome
from usbprov.engine.steps.contract import Step
from usbprov.engine.steps.prove import ProveStep
from usbprov.engine.steps.table import STEPS
from usbprov.ledger.records import JobState


@dataclass(frozen=True)
class Course:
    """The way of a job through steps, after it was identified.

    Attributes:
        steps: In their order.
        plan: Makes the plan for these steps.
        confirm: What shows again that a job that is done holds; reads only.
        end: The state in which the job is left at the end: open where another command goes on.
        outcome: What it came to, at the end.
        again: What it comes to where it was done before.
    """

    steps: Sequence[Step] = STEPS
    plan: Callable[[Job, Sequence[Step]], Plan] = make_plan
    confirm: Sequence[Step] = (ProveStep(),)
    end: JobState = JobState.DONE
    outcome: Outcome = Outcome.PROVISIONED
    again: Outcome = Outcome.ALREADY


PROVISION = Course()
"""The whole job at the phone, with the servers in reach."""
