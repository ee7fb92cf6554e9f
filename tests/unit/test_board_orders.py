"""What the operator asks for is carried out beside the board, and what became of it is said."""

import logging
import sys

import pytest
from doubles.shift import BenchDouble
from processes import wait_for

from usbprov.bench.terminal.aside import errors_set_aside
from usbprov.bench.terminal.hands import Find, Retry, Scan, Skip
from usbprov.bench.terminal.orders import Orders
from usbprov.errors import UsageError


class Refusing(BenchDouble):
    """A bench at which nothing can be done."""

    def find(self, label, *, on):
        super().find(label, on=on)
        raise UsageError("no phone is there")

    def skip(self, label):
        raise ZeroDivisionError


class Office:
    def __init__(self, controls):
        self.controls = controls
        self.said = []
        self.orders = Orders(controls, self.said.append)

    def give(self, *intents):
        before = len(self.said)
        for intent in intents:
            self.orders.give(intent)
        wait_for(lambda: len(self.said) == before + len(intents), "the answers")
        return [message.words for message in self.said[before:]]


@pytest.fixture
def office():
    made = Office(BenchDouble())
    yield made
    made.orders.close()


@pytest.fixture
def refusing():
    made = Office(Refusing())
    yield made
    made.orders.close()


def test_orders_are_carried_out_in_their_order(office):
    said = office.give(Retry("A1"), Skip("A2"), Scan("4711"))

    assert office.controls.asked == [("retry", "A1"), ("skip", "A2"), ("scan", "4711")]
    assert said == ["A1 is tried again.", "A2 is left out.", "4711 is taken."]


def test_the_lamp_goes_on_and_out(office):
    said = office.give(Find("A1"), Find("A2"), Find("A1"))

    assert said == ["The lamp at A1 is on.", "The lamp at A2 is on.", "The lamp at A1 is out."]


def test_the_lamp_of_the_next_phone_is_out(office):
    office.give(Find("A1"))
    office.orders.went_away("A1")

    assert office.give(Find("A1")) == ["The lamp at A1 is on."]


def test_a_lamp_that_could_not_be_lit_is_not_put_out_next(refusing):
    said = refusing.give(Find("A1"), Find("A1"))

    assert said == ["CLI-01: no phone is there"] * 2
    assert refusing.controls.asked == [("find", "A1", True)] * 2


def test_a_bug_is_logged_and_the_next_order_carried_out(refusing, caplog):
    said = refusing.give(Skip("A1"), Scan("4711"))

    assert "an error of the program" in said[0]
    assert said[1] == "4711 is taken."
    assert "ZeroDivisionError" in caplog.text


class Terminal:
    """Standard error, as a terminal."""

    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def writelines(self, lines):
        self.text += "".join(lines)

    def flush(self):
        pass


class TestAside:
    def test_lines_are_said_and_written_afterwards(self, monkeypatch):
        usual, said = Terminal(), []
        monkeypatch.setattr(sys, "stderr", usual)

        with errors_set_aside(said.append):
            sys.stderr.write("a war")
            sys.stderr.write("ning\n\nand more\n")
            assert usual.text == ""

        assert said == ["a warning", "and more"]
        assert usual.text == "a warning\n\nand more\n"
        assert sys.stderr is usual

    def test_so_is_the_log(self, monkeypatch):
        usual, said = Terminal(), []
        monkeypatch.setattr(sys, "stderr", usual)
        handler = logging.StreamHandler()
        log = logging.getLogger("aside")
        logging.getLogger().addHandler(handler)
        try:
            with errors_set_aside(said.append):
                log.warning("within")
            log.warning("after")
        finally:
            logging.getLogger().removeHandler(handler)

        assert said == ["within"]
        assert usual.text == "within\nafter\n"

    def test_a_file_is_left_alone(self, monkeypatch, tmp_path):
        with (tmp_path / "errors").open("w", encoding="utf-8") as file:
            monkeypatch.setattr(sys, "stderr", file)
            with errors_set_aside(print):
                assert sys.stderr is file
