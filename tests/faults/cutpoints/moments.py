"""Moments: where a job can be cut. They are what the steps of a job do, in the order they do it."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Effect(StrEnum):
    """What the program does at a moment, by the border of the program that it passes."""

    STEP = "step"
    """A step of the table begins or ends; the steps are what the matrix is generated from."""
    LEDGER = "ledger"
    """A transaction of the ledger that writes."""
    PHONE = "phone"
    """A command to the phone."""
    WEB = "web"
    """A call of the Web Services."""
    SIP = "sip"
    """A message to the Registrar."""


class When(StrEnum):
    """Where in an effect a moment is."""

    BEFORE = "before"
    """Nothing has left the program yet."""
    SENT = "sent"
    """The other side has it, and the answer has not been read; of the ledger: not committed."""
    AFTER = "after"
    """The answer was read, and nothing was done with it; of the ledger: it is committed."""


@dataclass(frozen=True)
class Moment:
    """One moment of a run.

    Attributes:
        step: The step of the job that was under way.
        effect: What is done.
        what: Which one: the kind of a ledger's write, a phone's command, a call.
        count: The how-manieth of these in the step, from 1.
        when: Where in the effect.
        size: Bytes that the effect sends; 0 where that is not known or does not matter.
        writes: Whether the effect can change anything on the other side.
    """

    step: str
    effect: Effect
    what: str
    count: int
    when: When
    size: int = 0
    writes: bool = True

    @property
    def name(self) -> str:
        """What it is called by: the same in every run of the same command."""
        step, what = self.step.replace(" ", "-"), self.what.replace(", ", "+").replace(" ", "-")
        return f"{step}:{self.effect}:{what}-{self.count}:{self.when}"

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Moment":
        """Read what ``document`` gave."""
        changed = {"effect": Effect(document["effect"]), "when": When(document["when"])}
        return cls(**document | changed)
