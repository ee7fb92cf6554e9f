"""What a diagnosis is made of: causes, symptoms, and what is known besides the error itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cause:
    """Something that may be wrong.

    Attributes:
        id: Its stable name, for ``--json`` and tests: ``pin-wrong``.
        says: What is wrong, in one sentence.
        tell: How to tell it from other causes of the same symptom.
        remedy: What to do: an exact command, setting or log where there is one.
        known: The known troubles of these servers and phones that it is: ``12`` of sign-in and
            enrolment, ``T1`` of phones at a cable. ``docs/diagnosis.md`` lists them.
    """

    id: str
    says: str
    tell: str
    remedy: str
    known: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A failure, as an error of the tree or the ledger's record of one has it.

    Attributes:
        code: The error's stable code.
        words: Its message.
        facts: Its typed fields, by name.
    """

    code: str
    words: str = ""
    facts: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def repeated(self) -> bool:
        """Whether the call was made more than once before it was given up."""
        attempts = self.facts.get("attempts", 1)
        return isinstance(attempts, int) and attempts > 1


@dataclass(frozen=True)
class Evidence:
    """What a probe has seen.

    Attributes:
        probe: The probe's name.
        seen: What it saw, in words for people.
        supports: Ids of the causes that it speaks for.
        excludes: Ids of the causes that it speaks against.
    """

    probe: str
    seen: str
    supports: frozenset[str] = frozenset()
    excludes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Context:
    """What is known besides the error.

    Attributes:
        step: The step of the job or check that failed, or ``""``.
        ways: By which ways the user was to be proved; of several, which it was is not known.
        phone: Vendor, model and firmware of the phone, or ``""``.
        evidence: What probes have seen.
    """

    step: str = ""
    ways: frozenset[str] = frozenset()
    phone: str = ""
    evidence: tuple[Evidence, ...] = ()


NOWHERE = Context()


@dataclass(frozen=True)
class When:
    """A condition; every part that is given must hold.

    Attributes:
        steps: The failed step is one of these.
        facts: Fields of the error, and their values.
        least: Fields that are lists, and how many elements they have at least.
        words: What its message contains.
        repeated: Whether the call was tried again before it was given up.
        ways: The user was to be proved by these, and no other way.
        phone: What model and firmware of the phone contain.
    """

    steps: frozenset[str] = frozenset()
    facts: Mapping[str, object] = field(default_factory=dict, hash=False)
    least: Mapping[str, int] = field(default_factory=dict, hash=False)
    words: re.Pattern[str] | None = None
    repeated: bool | None = None
    ways: frozenset[str] = frozenset()
    phone: re.Pattern[str] | None = None

    def fits(self, case: Case, context: Context) -> bool:
        """Say whether it holds."""
        return (
            (not self.steps or context.step in self.steps)
            and all(case.facts.get(name) == value for name, value in self.facts.items())
            and all(_length(case.facts.get(name)) >= count for name, count in self.least.items())
            and (self.words is None or bool(self.words.search(case.words)))
            and self.repeated in {None, case.repeated}
            and (not self.ways or (bool(context.ways) and context.ways <= self.ways))
            and (self.phone is None or bool(self.phone.search(context.phone)))
        )


def _length(value: object) -> int:
    return len(value) if isinstance(value, tuple | list) else 0


ALWAYS = When()


def saying(pattern: str) -> re.Pattern[str]:
    """Return a pattern for an error's words, whatever their case."""
    return re.compile(pattern, re.IGNORECASE)


@dataclass(frozen=True)
class Symptom:
    """How a trouble shows itself, and its likely causes, the likeliest first.

    Attributes:
        id: Its name, for tests and links.
        code: Of the error, or ``""`` for what only a phone shows.
        says: How it looks.
        causes: At least one.
        when: What must hold besides the code; among the rows of a code the first that fits counts.
        numbers: Diagnostic numbers ([MS-OCER], ``ms-diagnostics``) by which it is asked for.
        phrases: Words by which it is asked for: of TLS libraries, of phones' displays.
        untested: Why no test can show it here, or ``""`` where one does.
    """

    id: str
    code: str
    says: str
    causes: tuple[Cause, ...]
    when: When = ALWAYS
    numbers: frozenset[int] = frozenset()
    phrases: tuple[str, ...] = ()
    untested: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """What probably is the matter.

    Attributes:
        case: What happened.
        symptom: The row of the table, or None where there is none and the causes are the
            error's own.
        causes: In order, the likeliest first; at least one.
        context: What was known besides.
    """

    case: Case
    symptom: Symptom | None
    causes: tuple[Cause, ...]
    context: Context = NOWHERE

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What probes have seen."""
        return self.context.evidence

    @property
    def first(self) -> Cause:
        """The likeliest cause."""
        return self.causes[0]
