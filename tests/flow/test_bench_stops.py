"""Ctrl-C at a bench: it says what it waits for, and what Ctrl-C does once more."""

import signal
from pathlib import Path

import pytest
from processes import Station, station
from screens import terminal

pytestmark = pytest.mark.timeout(240)

LATENCY = 4
"""Seconds before each of the phone's answers: a worker that waits for one cannot be interrupted."""

STOPPING = "Stopping: 1 phone still at a step. Ctrl-C again ends at once."


@pytest.fixture
def at(tmp_path: Path) -> Station:
    with station(tmp_path, options=["--personality", f"latency={LATENCY}"]) as made:
        yield made


def bench(at: Station) -> list[str]:
    lines = [f"{u['extension']},{u['sip_uri']},{u['pin']}" for u in at.facts["users"]]
    roster = at.folder / "users.csv"
    roster.write_text("\n".join(["extension,sip address,pin", *lines]) + "\n")
    servers = ["--web-services-url", at.facts["web_services_url"], "--ca-file", at.facts["ca_file"]]
    return at.command("bench", "run", str(roster), *servers, "--name", "desk", "--no-sign-in")


def test_it_says_what_it_waits_for_and_can_be_told_not_to(at: Station) -> None:
    plain = at.environment | {"TERM": "dumb"}
    with terminal(bench(at), 80, 24, plain) as board:
        board.shows("identifying")
        board.process.send_signal(signal.SIGINT)
        assert board.process.wait(30) == 9
        board.shows("Stopped: what was begun goes on when the bench is started again.")
        board.shows("error BEN-09: the bench desk was stopped; phones plugged in that are not")
    assert f"> {STOPPING}" in bytes(board.sent).decode().splitlines()

    with terminal(bench(at), 80, 24, at.environment) as board:
        board.shows("identifying")
        board.type("\x03")
        assert "identifying" in board.shows(STOPPING), "the board is still there"
        board.type("\x03")
        assert board.process.wait(30) == 9
        board.shows("Ended at once: what was begun goes on when the bench is started again.")
    assert b"\x1b[?1049l" in board.sent
    assert b"Traceback" not in board.sent
