"""Which port's PIN the terminal board asks for, and when it asks no more."""

from datetime import timedelta

import pytest
from doubles.shift import START, port

from usbprov.bench.states import PortState
from usbprov.bench.terminal.hands import Hands
from usbprov.bench.terminal.keys import Key
from usbprov.bench.terminal.question import Questions

LATER = START + timedelta(seconds=5)


def waiting(label, number=1, since=START):
    asks = f"PIN of {label}'s user"
    return port(label, PortState.WAITING, number=number, since=since, asks=asks)


class Desk:
    def __init__(self):
        self.questions, self.hands, self.ports = Questions(), Hands(), {}
        self.at = 100.0

    def show(self, *views):
        self.at += 10
        self.ports |= {view.label: view for view in views}
        self.questions.look(self.ports, self.hands, self.at)
        return self.hands.secret

    def type(self, text):
        for character in text:
            self.at += 0.5
            self.hands.press(character, (), self.at)

    def enter(self):
        return self.hands.press(Key.ENTER, (), self.at)


@pytest.fixture
def desk():
    return Desk()


def test_nobody_is_asked_where_no_port_waits(desk):
    assert desk.show(port("A1"), port("A2", PortState.KEY)) is None


def test_the_port_that_has_waited_longest_comes_first(desk):
    assert desk.show(waiting("A1", since=LATER), waiting("B2")) == "B2: PIN of B2's user"


def test_the_next_is_asked_for_when_one_was_answered(desk):
    desk.show(waiting("A1"), waiting("B2", since=LATER))
    desk.type("720511")
    answer = desk.enter()

    assert (answer.label, answer.pin) == ("A1", "720511")
    assert desk.show() == "B2: PIN of B2's user"


def test_an_answer_that_is_on_its_way_is_not_asked_for_again(desk):
    desk.show(waiting("A1"))
    desk.type("720511")
    desk.enter()

    assert desk.show() is None
    assert desk.show(port("A1", PortState.PUBLISHING, number=2)) is None


def test_a_port_that_waits_again_is_asked_for_again(desk):
    desk.show(waiting("A1"))
    desk.type("720511")
    desk.enter()

    assert desk.show(waiting("A1", number=7)) == "A1: PIN of A1's user"


def test_a_question_is_taken_back_when_another_board_was_first(desk):
    desk.show(waiting("A1"))

    assert desk.show(port("A1", PortState.PUBLISHING, number=2)) is None


def test_nothing_is_taken_back_under_the_fingers(desk):
    desk.show(waiting("A1"))
    desk.type("7205")
    desk.ports["A1"] = port("A1", PortState.EMPTY, number=2)

    assert not desk.questions.look(desk.ports, desk.hands, desk.at + 1)
    assert desk.hands.secret
    assert desk.questions.look(desk.ports, desk.hands, desk.at + 5)
    assert (desk.hands.secret, desk.hands.line) == (None, "")


def test_a_line_that_is_being_typed_keeps_a_question_off(desk):
    desk.type("64167F")
    desk.ports["A1"] = waiting("A1")

    assert not desk.questions.look(desk.ports, desk.hands, desk.at + 1)
    assert desk.hands.line == "64167F"
