"""From the facts to the plan: the rows that hold, one after another, until all is well."""

from dataclasses import dataclass, replace

from usbprov.engine.recovery.actions import DEEDS, Action, Need
from usbprov.engine.recovery.facts import Facts
from usbprov.engine.recovery.situations import SITUATIONS, Situation


@dataclass(frozen=True)
class Finding:
    """A situation that was met on the way.

    Attributes:
        situation: The row.
        needs: What its actions lack, or None where they can be done.
    """

    situation: Situation
    needs: Need | None = None

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is done about it now."""
        return () if self.needs else self.situation.actions


@dataclass(frozen=True)
class Recovery:
    """The plan.

    Attributes:
        findings: What was met, in the order of repair; the last one may be ``well``.
    """

    findings: tuple[Finding, ...]

    @property
    def actions(self) -> tuple[Action, ...]:
        """Everything that can be done now."""
        return tuple(action for finding in self.findings for action in finding.actions)

    @property
    def needs(self) -> tuple[Finding, ...]:
        """What must be left undone, for want of something."""
        return tuple(finding for finding in self.findings if finding.needs)

    @property
    def ends_well(self) -> bool:
        """Whether nothing is left undone that the phone cannot work without."""
        return not any(finding.situation.is_urgent for finding in self.needs)


def situation_of(facts: Facts, but: frozenset[str] = frozenset()) -> Situation | None:
    """Return the first row that holds; ``but`` names rows that are passed over."""
    rows = (row for row in SITUATIONS if row.name not in but)
    return next((row for row in rows if row.holds(facts)), None)


def recovery_of(facts: Facts) -> Recovery:
    """Say what is to be done about a phone, by doing it in the mind.

    An action that lacks something is passed over, and what can be done without it is done; only a
    question that has to be answered first ends the walk.
    """
    findings: list[Finding] = []
    passed: frozenset[str] = frozenset()
    while (row := situation_of(facts, passed)) is not None:
        need, facts_then = _carried_out(row, facts)
        findings.append(Finding(row, need))
        if need is Need.CONSENT or not row.actions:
            break
        passed |= {row.name}
        if need is not None and _is_about_credential(row):
            passed |= _CREDENTIAL_ROWS
        facts = facts_then
    return Recovery(tuple(findings))


def consented(facts: Facts) -> Facts:
    """Return the facts after somebody has said that the slot may be replaced."""
    return replace(facts, may_replace=True)


def _carried_out(row: Situation, facts: Facts) -> tuple[Need | None, Facts]:
    after = facts
    for action in row.actions:
        need = DEEDS[action].missing(after)
        if need is not None:
            return need, facts
        after = DEEDS[action].effect(after)
    return None, after


_FOR_CREDENTIAL = frozenset(Action) - {
    Action.SET_CLOCK,
    Action.ADD_ROOTS,
    Action.WRITE_SETTINGS,
}
_CREDENTIAL_ROWS = frozenset(
    row.name for row in SITUATIONS if _FOR_CREDENTIAL & set(row.actions) or not row.actions
)
"""Rows that are about the credential: where one of them lacks something, no other is a way out."""


def _is_about_credential(row: Situation) -> bool:
    return row.name in _CREDENTIAL_ROWS
