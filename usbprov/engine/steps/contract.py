"""The contract of a step."""

from functools import cache
from typing import ClassVar, Protocol, TypeGuard, runtime_checkable

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


@runtime_checkable
class Prepares(Protocol):
    """A step that makes something ready before it is recorded as begun."""

    def prepare(self, job: Job) -> None:
        """Make it ready, here only; what is given to the ledger goes with the step's beginning.

        So it costs no write of its own, and is on the disk before ``run`` has its effect.
        """
        ...


def prepares(step: Step) -> TypeGuard[Prepares]:
    """Say whether a step makes something ready first."""
    return _prepares(type(step))


@cache
def _prepares(kind: type) -> bool:
    """Ask each class once: whether an object fulfils a protocol takes 150 calls to find out."""
    return issubclass(kind, Prepares)
