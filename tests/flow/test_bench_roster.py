"""``usbprov bench check`` against the lab: what the servers say of users; no PIN is used up."""

import json
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from check_desk import CheckDesk, check_desk


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckDesk]:
    with check_desk(tmp_path_factory.mktemp("bench")) as desk:
        yield desk


@pytest.fixture
def desk(running: CheckDesk, capsys: pytest.CaptureFixture[str]) -> Iterator[CheckDesk]:
    running.capture = capsys
    yield running
    running.heal()


def roster_of(desk: CheckDesk, folder: Path, *more: str) -> Path:
    """Write the lab's users as a roster, with their PINs in it."""
    path = folder / "users.csv"
    rows = [f"{u.extension};{u.sip_uri};{u.pin}" for u in desk.lab.facts.users]
    path.write_text("\n".join(["Ext;SipAddress;PIN", *rows, *more]) + "\n", "utf-8")
    return path


def check(desk: CheckDesk, roster: Path, *more: str) -> tuple[int, dict]:
    servers = desk.servers[:4] + desk.servers[-2:]
    code, out, _ = desk.run("bench", "check", str(roster), *servers, *more, "--json")
    return code, json.loads(out)


def test_the_servers_are_looked_at_and_what_cannot_be_known_is_said(desk, tmp_path):
    code, document = check(desk, roster_of(desk, tmp_path))

    told = {c["name"]: c for c in document["checks"]}
    assert (code, document["outcome"]) == (0, "good")
    assert document["users"] == len(desk.lab.facts.users)
    assert told["offer"]["verdict"] == "good"
    assert told["registrar-tls"]["verdict"] == "good"
    # The lab's Registrar wants a proof of everybody first, as Lync's is believed to.
    assert told["users"]["verdict"] == told["pins"]["verdict"] == "unknown"
    assert not any(user.pin in json.dumps(document) for user in desk.lab.facts.users)


def test_what_is_wrong_with_the_servers_ends_it_with_their_error(desk, tmp_path):
    desk.fault("registrar-down")
    code, document = check(desk, roster_of(desk, tmp_path))

    assert document["error"]["code"].startswith("SIP-")
    assert code == document["error"]["exit_code"] != 0


def test_no_try_at_a_pin_is_used_up(desk, tmp_path):
    """Wrong PINs lock after a few tries; after more checks than that the right one still works."""
    roster = roster_of(desk, tmp_path)
    roster.write_text(roster.read_text().replace(desk.user().pin, "000000"))
    for _ in range(6):
        assert check(desk, roster)[0] == 0

    assert desk.bootstrap().code == 0


def test_a_workbook_is_as_good(desk, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["Extension", "SIP Address"])
    for user in desk.lab.facts.users:
        book.active.append([user.extension, user.sip_uri])
    book.save(tmp_path / "users.xlsx")

    code, document = check(desk, tmp_path / "users.xlsx", "--key-in-pins")
    assert (code, document["roster"]) == (0, "users")
