"""How often the board writes to its terminal, and what happens when it cannot."""

import io
import time
from datetime import UTC, datetime

import pytest
from doubles.shift import BenchDouble, bench, label_of, port
from processes import wait_for
from rich.console import Console

from usbprov.bench.states import PortState
from usbprov.bench.terminal import TerminalBoard
from usbprov.bench.terminal import board as board_module
from usbprov.bench.terminal.keyboard import NoKeyboard


class Paper(io.StringIO):
    """Notes when something was written."""

    def __init__(self):
        super().__init__()
        self.moments = []

    def write(self, text):
        self.moments.append((time.monotonic(), len(text)))
        return super().write(text)

    @property
    def rate(self):
        """Writes a second, by the time that 20 of them took; those to begin with are left out."""
        return 20 / (self.moments[25][0] - self.moments[5][0])


class Fingers(NoKeyboard):
    """Types without end, as fast as it is read."""

    def read(self, timeout):
        self._nothing.wait(min(timeout, 0.002))
        return "x"


@pytest.fixture
def controls():
    return BenchDouble()


@pytest.fixture
def paper():
    return Paper()


def board_of(controls, paper, keyboard=None):
    console = Console(file=paper, force_terminal=True, width=80, height=70, _environ={})
    return TerminalBoard(controls, "bench-1", keyboard or NoKeyboard(), console)


def change_all(controls, number):
    since = datetime.now(UTC)
    for at in range(64):
        state = PortState.KEY if number % 2 else PortState.PUBLISHING
        controls.feed.publish(port(label_of(at), state, number=number, since=since))


def test_eight_pictures_a_second_at_most(controls, paper):
    with board_of(controls, paper):
        number = 0
        while len(paper.moments) < 26:
            number += 1
            change_all(controls, number)
            time.sleep(0.001)

    assert paper.rate <= 8.4


def test_a_fast_scanner_makes_few_pictures(controls, paper):
    with board_of(controls, paper, Fingers()):
        wait_for(lambda: len(paper.moments) >= 26, "pictures")

    assert paper.rate <= 26


def test_a_bench_at_rest_is_written_once_a_second_at_most(controls, paper):
    for view in (bench(), *(port(label_of(at)) for at in range(64))):
        controls.feed.publish(view)
    with board_of(controls, paper):
        wait_for(lambda: "64 empty" in paper.getvalue(), "the first picture")
        before = len(paper.moments)
        began = time.monotonic()
        wait_for(lambda: time.monotonic() - began > 2.5, "a while")
        pictures = len(paper.moments) - before

    assert pictures <= 4


def test_a_second_on_the_clock_writes_only_lines_that_show_it(controls, paper):
    since = datetime.now(UTC)
    for view in (*map(port, map(label_of, range(63))), port("Z1", PortState.KEY, since=since)):
        controls.feed.publish(view)
    with board_of(controls, paper):
        wait_for(lambda: "0:02" in paper.getvalue(), "two seconds")

    assert min(size for _, size in paper.moments) < 400


def test_a_failure_rings_once(controls, paper):
    failed = port("A1", PortState.FAILED, number=1)
    with board_of(controls, paper):
        controls.feed.publish(failed)
        wait_for(lambda: "\a" in paper.getvalue(), "the bell")
        controls.feed.publish(port("A2", PortState.KEY, number=2))
        wait_for(lambda: "A2" in paper.getvalue(), "the next picture")

    assert paper.getvalue().count("\a") == 1


def test_a_message_goes_away(controls, paper, monkeypatch):
    monkeypatch.setattr(board_module, "_MESSAGE", 0.3)
    with board_of(controls, paper) as board:
        wait_for(paper.getvalue, "the first picture")
        board.say("all is well")
        wait_for(lambda: "all is well" in paper.getvalue(), "the message")
        wrote = len(paper.moments)
        wait_for(lambda: len(paper.moments) > wrote, "the picture without it")

    assert paper.getvalue().count("all is well") == 1


def test_a_terminal_that_is_gone_does_not_stop_the_bench(controls, caplog):
    class Gone(Paper):
        def write(self, text):
            raise OSError(5, "Input/output error")

    with board_of(controls, Gone()) as board:
        wait_for(lambda: caplog.records, "the end of the board")
        assert not board.takes_pins
        controls.feed.publish(port("A1", PortState.DONE))

    assert "the board has ended: Input/output error" in caplog.text


def test_a_board_that_fails_goes_on_in_plain_lines(controls, paper, caplog, capsys, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(board_module, "picture", broken)
    shown = ""
    with board_of(controls, paper):
        controls.feed.publish(port("A1", PortState.DONE))
        wait_for(lambda: caplog.records, "the failure")
        controls.feed.publish(port("A2", PortState.DONE))

    shown = capsys.readouterr().out
    assert "the board has failed" in caplog.text
    assert "A2   done: unplug" in shown
    assert paper.getvalue().endswith("\x1b[?25h\x1b[?1049l")


def test_views_are_no_longer_kept_for_a_board_that_has_ended(controls, paper):
    with board_of(controls, paper):
        assert controls.feed._readers

    assert not controls.feed._readers
