"""Ctrl-C at a bench on a terminal: it says what it waits for, and what Ctrl-C does once more."""

import signal
from pathlib import Path

import pytest
from processes import Station, station
from screens import terminal

from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState

pytestmark = pytest.mark.timeout(240)

STOPPED = "Stopped: what was begun goes on when the bench is started again."
AT_ONCE = "Ended at once: what was begun goes on when the bench is started again."


def stopping(phones: str) -> str:
    return f"Stopping: {phones} still at a step. Ctrl-C again ends at once."


def bench(at: Station, *extra: str) -> list[str]:
    """Write the lab's users as a roster; return the arguments of a bench that serves them."""
    lines = [f"{u['extension']},{u['sip_uri']},{u['pin']}" for u in at.facts["users"]]
    roster = at.folder / "users.csv"
    roster.write_text("\n".join(["extension,sip address,pin", *lines]) + "\n")
    servers = ["--web-services-url", at.facts["web_services_url"], "--ca-file", at.facts["ca_file"]]
    return ["bench", "run", str(roster), *servers, "--name", "desk", "--no-sign-in", *extra]


def slow(at: Station, seconds: int, state: str) -> None:
    """Let the lab think before every answer: a worker that waits for one cannot be interrupted."""
    lab = str(at.folder / "lab")
    assert at.run("lab", "fault", f"slow={seconds}", state, "--dir", lab).code == 0


def test_it_says_what_it_waits_for_and_can_be_told_not_to(tmp_path: Path) -> None:
    with station(tmp_path, phones=2) as at:
        slow(at, 15, "on")
        with terminal(at.command(*bench(at)), variables=at.environment) as board:
            board.shows("▸ 2 running")
            board.shows("ticket")
            board.type("\x03")
            board.shows(stopping("2 phones"))
            assert "▸ 2 running" in board.text, "the board is still there"
            board.type("\x03")
            assert board.process.wait(10) == 9
            board.shows(AT_ONCE)
            board.shows("error BEN-09: the bench desk was stopped; phones plugged in that are not")
        assert b"\x1b[?1049l" in board.sent
        assert b"Traceback" not in board.sent

        slow(at, 15, "off")
        ended = at.run(*bench(at, "--once", "--json"))
        assert ended.code == 0, ended.err
        with Ledger(at.ledger) as ledger:
            assert [job.state for job in ledger.jobs()] == [JobState.DONE] * 2


def test_plain_lines_say_it_too(tmp_path: Path) -> None:
    with station(tmp_path) as at:
        slow(at, 3, "on")
        with terminal(at.command(*bench(at)), variables=at.environment | {"TERM": "dumb"}) as board:
            board.shows("publishing: ticket")
            board.process.send_signal(signal.SIGINT)
            assert board.process.wait(30) == 9
            board.shows(STOPPED)

    said = bytes(board.sent).decode().splitlines()
    assert said.count("> " + stopping("1 phone")) == 1
