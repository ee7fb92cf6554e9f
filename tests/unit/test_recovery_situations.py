"""The table of situations: every row, and every combination of facts, without any phone."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from usbprov.engine.recovery.actions import DEEDS, Action, Need
from usbprov.engine.recovery.facts import Begun, Facts, Held, Owner, Reach, Settings
from usbprov.engine.recovery.situations import SITUATIONS
from usbprov.engine.recovery.walk import Recovery, consented, recovery_of, situation_of

WELL = Facts(
    held=Held.GOOD,
    has_key=True,
    clock_off=False,
    trusts=True,
    settings=Settings.RIGHT,
    recorded=True,
    published=True,
    reach=Reach.REACHED,
)
EMPTY = replace(WELL, held=Held.NONE, has_key=False, recorded=False, published=None)

ROWS: dict[str, tuple[Facts, Action | None]] = {
    "other-user": (replace(WELL, owner=Owner.OTHER), Action.NEW_KEY),
    "clock-wrong": (replace(WELL, clock_off=True), Action.SET_CLOCK),
    "roots-missing": (replace(WELL, trusts=False), Action.ADD_ROOTS),
    "not-published": (replace(WELL, published=False, has_secret=True), Action.CERTIFY),
    "committed-unproved": (replace(WELL, begun=Begun.COMMITTED), Action.FINISH),
    "written-not-committed": (replace(EMPTY, begun=Begun.WRITING), Action.FINISH),
    "issued-not-written": (replace(EMPTY, begun=Begun.ISSUED), Action.FINISH),
    "key-without-answer": (
        replace(EMPTY, begun=Begun.KEY_MADE, has_pending=True, has_secret=True),
        Action.FINISH,
    ),
    "kept-certificate": (replace(EMPTY, has_key=True, kept=True), Action.REINSTALL),
    "key-and-certificate-kept": (
        replace(EMPTY, stored=True, restorable=True, reach=Reach.OFFLINE),
        Action.RESTORE,
    ),
    "key-in-vault": (replace(EMPTY, stored=True, has_secret=True), Action.RETRIEVE),
    "key-mismatch": (
        replace(WELL, held=Held.OTHER_KEY, has_secret=True, may_replace=True),
        Action.NEW_KEY,
    ),
    "expired": (replace(WELL, held=Held.EXPIRED, has_secret=True), Action.CERTIFY),
    "unfit": (replace(WELL, held=Held.UNFIT, has_secret=True), Action.CERTIFY),
    "key-without-job": (replace(EMPTY, has_pending=True, has_secret=True), Action.CERTIFY),
    "empty": (replace(EMPTY, has_secret=True), Action.NEW_KEY),
    "settings-blocked": (replace(WELL, settings=Settings.WRONG, has_pending=True), Action.CERTIFY),
    "settings-missing": (replace(WELL, settings=Settings.MISSING), Action.WRITE_SETTINGS),
    "settings-wrong": (replace(WELL, settings=Settings.WRONG), Action.WRITE_SETTINGS),
    "renewal-wanted": (replace(WELL, wants_new=True), Action.CERTIFY),
    "due": (replace(WELL, held=Held.DUE), Action.CERTIFY),
    "unrecorded": (replace(WELL, recorded=False, owner=Owner.UNKNOWN), Action.ADOPT),
    "well": (WELL, None),
}


def test_every_row_has_its_example() -> None:
    assert [row.name for row in SITUATIONS] == [*sorted(ROWS, key=_place)]


def _place(name: str) -> int:
    return [row.name for row in SITUATIONS].index(name)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_met_by_its_example_and_repairs_it(name: str) -> None:
    facts, action = ROWS[name]
    row = situation_of(facts)
    assert row is not None
    assert row.name == name
    assert row.actions == (() if action is None else (action,))
    after = facts
    for step in row.actions:
        after = DEEDS[step].effect(after)
    assert action is None or not row.holds(after)


def names(recovery: Recovery) -> list[str]:
    return [finding.situation.name for finding in recovery.findings]


def test_all_is_well_and_nothing_is_done() -> None:
    recovery = recovery_of(WELL)
    assert names(recovery) == ["well"]
    assert recovery.actions == ()
    assert recovery.ends_well


def test_several_troubles_are_one_plan_in_the_order_of_repair() -> None:
    facts = replace(WELL, clock_off=True, trusts=False, held=Held.EXPIRED, has_secret=True)
    recovery = recovery_of(facts)
    assert names(recovery) == ["clock-wrong", "roots-missing", "expired", "well"]
    assert recovery.actions == (Action.SET_CLOCK, Action.ADD_ROOTS, Action.CERTIFY)


def test_offline_what_needs_no_server_is_done_and_the_rest_is_said() -> None:
    facts = replace(WELL, clock_off=True, held=Held.EXPIRED, has_secret=True, reach=Reach.OFFLINE)
    recovery = recovery_of(facts)
    assert recovery.actions == (Action.SET_CLOCK,)
    assert [(f.situation.name, f.needs) for f in recovery.needs] == [("expired", Need.SERVER)]
    assert not recovery.ends_well


@pytest.mark.parametrize("begun", [Begun.ISSUED, Begun.WRITING, Begun.COMMITTED])
def test_an_answer_that_is_here_needs_neither_server_nor_credential(begun: Begun) -> None:
    recovery = recovery_of(replace(EMPTY, begun=begun, has_key=True, reach=Reach.OFFLINE))
    assert recovery.actions == (Action.FINISH,)
    assert recovery.ends_well


def test_an_expired_certificate_proves_nobody_and_one_that_is_due_does() -> None:
    assert recovery_of(replace(WELL, held=Held.EXPIRED)).needs[0].needs is Need.CREDENTIAL
    assert recovery_of(replace(WELL, held=Held.DUE)).actions == (Action.CERTIFY,)


def test_one_that_is_due_works_still_without_a_server() -> None:
    recovery = recovery_of(replace(WELL, held=Held.DUE, reach=Reach.UNREACHED))
    assert [f.needs for f in recovery.needs] == [Need.SERVER]
    assert recovery.ends_well


def test_another_users_phone_is_left_alone_until_it_is_said() -> None:
    facts = replace(WELL, owner=Owner.OTHER, clock_off=True, has_secret=True)
    recovery = recovery_of(facts)
    assert recovery.actions == ()
    assert recovery.needs[0].needs is Need.CONSENT
    assert recovery_of(consented(facts)).actions == (Action.NEW_KEY, Action.SET_CLOCK)


def test_settings_are_not_written_over_a_key_that_waits() -> None:
    facts = replace(WELL, settings=Settings.WRONG, has_pending=True, reach=Reach.OFFLINE)
    assert recovery_of(facts).actions == ()


def test_settings_do_not_go_with_a_certificate_that_the_phone_would_refuse() -> None:
    facts = replace(WELL, held=Held.EXPIRED, settings=Settings.WRONG, reach=Reach.OFFLINE)
    assert recovery_of(facts).actions == ()


ANY = st.builds(
    Facts,
    held=st.sampled_from(Held),
    has_key=st.booleans(),
    has_pending=st.booleans(),
    clock_off=st.sampled_from([None, False, True]),
    trusts=st.sampled_from([None, False, True]),
    settings=st.sampled_from(Settings),
    owner=st.sampled_from(Owner),
    begun=st.sampled_from(Begun),
    kept=st.booleans(),
    stored=st.booleans(),
    restorable=st.booleans(),
    takes_keys=st.booleans(),
    wants_new=st.booleans(),
    recorded=st.booleans(),
    published=st.sampled_from([None, False, True]),
    reach=st.sampled_from(Reach),
    has_secret=st.booleans(),
    may_replace=st.booleans(),
    takes_clock=st.booleans(),
    takes_roots=st.booleans(),
    takes_settings=st.booleans(),
    signs=st.booleans(),
)


@settings(max_examples=300)
@given(ANY)
def test_every_combination_meets_a_situation_and_ends_well_or_in_a_need(facts: Facts) -> None:
    assume(facts.has_key or facts.held in {Held.NONE, Held.OTHER_KEY})
    assert situation_of(facts) is not None
    recovery = recovery_of(facts)
    met = names(recovery)
    assert len(set(met)) == len(met)
    assert recovery.needs or met[-1] == "well"
    after = facts
    for action in recovery.actions:
        assert DEEDS[action].missing(after) is None
        after = DEEDS[action].effect(after)
    if not recovery.needs:
        assert after.is_usable
        assert recovery_of(after).actions == ()


@settings(max_examples=300)
@given(ANY)
def test_whatever_the_facts_nothing_is_given_up_that_was_not_said(facts: Facts) -> None:
    assume(not facts.may_replace)
    recovery = recovery_of(facts)
    giving_up = {Action.NEW_KEY, Action.RESTORE, Action.RETRIEVE}
    assert facts.is_empty or not giving_up & set(recovery.actions)
    no_server = recovery_of(replace(facts, reach=Reach.OFFLINE))
    asking = {Action.CERTIFY, Action.NEW_KEY, Action.RETRIEVE, Action.ADD_ROOTS}
    assert not asking & set(no_server.actions)
    credentials = set(Action) - {Action.SET_CLOCK, Action.ADD_ROOTS, Action.WRITE_SETTINGS}
    assert sum(action in credentials for action in recovery.actions) <= 1
