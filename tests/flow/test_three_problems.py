"""The three problems of the phones' own help, "Receive and Publish Certificate", end in the right
diagnosis: the store of the home pool, the Registrar, and a server that the phone cannot verify.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509

from usbprov.cli.main import run
from usbprov.cli.settings import Settings
from usbprov.engine.checks import enrolment
from usbprov.engine.retry import RetryPolicy
from usbprov.lab.faults import parse_fault
from usbprov.lab.phones import parse_personality
from usbprov.lab.up import Lab, LabOptions
from usbprov.phone.contract import Phone
from usbprov.pki.certificates import thumbprint
from usbprov.webservices.trust import download

PHONE = "1-1"
UNTOUCHED = "1-2"
"""A phone that no job has given a root."""

PINS = {"1001": "90210673", "1002": "90210674"}
USERS = "".join(
    f'[[users]]\nsip_uri = "sip:{name}@contoso.test"\nextension = "{extension}"\n'
    f'pin = "{PINS[extension]}"\npassword = "Canary-Passw0rd"\n'
    for name, extension in (("alice", "1001"), ("bob", "1002"))
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    users = folder / "users.toml"
    users.write_text(USERS)
    options = LabOptions(
        dir=folder / "lab",
        phones=2,
        users_file=users,
        personality=parse_personality(["old-roots"]),
    )
    with Lab(options) as running:
        yield running


@pytest.fixture
def desk(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator["Desk"]:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(enrolment, "RETRIES", RetryPolicy(attempts=3, first_wait=0))
    # The chain download of the real servers is at port 80, which takes root to listen at.
    monkeypatch.setattr(download, "_HTTP_PORT", urlsplit(lab.facts.chain_url).port)
    made = Desk(lab, tmp_path, capsys)
    with made.phone(PHONE) as phone:
        phone.erase(0)
    yield made
    lab.faults.clear()


@dataclass
class Desk:
    lab: Lab
    folder: Path
    capture: pytest.CaptureFixture[str]

    def fault(self, name: str) -> None:
        self.lab.faults.switch_on(parse_fault(name))

    def run(self, *arguments: str, pins: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Run a command; ``pins`` are given over file descriptors, by option."""
        self.capture.readouterr()
        options: list[str] = []
        for option, pin in (pins or {}).items():
            reading, writing = os.pipe()
            os.write(writing, f"{pin}\n".encode())
            os.close(writing)
            options += [option, str(reading)]
        try:
            code = run([*self._common, *arguments, *options])
        finally:
            for descriptor in options[1::2]:
                os.close(int(descriptor))
        said = self.capture.readouterr()
        return code, said.out, said.err

    @property
    def _common(self) -> list[str]:
        ledger = str(self.folder / "ledger.sqlite3")
        return ["--bus", str(self.lab.facts.bus), "--ledger", ledger]

    @property
    def servers(self) -> list[str]:
        facts = self.lab.facts
        return [*self.url, "--registrar", facts.registrar, "--ca-file", str(facts.ca_file)]

    @property
    def url(self) -> list[str]:
        return ["--web-services-url", self.lab.facts.web_services_url]

    def provision(self, *options: str, port: str = PHONE) -> tuple[int, str, str]:
        command = ("provision", port, "--extension", "1001", "--retry-seconds", "3")
        return self.run(*command, *(options or self.servers), pins={"--pin-fd": PINS["1001"]})

    def bootstrap(self, *options: str, pin: str = PINS["1001"], **pins: str) -> tuple[int, Any]:
        given = {"--pin-fd": pin} | {f"--{name.replace('_', '-')}": p for name, p in pins.items()}
        command = ("check", "phone-bootstrap", "--extension", "1001", "--json")
        code, out, _ = self.run(*command, *self.servers, *options, pins=given)
        return code, json.loads(out)

    def root(self) -> str:
        return thumbprint(x509.load_pem_x509_certificate(self.lab.facts.ca_file.read_bytes()))

    def phone(self, port: str) -> closing[Phone]:
        """Talk to a phone itself, past the program."""
        return closing(Settings((str(self.lab.facts.bus),), None, 0).find(port).open())

    def roots_of(self, port: str) -> frozenset[str]:
        with self.phone(port) as phone:
            return phone.info().roots


def causes(document: Any) -> list[str]:
    return [cause["id"] for cause in document["diagnosis"]]


# --- problem 1: the store of the home pool cannot be reached


def test_a_store_that_comes_and_goes_is_waited_for_and_told(desk: Desk) -> None:
    desk.fault("store-flapping")
    code, out, _ = desk.provision(*desk.servers, "--json")
    document = json.loads(out)
    assert (code, document["outcome"]) == (0, "provisioned")
    (passed,) = document["passed"]
    assert (passed["step"], passed["code"]) == ("publish", "WEB-09")
    assert causes(passed)[0] == "store-sporadic"


def test_the_panel_tells_of_trouble_that_has_passed(desk: Desk) -> None:
    desk.fault("store-unreachable=1")
    code, out, _ = desk.provision()
    assert code == 0
    assert re.search(r"passed +publish: WEB-09, .* comes and goes", out)


def test_a_store_that_stays_away_is_said_to_be_down(desk: Desk) -> None:
    desk.fault("store-unreachable")
    code, out, _ = desk.provision(*desk.servers, "--json")
    document = json.loads(out)
    assert code == 5
    assert document["error"]["code"] == "WEB-09"
    assert causes(document["error"])[0] == "store-lasting"
    assert "data store unavailable" in document["error"]["diagnosis"][0]["remedy"]
    code, out, _ = desk.run("explain", "--job", str(document["job"]), "--json")
    assert causes(json.loads(out))[0] == "store-lasting"


def test_another_user_shows_that_it_is_the_pool(desk: Desk) -> None:
    desk.fault("store-unreachable")
    code, document = desk.bootstrap("--other-extension", "1002", other_pin_fd=PINS["1002"])
    assert code == 5
    assert "is stopped alike (WEB-09)" in document["error"]["found_out"][-1]["seen"]
    assert causes(document["error"])[0] == "store-lasting"
    assert document["checks"][-1]["name"] == "other-user"


def test_another_user_shows_that_it_has_passed(desk: Desk) -> None:
    desk.fault("store-unreachable=3")  # as often as the check tries
    code, document = desk.bootstrap("--other-extension", "1002", other_pin_fd=PINS["1002"])
    assert code == 5
    assert "can sign in" in document["error"]["found_out"][-1]["seen"]
    assert causes(document["error"])[:2] == ["store-sporadic", "user-in-no-store"]


def test_another_user_shows_that_it_is_the_user(desk: Desk) -> None:
    code, document = desk.bootstrap(
        "--other-extension", "1002", pin="77777777", other_pin_fd=PINS["1002"]
    )
    assert code == 7
    assert "can sign in: it is this user" in document["error"]["found_out"][-1]["seen"]
    assert causes(document["error"])[0] == "pin-wrong"
    assert causes(document["error"])[-1] == "token-refused"


def test_nobody_else_is_tried_when_all_is_well(desk: Desk) -> None:
    code, document = desk.bootstrap("--other-extension", "1002", other_pin_fd=PINS["1002"])
    assert code == 0, document
    assert "other-user" not in [check["name"] for check in document["checks"]]


# --- problem 2: the Registrar


def test_registrar_trouble_names_the_check_and_the_log(desk: Desk) -> None:
    desk.fault("registrar-down")
    code, _, err = desk.provision()
    assert code == 5
    assert "error WEB-11" in err
    assert "most likely:  The Registrar of the user's pool is stopped" in err
    assert re.search(r"how to tell: .*Test-CsPhoneBootstrap .*-Verbose", err)
    assert "Read certprov.log on every server of the pool" in err


# --- problem 3: the Web Services' certificate cannot be verified


def test_the_missing_certificate_is_named_and_with_the_cable_in_installed(desk: Desk) -> None:
    code, out, _ = desk.provision(*desk.url, "--json", port=UNTOUCHED)  # without --ca-file
    error = json.loads(out)["error"]
    assert (code, error["code"]) == (6, "TLS-01")
    assert causes(error)[0] == "root-unknown"
    (seen,) = [one["seen"] for one in error["found_out"] if one["probe"] == "chain"]
    assert "CN=usbprov lab root CA" in seen
    named = re.search(r"SHA-256 ([0-9a-f]{64})", seen)
    assert named is not None
    assert named[1] == desk.root()
    assert desk.root() not in desk.roots_of(UNTOUCHED)
    confirmed = ("--fingerprint", named[1])  # compared with the administrator
    code, _, err = desk.run("trust", "install", UNTOUCHED, *desk.url, *confirmed)
    assert code == 0, err
    assert desk.root() in desk.roots_of(UNTOUCHED)


def test_an_intermediate_that_is_not_sent_is_named(desk: Desk) -> None:
    desk.fault("incomplete-chain")
    code, _, err = desk.provision()
    assert code == 6
    assert re.search(r"found out: .*missing: CN=usbprov lab issuing CA, SHA-256 [0-9a-f]{64}", err)
    assert "most likely:  The server sends its own certificate without the intermediate" in err


def test_a_chain_download_that_is_off_is_named(desk: Desk) -> None:
    desk.fault("chain-download-off")
    code, document = desk.bootstrap()
    assert (code, document["error"]["code"]) == (4, "WEB-04")
    assert causes(document["error"])[0] == "chain-download-off"
    assert "EnableCertChainDownload" in document["error"]["diagnosis"][0]["remedy"]
