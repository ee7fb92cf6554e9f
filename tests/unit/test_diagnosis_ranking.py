"""Causes are ordered by what probes have seen, and only by that."""

import pytest

from usbprov.engine.diagnosis.model import Case, Context, Evidence, When, saying
from usbprov.engine.diagnosis.ranking import diagnose, diagnose_case
from usbprov.errors import LedgerTooNew, ServerUnreachable, StoreUnreachable

REFUSED = ServerUnreachable("pool", "it refuses the connection")


def ids(*evidence: Evidence) -> list[str]:
    return [cause.id for cause in diagnose(REFUSED, Context(evidence=evidence)).causes]


def seen(supports: tuple[str, ...] = (), excludes: tuple[str, ...] = ()) -> Evidence:
    return Evidence("test", "seen", frozenset(supports), frozenset(excludes))


def test_without_evidence_the_order_is_the_tables() -> None:
    assert ids() == ["service-stopped", "server-down", "firewall"]


def test_what_is_supported_comes_first() -> None:
    assert ids(seen(("firewall",))) == ["firewall", "service-stopped", "server-down"]


def test_what_is_excluded_comes_last() -> None:
    assert ids(seen((), ("service-stopped",))) == ["server-down", "firewall", "service-stopped"]


def test_evidence_of_several_probes_is_joined() -> None:
    both = (seen(("server-down",)), seen((), ("service-stopped",)))
    assert ids(*both) == ["server-down", "firewall", "service-stopped"]


def test_evidence_brings_in_no_cause_of_another_symptom() -> None:
    assert ids(seen(("pin-wrong",))) == ids()


def test_an_error_without_a_row_has_its_own_cause() -> None:
    diagnosis = diagnose(LedgerTooNew("file", 9, 1))
    assert diagnosis.symptom is None
    assert diagnosis.first.says == LedgerTooNew.cause
    assert diagnosis.first.remedy == LedgerTooNew.remedy
    assert diagnosis.first.id == "led-02"


def test_a_code_that_is_not_known_is_no_crash() -> None:
    assert diagnose_case(Case("XXX-99")).first.says


@pytest.mark.parametrize(("attempts", "first"), [(1, "store-sporadic"), (3, "store-lasting")])
def test_whether_it_was_repeated_tells_sporadic_from_lasting(attempts: int, first: str) -> None:
    error = StoreUnreachable("pool", "unavailable", 28911, attempts=attempts)
    assert diagnose(error).first.id == first


@pytest.mark.parametrize(
    ("when", "fits"),
    [
        (When(), True),
        (When(steps=frozenset({"publish"})), True),
        (When(steps=frozenset({"ticket"})), False),
        (When(facts={"status": 500}), True),
        (When(facts={"status": 503}), False),
        (When(facts={"missing": 1}), False),
        (When(least={"presented": 2}), True),
        (When(least={"presented": 3}), False),
        (When(words=saying("STORE")), True),
        (When(words=saying("other")), False),
        (When(repeated=True), True),
        (When(repeated=False), False),
        (When(ways=frozenset({"pin", "ntlm"})), True),
        (When(ways=frozenset({"ntlm"})), False),
        (When(phone=saying("cx600")), True),
        (When(phone=saying("cx700")), False),
    ],
)
def test_each_part_of_a_condition_counts(when: When, fits: bool) -> None:
    facts = {"status": 500, "attempts": 2, "presented": ["one", "two"]}
    case = Case("WEB-03", "the store is down", facts)
    context = Context(step="publish", ways=frozenset({"pin"}), phone="Polycom CX600 4.0")
    assert when.fits(case, context) is fits
