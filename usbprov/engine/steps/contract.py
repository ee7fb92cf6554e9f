"""The contract of a step."""

from typing import ClassVar, Protocol

from usbprov.engine.events import StepName
from usbprov.engine.job import Job


class Step(Protocol):
    """One step of a job. It holds no state of its own: all that is known is in the job."""

    name: ClassVar[StepName]
    needs: ClassVar[frozenset[str]]
    """The job's attributes that must be known before."""
    yields: ClassVar[frozenset[str]]
    """The job's attributes that are known afterwards."""

    def already(self, job: Job) -> str | None:
        """Say why nothing is left to do, or None. Reads only; may fill in what it finds."""
        ...

    def intent(self, job: Job) -> str:
        """Say what ``run`` would do, for the plan. Touches nothing."""
        ...

    def run(self, job: Job) -> str:
        """Do it; says what was learnt. Raises errors of the tree."""
        ...
