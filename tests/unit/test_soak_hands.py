"""The hands of ``make soak``: what they do with phones, and what they make of what is shown."""

import random
from dataclasses import dataclass, field
from typing import Any

from soak.hands import Habits, Hands, Staged

QUICK = Habits(every=1.0, early=0.0, dwell=0.0)
EARLY = Habits(every=1000.0, early=1.0, early_within=0.0, back_within=0.0, dwell=0.0)


@dataclass
class CableDouble:
    """A phone that notes where it was plugged in."""

    serial: str
    wrong: str = ""
    places: list[str] = field(default_factory=list)
    said: list[Staged | None] = field(default_factory=list)

    def plug(self, path: str) -> None:
        self.places.append(path)

    def pull(self) -> None:
        self.places.append("")

    def put_away(self, said: Staged | None) -> str:
        self.said.append(said)
        return self.wrong


class Table:
    """A table with ports, hands, and a clock that is set by hand."""

    def __init__(self, habits: Habits = QUICK, wrong: str = "") -> None:
        self.now = 0.0
        self.phones: list[CableDouble] = []
        self._wrong = wrong
        chance = random.Random(1)  # noqa: S311 - no secret
        self.hands = Hands(["1-1", "1-2"], self._fresh, habits, chance, lambda: self.now)

    def _fresh(self) -> CableDouble:
        self.phones.append(CableDouble(f"EMU{len(self.phones) + 1}", self._wrong))
        return self.phones[-1]

    def turn(self, seconds: float = 0.1, *, more: bool = False) -> None:
        self.now += seconds
        self.hands.turn(more=more)

    def show(self, label: str, state: str, phone: CableDouble | None = None, **more: Any) -> None:
        serial = phone.serial if phone else ""
        self.hands.take({"label": label, "state": state, "serial": serial, **more})

    def done(self, phone: CableDouble, thumbprint: str = "aa") -> None:
        user = f"sip:{phone.serial}@contoso.test"
        self.show(phone.places[-1], "done: unplug", phone, user=user, thumbprint=thumbprint)


def test_a_phone_that_is_done_is_pulled_and_its_port_is_free_when_it_is_shown_as_empty() -> None:
    table = Table()
    table.turn(more=True)
    (phone,) = table.phones
    at = phone.places[0]
    table.show(at, "key", phone)
    table.turn()
    assert phone.places == [at]
    table.done(phone)
    table.turn()
    table.turn()
    assert phone.places == [at, ""]
    assert phone.said == [Staged("sip:EMU1@contoso.test", "aa")]
    idle = [table.hands.idle]
    table.show(at, "empty")
    assert [*idle, table.hands.idle] == [False, True]
    assert table.hands.shift.problems == []


def test_what_the_port_shows_of_the_phone_before_it_is_not_taken_for_this_one() -> None:
    table = Table()
    table.turn(more=True)
    table.turn(1.0, more=True)
    first, second = table.phones
    table.show(second.places[0], "done: unplug", first, user="sip:a@b.test", thumbprint="aa")
    table.turn()
    table.turn()
    assert "" not in second.places


def test_a_phone_that_is_pulled_early_comes_back_and_counts_once() -> None:
    table = Table(EARLY)
    table.turn(more=True)
    (phone,) = table.phones
    table.turn()
    assert phone.places[1:] in (["", "1-1"], ["", "1-2"])
    assert table.hands.shift.pulled == 1
    table.done(phone)
    table.turn()
    table.turn()
    assert phone.places[3:] == [""]
    assert len(table.hands.shift.done) == table.hands.shift.fresh == 1


def test_two_certificates_for_one_phone_and_a_phone_that_holds_another_are_problems() -> None:
    table = Table(wrong="it holds None")
    table.turn(more=True)
    (phone,) = table.phones
    table.done(phone, "aa")
    table.done(phone, "bb")
    table.turn()
    table.turn()
    told = table.hands.shift.problems
    assert ["was done as" in told[0], "it holds None" in told[1]] == [True, True]


def test_failures_are_kept_with_their_code() -> None:
    table = Table()
    table.turn(more=True)
    (phone,) = table.phones
    table.show(phone.places[0], "failed", phone, trouble={"code": "WEB-05"})
    table.turn()
    table.turn()
    assert table.hands.shift.failed == {"EMU1": "WEB-05"}
    assert phone.said == [None]


def test_a_port_at_which_nothing_changes_is_the_oldest() -> None:
    table = Table()
    table.turn(more=True)
    table.turn(1.0, more=True)
    first, second = table.phones
    table.turn(5.0)
    table.show(second.places[0], "key", second)
    table.turn(2.0)
    assert table.hands.oldest() == (8.0, f"{first.places[0]} empty")
    assert table.hands.counts() == (2, 1)


def test_a_port_that_still_shows_a_phone_that_was_pulled_grows_old_too() -> None:
    table = Table()
    table.turn(more=True)
    (phone,) = table.phones
    table.done(phone)
    table.turn()
    table.turn()
    table.turn(70.0)
    age, where = table.hands.oldest()
    assert age == 70.0
    assert where.endswith("done: unplug")
