"""``check all``, ``check phone`` and ``check chain`` against the lab and its emulated phones."""

import json
import os
import time
from collections.abc import Iterator

import pytest
from check_desk import CheckDesk, check_desk

PHONE_STEPS = ["identity", "firmware", "clock", "roots", "slots", "certificate", "configuration"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckDesk]:
    folder = tmp_path_factory.mktemp("checks")
    with check_desk(folder, phones=2, personality={"old-roots": ""}) as desk:
        yield desk


@pytest.fixture
def desk(running: CheckDesk, capsys: pytest.CaptureFixture[str]) -> Iterator[CheckDesk]:
    running.capture = capsys
    yield running
    running.heal()


def groups(document: dict) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for check in document["checks"]:
        found.setdefault(check["group"], []).append(check["name"])
    return found


def check_all(desk: CheckDesk, *more: str) -> tuple[int, dict, float]:
    began = time.monotonic()
    code, out, _ = desk.run("check", "all", *desk.servers, *more, "--json")
    return code, json.loads(out), time.monotonic() - began


def test_everything_is_looked_at_side_by_side(desk: CheckDesk) -> None:
    code, document, seconds = check_all(desk, "--user", desk.user().sip_uri)
    assert groups(document) == {
        "discovery": ["discovery"],
        "web services": ["web-services-name", "web-services-tls", "offer", "chain-download"],
        "registrar": ["registrar-name", "registrar-tls", "challenge"],
        "phones": ["list"],
        "phone 1-1": PHONE_STEPS,
        "phone 1-2": PHONE_STEPS,
    }
    assert seconds < 5 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    # These phones have old roots, which is what is wrong here, and all that is.
    bad = {(c["group"], c["name"], c["code"]) for c in document["checks"] if c["verdict"] == "bad"}
    assert bad == {("phone 1-1", "roots", "TLS-05"), ("phone 1-2", "roots", "TLS-05")}
    assert (code, document["error"]["code"]) == (6, "TLS-05")


def test_a_slow_registrar_is_told_and_delays_nothing(desk: CheckDesk) -> None:
    desk.fault("registrar-slow=30")
    options = ("--user", desk.user().sip_uri, "--limit-seconds", "3")
    code, document, seconds = check_all(desk, *options)
    assert seconds < 10
    told = [c for c in document["checks"] if c["group"] == "registrar"]
    assert told[-1]["name"] in {"challenge", "time-limit"}
    assert told[-1]["verdict"] in {"bad", "unknown"}
    assert groups(document)["phone 1-2"] == PHONE_STEPS
    assert groups(document)["web services"][-1] == "chain-download"
    assert code in {5, 6}


def test_without_a_user_nobody_is_asked_about(desk: CheckDesk) -> None:
    _, document, _ = check_all(desk)
    challenge = next(c for c in document["checks"] if c["name"] == "challenge")
    assert (challenge["verdict"], challenge["seen"]) == (
        "unknown",
        "not done: there is no user: give --user",
    )


def test_a_way_that_phones_need_and_the_server_lacks(desk: CheckDesk) -> None:
    desk.fault("auth-off=pin")
    _, document, _ = check_all(desk)
    offer = next(c for c in document["checks"] if c["name"] == "offer")
    assert offer["verdict"] == "note"
    assert "UsePinAuth" in offer["cause"]


def test_a_phone_with_old_roots(desk: CheckDesk) -> None:
    told = desk.check("phone", "1-1", *desk.servers)
    assert (told.code, told.error) == (6, "TLS-05"), told.summary
    assert list(told.steps) == PHONE_STEPS
    assert told.document["phone"]["serial"] == "EMU0001"


def test_a_chain_in_the_eyes_of_three(desk: CheckDesk) -> None:
    address = desk.lab.facts.web_services_url.split("/")[2]
    anchors = ("--ca-file", str(desk.lab.facts.ca_file))
    here = desk.check("chain", address, desk.lab.facts.registrar, *anchors)
    assert (here.code, len(here.steps)) == (0, 2), here.summary
    model = desk.check("chain", address, "--as-model", "CX700", *anchors)
    assert (model.code, model.error) == (6, "TLS-06"), model.summary
    phone = desk.check("chain", address, "--as-phone", "1-1", *anchors)
    assert (phone.code, phone.error) == (6, "TLS-05"), phone.summary
    nobody = desk.check("chain", address)
    assert (nobody.code, nobody.error) == (6, "TLS-01"), nobody.summary


def test_a_chain_without_its_intermediate(desk: CheckDesk) -> None:
    desk.fault("incomplete-chain")
    address = desk.lab.facts.web_services_url.split("/")[2]
    told = desk.check("chain", address, "--as-phone", "1-2")
    assert told.code == 6, told.summary
    assert "issuing CA" in told.steps[address]["seen"]


def test_phone_and_model_do_not_go_together(desk: CheckDesk) -> None:
    assert desk.run("check", "chain", "x", "--as-phone", "1-1", "--as-model", "CX700")[0] == 2
