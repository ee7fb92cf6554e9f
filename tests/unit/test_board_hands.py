"""What the operator's keys come to: scans, commands on a port, secrets."""

import pytest

from usbprov.bench.terminal.hands import (
    LONGEST_LINE,
    NO_PIN,
    NO_PORT,
    NOT_TYPED,
    Find,
    Hands,
    KeyIn,
    Redraw,
    Retry,
    Say,
    Scan,
    ShowLink,
    Skip,
)
from usbprov.bench.terminal.keys import Key

LABELS = ("A1", "A2", "B1")


class Desk:
    """Presses keys, a second apart unless told."""

    def __init__(self):
        self.hands = Hands()
        self.at = 0.0

    def press(self, *keys, pause=1.0):
        intents = []
        for key in keys:
            self.at += pause
            intents.append(self.hands.press(key, LABELS, self.at))
        return [intent for intent in intents if intent]


@pytest.fixture
def desk():
    return Desk()


class TestScans:
    def test_a_line_is_a_scan(self, desk):
        assert desk.press(*"64167F", Key.ENTER, pause=0.001) == [Scan("64167F")]
        assert desk.hands.line == ""

    def test_two_scans_do_not_mix(self, desk):
        assert desk.press(*"abc", Key.ENTER, *"de", Key.ENTER) == [Scan("abc"), Scan("de")]

    def test_a_line_can_be_corrected(self, desk):
        assert desk.press(*"abx", Key.BACKSPACE, "c", Key.ENTER) == [Scan("abc")]
        assert desk.press(*"junk", Key.CLEAR, "d", Key.ENTER) == [Scan("d")]
        assert desk.press(*"junk", Key.ESCAPE, "e", Key.ENTER) == [Scan("e")]

    def test_nothing_is_no_scan(self, desk):
        assert desk.press(Key.ENTER, " ", Key.ENTER, Key.BACKSPACE) == []

    def test_a_line_has_an_end(self, desk):
        [scan] = desk.press(*"x" * (LONGEST_LINE + 50), Key.ENTER)

        assert len(scan.text) == LONGEST_LINE

    def test_the_line_is_not_in_the_repr(self, desk):
        desk.press(*"4711")

        assert "4711" not in repr(desk.hands)


class TestPorts:
    def test_arrows_go_through_the_ports(self, desk):
        seen = []
        for key in (Key.DOWN, Key.DOWN, Key.DOWN, Key.DOWN, Key.UP, Key.UP, Key.UP):
            desk.press(key)
            seen.append(desk.hands.chosen)

        assert seen == ["A1", "A2", "B1", "B1", "A2", "A1", "A1"]

    def test_up_begins_at_the_end(self, desk):
        desk.press(Key.UP)

        assert desk.hands.chosen == "B1"

    def test_a_port_that_is_gone_is_left(self, desk):
        desk.hands.chosen = "Z9"
        desk.press(Key.DOWN)

        assert desk.hands.chosen == "A1"

    def test_without_ports_there_is_nothing_to_choose(self):
        hands = Hands()
        hands.press(Key.DOWN, (), 0)

        assert hands.chosen is None

    def test_enter_opens_and_closes_details(self, desk):
        desk.press(Key.ENTER)
        assert not desk.hands.details

        desk.press(Key.DOWN, Key.ENTER)
        assert desk.hands.details

        desk.press(Key.ENTER)
        assert not desk.hands.details

    def test_escape_goes_back_step_by_step(self, desk):
        desk.press(Key.DOWN, Key.ENTER, "x")

        desk.press(Key.ESCAPE)
        assert (desk.hands.line, desk.hands.details) == ("", True)
        desk.press(Key.ESCAPE)
        assert (desk.hands.details, desk.hands.chosen) == (False, "A1")
        desk.press(Key.ESCAPE)
        assert desk.hands.chosen is None


class TestCommands:
    @pytest.mark.parametrize(("key", "kind"), [(Key.RETRY, Retry), (Key.SKIP, Skip)])
    def test_on_the_chosen_port(self, desk, key, kind):
        assert desk.press(Key.DOWN, Key.DOWN, key) == [kind("A2")]

    def test_on_the_port_whose_label_was_typed(self, desk):
        assert desk.press(Key.DOWN, *"b1", Key.RETRY) == [Retry("B1")]
        assert desk.hands.line == ""

    def test_on_no_port(self, desk):
        assert desk.press(Key.SKIP) == [Say(NO_PORT)]

    def test_on_a_port_that_is_not_there(self, desk):
        assert desk.press(Key.DOWN, *"c7", Key.SKIP) == [Say("There is no port c7.")]

    def test_on_the_phone_that_is_looked_for(self, desk):
        assert desk.press(Key.DOWN, Key.FIND) == [Find("A1")]

    def test_the_link_to_the_other_board(self, desk):
        assert desk.press(Key.LINK) == [ShowLink()]

    def test_redraw(self, desk):
        assert desk.press(Key.REDRAW) == [Redraw()]


class TestSecrets:
    def test_what_is_typed_is_the_answer(self, desk):
        desk.hands.ask("A2: PIN of Ada", "A2")

        assert desk.press(*"1234", Key.ENTER) == [KeyIn("A2", "1234")]
        assert (desk.hands.secret, desk.hands.line) == (None, "")

    def test_a_scan_is_not_taken_for_a_pin(self, desk):
        desk.hands.ask("A2: PIN of Ada", "A2")

        assert desk.press(*"64167F0A1B2C", Key.ENTER, pause=0.003) == [Say(NOT_TYPED)]
        assert desk.press(*"1234", Key.ENTER) == [KeyIn("A2", "1234")]

    def test_it_may_be_left_out(self, desk):
        desk.hands.ask("A2: PIN of Ada", "A2")

        assert desk.press("1", Key.ESCAPE) == [KeyIn("A2", None)]
        assert desk.press(*"abc", Key.ENTER) == [Scan("abc")]

    def test_it_is_not_empty(self, desk):
        desk.hands.ask("A2: PIN of Ada", "A2")

        assert desk.press(Key.ENTER) == []
        assert desk.hands.secret

    @pytest.mark.parametrize("typed", ["123", "12a4", "1" * 25, "720 511"])
    def test_what_is_no_pin_is_typed_again(self, desk, typed):
        desk.hands.ask("A2: PIN of Ada", "A2")

        assert desk.press(*typed, Key.ENTER) == [Say(NO_PIN)]
        assert desk.press(*"1234", Key.ENTER) == [KeyIn("A2", "1234")]

    def test_no_command_is_carried_out_meanwhile(self, desk):
        desk.press(Key.DOWN)
        desk.hands.ask("A2: PIN of Ada", "A2")

        assert desk.press("1", Key.RETRY, Key.SKIP, Key.FIND, Key.UP) == []
        assert desk.press("2", Key.BACKSPACE, *"345", Key.ENTER) == [KeyIn("A2", "1345")]

    def test_a_begun_line_is_not_part_of_it(self, desk):
        desk.press(*"641")
        desk.hands.ask("A2: PIN of Ada", "A2")

        assert desk.press(*"1234", Key.ENTER) == [KeyIn("A2", "1234")]

    def test_it_is_in_no_repr(self):
        assert "1234" not in repr(KeyIn("A2", "1234"))
