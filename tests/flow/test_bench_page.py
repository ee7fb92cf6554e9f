"""docs/bench.md is true: its files are written, and its commands typed, as they stand there."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import wait_for
from screens import Terminal, terminal
from ten_phones import PAGE, Page, TenPhones, ten_phones

from usbprov.bench.mapfile import read_map
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState

pytestmark = pytest.mark.timeout(300)

ELSEWHERE = {
    "sudo usbprov udev install": "tests/unit/test_udev_files.py, tests/vm/test_udev_rights.py",
}
"""Commands that would change this computer, and what tests them."""

SHARED = "--ledger 'postgresql:"
"""Commands with another ledger; see the end."""


@pytest.fixture
def table(tmp_path: Path) -> Iterator[TenPhones]:
    with ten_phones(tmp_path) as made:
        made.write(slip="1007")
        yield made


def test_the_page_takes_ten_phones_from_the_table_to_the_report(table: TenPhones) -> None:
    typed = [c for c in table.page.commands if c not in ELSEWHERE and SHARED not in c]
    begun = 0
    for command in typed:
        if command.startswith("usbprov bench map"):
            learn(table, command)
        elif command.startswith("usbprov bench run"):
            begun += 1
            (ten_are_done if begun == 1 else nothing_is_left)(table, command)
        else:
            ended = table.run(command)
            # What a container lacks is no fault of the page.
            usual = {0, 8} if command == "usbprov check host" else {0}
            assert ended.returncode in usual, (command, ended.stdout, ended.stderr)

    report = (table.folder / "shift.html").read_text()
    assert all(uri.removeprefix("sip:") in report for uri in table.page.users.values())
    assert (table.folder / "labels.pdf").read_bytes().startswith(b"%PDF")


def learn(table: TenPhones, command: str) -> None:
    with bench(table, command) as board:
        for number in range(1, 11):
            board.shows(f"plug into A{number}" if number == 1 else f"next is A{number}")
            table.plug(1, port=number)
            wait_for(lambda n=number: len(labels(table)) == n, f"A{number}")
            table.pull(number)
        assert board.process.wait(30) == 0
    assert labels(table) == [f"A{n}" for n in range(1, 11)]


def labels(table: TenPhones) -> list[str]:
    path = table.folder / "bench.toml"
    return list(read_map(path).labels) if path.exists() else []


def ten_are_done(table: TenPhones, command: str) -> None:
    """The first phone, the other nine, one PIN with a slip, Retry; then Ctrl-C, and once more."""
    with bench(table, command) as board:
        board.shows("http://127.0.0.1:")
        board.type("x\x15")  # a key wipes the message away
        wait_for(lambda: "/#token=" not in board.text, "the end of the message")
        table.plug(1)
        board.shows("✓ 1 to unplug")
        board.type("\x17")
        board.shows("/#token=")
        for number in range(2, 11):
            table.plug(number)
        board.shows("✗ 1 failed")
        board.shows("✓ 9 to unplug")
        table.write_pins()
        failed = re.search(r"✗ (A\d+) +failed .* Grace Example ", board.text)
        assert failed is not None, board.text
        board.type(failed[1].lower() + "\x12")
        board.shows("✓ 10 to unplug")
        board.type("\x03")
        assert board.process.wait(30) == 9
    with Ledger(table.home / "usbprov" / "ledger.sqlite3") as ledger:
        done = [job for job in ledger.jobs() if job.state is JobState.DONE]
    assert sorted(job.user or "" for job in done) == sorted(table.page.users.values())


def nothing_is_left(table: TenPhones, command: str) -> None:
    """Started again, whatever the way: who is done is shown as done."""
    with bench(table, command) as board:
        board.shows("✓ 10 to unplug")
        board.shows("10 of 10 done")
        board.type("\x03")
        assert board.process.wait(30) == 9


def bench(table: TenPhones, command: str) -> "Callable[[], Terminal]":
    """Type a command that goes on; the browsers' port is any that is free."""
    command = command.replace("--board 8080", "--board 0")
    typed = ["bash", "-c", f"cd {table.folder} && exec {command}"]
    return terminal(typed, 80, 24, table.environment)


def test_every_picture_of_the_page_is_there_and_every_link_leads_somewhere() -> None:
    text = PAGE.read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert (PAGE.parent / target).exists(), target
    for target, anchor in re.findall(r"\]\(([^)#]*)#([^)]+)\)", text):
        assert anchor in anchors(PAGE.parent / target if target else PAGE), (target, anchor)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_page_shows_a_pin_for_every_user() -> None:
    page = Page.read()
    assert page.pins.keys() == page.users.keys()
