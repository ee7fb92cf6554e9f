"""Clock: set the phone's UTC clock, since a wrong clock refuses every certificate."""

from datetime import timedelta
from typing import ClassVar

from usbprov.engine.events import StepName
from usbprov.engine.job import Job, known
from usbprov.phone.contract import Capability
from usbprov.tape.clock import now

TOLERANCE = timedelta(seconds=30)
"""How far the phone's clock may be off; certificates and tickets are minutes apart."""


class ClockStep:
    """Idempotent: it is set to now, whenever it is set."""

    name: ClassVar = StepName.CLOCK
    needs: ClassVar = frozenset({"info"})
    yields: ClassVar = frozenset[str]()

    def already(self, job: Job) -> str | None:
        """A clock that is right is left alone; so is one that cannot be set."""
        if job.clock_behind is None or Capability.SET_CLOCK not in known(job.info).capabilities:
            return "the phone has no clock that can be set"
        return "the clock is right" if abs(job.clock_behind) <= TOLERANCE else None

    def intent(self, job: Job) -> str:
        """Say how far it is off."""
        return self.already(job) or f"set the clock, which is {off_words(known(job.clock_behind))}"

    def run(self, job: Job) -> str:
        """Set it to this computer's time."""
        job.phone.set_clock(now())
        return f"set; it was {off_words(known(job.clock_behind))}"


def off_words(behind: timedelta) -> str:
    """Say how far a clock is off that is so much behind."""
    amount = abs(behind)
    size = f"{amount.days} days" if amount.days else f"{amount.seconds} s"
    return f"{size} {'behind' if behind > timedelta(0) else 'ahead'}"
