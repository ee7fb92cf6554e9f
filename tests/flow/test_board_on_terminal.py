"""The board on a real pseudo-terminal: its screen, its keys, and how the terminal is given back."""

import json
import os
import signal
import subprocess
import termios

import pytest
from processes import wait_for
from screens import play, terminal

from usbprov.bench.states import PortState

SIZES = [(80, 24), (80, 70), (200, 60)]
STILL = ("--seconds", "30", "--speed", "30")
"""A shift that is over in a second and stays on the screen."""

FOOT = "^C end"


@pytest.fixture
def report(tmp_path):
    return tmp_path / "report.json"


def signs_of(board):
    return [line[0].replace("↻", "▸") for line in board.lines[2:-3]]


def still(report):
    return play(*STILL, "--report", str(report))


def asked(report):
    wait_for(report.exists, "the report")
    return json.loads(report.read_text("utf-8"))


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_a_shift_of_64_ports(size, report):
    with terminal(still(report), *size) as board:
        board.shows(FOOT)
        wait_for(lambda: " to unplug" in board.lines[1], "the counts")
        wait_for(lambda: " an hour" in board.lines[0], "the rate")
        lines = board.lines
        board.end()

    assert len(lines) == size[1]
    assert FOOT in lines[-1]
    if size == (80, 24):
        assert all(any(state in line for state in PortState) for line in lines[2:-3])
        assert lines[-3].startswith("… 45 more: ")
    else:
        shown = " ".join(lines)
        assert all(f" {hub}{n} " in shown for hub in "ABCD" for n in range(1, 17))
        assert "more: " not in shown


def test_the_most_urgent_come_first(report):
    with terminal(still(report)) as board:
        wait_for(lambda: set(signs_of(board)) >= {"✗", "!", "✓"}, "a failure")
        signs = signs_of(board)
        board.end()

    assert signs == sorted(signs, key="✗!✓▸".index)


def test_the_screen_follows_its_size(report):
    with terminal(still(report)) as board:
        board.shows("more: ")
        board.resize(200, 60)
        wait_for(lambda: FOOT in board.lines[-1] and "│" in board.text, "the wide picture")
        assert "more: " not in board.text
        board.resize(80, 24)
        wait_for(lambda: FOOT in board.lines[-1] and "more: " in board.text, "the narrow one")
        board.end()


def test_a_scan(report):
    with terminal(still(report)) as board:
        board.shows(FOOT)
        board.type("64167F0A1B2C\r4711\runknown\r")
        board.shows("USB-02: no attached phone matches 'unknown'")
        board.type("half a li")
        board.shows("> half a li")
        board.end()

    scans = [["scan", "64167F0A1B2C"], ["scan", "4711"], ["scan", "unknown"]]
    assert asked(report)["asked"] == scans


def test_nothing_is_echoed_by_the_terminal(report):
    with terminal(still(report)) as board:
        board.shows(FOOT)
        board.type("Q" * 10 + "\r")
        board.shows("QQQQQQQQQQ is taken.")
        board.end()

    assert b"Q" * 10 + b"\r\n" not in bytes(board.sent)


def test_keys_on_a_port(report):
    with terminal(still(report), 80, 70) as board:
        board.shows(FOOT)
        wait_for(lambda: " A1 " in board.text, "the ports")
        board.type("\x1b[B\x1b[B\x12")
        board.shows("A2 is tried again.")
        board.type("d16\x06")
        board.shows("The lamp at D16 is on.")
        board.type("\x1b[A\x0b")
        board.shows("A1 is left out.")
        board.end()

    assert asked(report)["asked"] == [["retry", "A2"], ["find", "D16", True], ["skip", "A1"]]


def test_the_details_of_a_failure(report):
    with terminal(still(report)) as board:
        wait_for(lambda: board.lines[2].startswith("✗"), "a failure")
        board.type("\x1b[B\r")
        text = board.shows("what to do     Have the PIN set anew")
        assert "likely cause   The PIN is not the user's" in text
        board.type("\x1b")
        board.shows("more: ")
        board.end()


class TestSecrets:
    def test_a_pin_is_not_shown(self, report):
        with terminal(play(*STILL, "--ask", "--report", str(report))) as board:
            board.shows("PIN of Ada Byron (1001):")
            for digit in "9753":
                before = board.text.count("•")
                board.type(digit)
                wait_for(lambda b=before: board.text.count("•") > b, "the digit")
            board.type("\r")
            wait_for(lambda: "PIN of Ada" not in board.text, "the end of the question")
            board.type("4711\r")
            board.shows("4711 is taken.")
            board.end()

        assert b"9753" not in bytes(board.sent)
        told = asked(report)
        assert (told["pins"], told["asked"]) == ([["Z1", "9753"]], [["scan", "4711"]])

    def test_a_scan_is_not_taken_for_it(self, report):
        with terminal(play(*STILL, "--ask", "--report", str(report))) as board:
            board.shows("PIN of Ada Byron (1001):")
            board.type("64167F0A1B2C\r")
            board.shows("Z1: PIN of Ada Byron (1001):    That came from a scanner. Please type")
            board.type("\x1b")
            wait_for(lambda: "PIN of Ada" not in board.text, "the end of the question")
            board.end()

        told = asked(report)
        assert (told["pins"], told["asked"]) == ([["Z1", None]], [])


class TestGivenBack:
    @pytest.mark.parametrize(
        "by", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM], ids=lambda n: n.name
    )
    def test_after_a_signal(self, by, report):
        with terminal(still(report)) as board:
            before = self.modes(board)
            board.shows(FOOT)
            assert board.is_raw
            assert board.end(by) == 0
            assert self.modes(board) == before
            self.is_usual(board)

    def test_when_ctrl_c_is_pressed_twice(self, report):
        with terminal(still(report)) as board:
            before = self.modes(board)
            board.shows(FOOT)
            board.process.send_signal(signal.SIGINT)
            board.end()
            assert self.modes(board) == before
            self.is_usual(board)

    def test_when_ctrl_c_is_pressed_before_the_end_has_begun(self, report):
        with terminal(play(*STILL, "--impatient", "--report", str(report))) as board:
            before = self.modes(board)
            board.process.wait(30)
            assert self.modes(board) == before
            self.is_usual(board)

    def test_after_a_crash(self, report):
        with terminal(play("--seconds", "5", "--speed", "5", "--crash")) as board:
            before = self.modes(board)
            board.shows(FOOT)
            assert board.process.wait(30) == 1
            assert self.modes(board) == before
            self.is_usual(board)
            board.shows("ZeroDivisionError")

    def test_after_ctrl_c(self, report):
        with terminal(still(report)) as board:
            before = self.modes(board)
            board.shows(FOOT)
            board.type("\x03")
            assert board.process.wait(30) == 0
            assert self.modes(board) == before
            self.is_usual(board)

    def test_what_was_not_read_is_dropped(self, report):
        with terminal(still(report)) as board:
            board.shows(FOOT)
            board.process.send_signal(signal.SIGSTOP)
            board.type("rm -rf x\r")
            board.process.send_signal(signal.SIGINT)
            board.process.send_signal(signal.SIGCONT)
            board.process.wait(30)
            os.set_blocking(board.theirs, False)
            with pytest.raises(BlockingIOError):
                os.read(board.theirs, 100)

    def test_keys_that_stop_programs_do_nothing(self, report):
        with terminal(still(report)) as board:
            board.shows(FOOT)
            board.type("\x1a\x1c\x13\x04still here\r")
            board.shows("still here is taken.")
            board.end()

    def test_a_shell_that_took_the_keys_meanwhile(self, report):
        with terminal(still(report)) as board:
            before = board.modes
            board.shows(FOOT)
            before[3] |= termios.ECHO | termios.ICANON
            termios.tcsetattr(board.theirs, termios.TCSANOW, before)
            wait_for(lambda: board.is_raw, "the keys to be taken again")
            board.type("4711\r")
            board.shows("4711 is taken.")
            board.end()

    def test_what_did_not_succeed_stays_on_the_screen(self, report):
        with terminal(still(report), 200, 60) as board:
            wait_for(lambda: " failed" in board.lines[1], "a failure")
            board.end()
            text = board.shows("= bench-1: ")

        assert "failed: WEB-05 pool01" in bytes(board.sent).rpartition(b"\x1b[?1049l")[2].decode()
        assert " of 192 done" in text

    def modes(self, board):
        return [*board.modes[:4], board.modes[6]]

    def is_usual(self, board):
        """Wait for the usual screen and a cursor; they are written before the program ends."""
        wait_for(lambda: b"\x1b[?1049l" in board.sent and b"\x1b[?25h" in board.sent, "the screen")


class TestColours:
    def test_no_color(self, report):
        with terminal(still(report), variables={"NO_COLOR": "1"}) as board:
            board.shows("more: ")
            colours = {
                cell.fg for row in board.screen.buffer.values() for cell in list(row.values())
            }
            board.end()

        assert colours == {"default"}

    def test_colours(self, report):
        with terminal(still(report)) as board:
            board.shows("more: ")
            wait_for(lambda: board.lines[2].startswith("✗"), "a failure")
            with board.lock:
                first = board.screen.buffer[2][0]
            board.end()

        assert (first.data, first.fg, first.bold) == ("✗", "red", True)


class TestPlainLines:
    def test_a_dumb_terminal(self, report):
        with terminal(still(report), variables={"TERM": "dumb"}) as board:
            board.shows("done: unplug")
            board.type("4711\n")
            wait_for(lambda: b"> 4711 is taken." in board.sent, "the answer")
            board.end()

        assert b"\x1b" not in board.sent

    def test_a_pipe(self):
        ended = subprocess.run(
            play("--ports", "8", *STILL),
            input="4711\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert (ended.returncode, ended.stderr) == (0, "")
        assert "\x1b" not in ended.stdout
        assert "> 4711 is taken.\n" in ended.stdout
        assert " = bench-1: " in ended.stdout.splitlines()[-1]

    def test_a_reader_who_has_gone(self):
        shell = f"set -o pipefail; {' '.join(play('--ports', '8', *STILL))} | head -n 1"

        ended = subprocess.run(["bash", "-c", shell], capture_output=True, timeout=60, check=False)

        assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_picture_is_not_the_whole_screen(report):
    """64 ports that change all the time: only what has changed is written, and nothing erased."""
    shift = play("--seconds", "40", "--speed", "8", "--report", str(report))
    with terminal(shift, 80, 70) as board:
        wait_for(lambda: len(board.sent) > 60_000, "pictures")
        board.end()

    pictures = bytes(board.sent).rpartition(b"\x1b[?1049l")[0]
    assert pictures.count(b"\x1b[2J") == 1
    assert b"\x1b[K" not in pictures
