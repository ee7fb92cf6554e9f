"""Every fault of the lab, met by every command, names its true cause first.

``diagnosis_matrix.toml`` says which; it is printed in docs/diagnosis.md, too. A fault of the lab
that is not in it fails here.
"""

import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from usbprov.cli.main import run
from usbprov.cli.settings import Settings
from usbprov.engine.checks import enrolment
from usbprov.engine.diagnosis.table import CAUSES
from usbprov.engine.retry import RetryPolicy
from usbprov.lab.faults import FAULTS, FaultName, parse_fault
from usbprov.lab.up import Lab, LabOptions
from usbprov.net.deadline import TimeLimits
from usbprov.registrar.client import Registrar
from usbprov.webservices.client import WebServices

PIN = "90210673"
PASSWORD = "Canary-Passw0rd"
LOGIN = "CONTOSO\\alice"
USERS = f"""
[[users]]
sip_uri = "sip:alice@contoso.test"
extension = "1001"
pin = "{PIN}"
password = "{PASSWORD}"
user_name = "alice"
domain = "CONTOSO"
"""
PATIENT, HASTY = TimeLimits(connect=20, answer=20), TimeLimits(connect=20, answer=1.0)
"""A busy machine is no slow server; but a server that never answers is not waited for long."""
SLOW = {"slow", "endless-body", "registrar-slow"}
"""The faults that never end."""
RETRY_SECONDS = "0.4"
MATRIX = Path(__file__).with_name("diagnosis_matrix.toml")
COMMANDS = ("provision", "phone-bootstrap", "client-auth")
PASSES = "passes"
MOMENTS = {"publish": (WebServices, "publish"), "sign-in": (Registrar, "sign_in")}
"""What is done from which on a fault is there, where it is not there from the start."""


@dataclass(frozen=True)
class Case:
    """A fault, the moment from which on it is there, a command, and the cause it must name."""

    fault: str
    moment: str
    command: str
    expected: str

    def __str__(self) -> str:
        return f"{self.fault}-{self.moment}-{self.command}"


def cases() -> list[Case]:
    rows = tomllib.loads(MATRIX.read_text("utf-8"))["case"]
    return [
        Case(
            "=".join(filter(None, (row["fault"], row.get("argument")))),
            row.get("moment", "start"),
            command,
            row[command],
        )
        for row in rows
        for command in COMMANDS
        if command in row
    ]


CASES = cases()


def test_every_fault_of_the_lab_is_in_the_matrix() -> None:
    judged = {case.fault.partition("=")[0] for case in CASES}
    assert judged == {fault.value for fault in FaultName}
    assert set(FAULTS) == set(FaultName)


def test_every_expected_cause_is_one_of_the_table() -> None:
    assert {case.expected for case in CASES} - {PASSES} <= set(CAUSES)


# --- one lab, one phone; each case begins with an erased phone --------------------------------


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    users = folder / "users.toml"
    users.write_text(USERS)
    with Lab(LabOptions(dir=folder / "lab", phones=1, users_file=users)) as running:
        yield running


@pytest.fixture
def desk(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator["Desk"]:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(enrolment, "RETRIES", RetryPolicy(seconds=float(RETRY_SECONDS)))
    desk = Desk(lab, tmp_path, capsys, monkeypatch)
    desk.wait_at_most(PATIENT)
    yield desk
    lab.faults.clear()


@dataclass
class Desk:
    """Where the commands are typed."""

    lab: Lab
    folder: Path
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    def wait_at_most(self, limits: TimeLimits) -> None:
        """Have the commands wait for the servers no longer than that."""
        for client in (WebServices, Registrar):
            self.patch.setitem(client.__init__.__kwdefaults__, "timeout", limits)
        self.patch.setattr("usbprov.net.deadline.DEFAULT_LIMITS", limits)

    def break_it(self, fault: str, moment: str) -> None:
        """Switch a fault on, now or when what the moment is called after is first done."""
        setting = parse_fault(fault)
        if setting.name.value in SLOW:
            self.wait_at_most(HASTY)
        if moment == "start":
            self.lab.faults.switch_on(setting)
            return
        owner, name = MOMENTS[moment]
        do = getattr(owner, name)

        def broken(*arguments: Any) -> Any:
            self.lab.faults.switch_on(setting)
            return do(*arguments)

        self.patch.setattr(owner, name, broken)

    def run(self, command: str) -> tuple[int, Any]:
        """Run a command; return its exit code and its document."""
        arguments, option, secret = getattr(self, command.replace("-", "_"))()
        self.capture.readouterr()
        reading, writing = os.pipe()
        try:
            os.write(writing, f"{secret}\n".encode())
            os.close(writing)
            code = run([*arguments, *self._servers(), option, str(reading), "--json"])
        finally:
            os.close(reading)
        out, err = self.capture.readouterr()
        assert "internal error" not in err, err
        return code, json.loads(out)

    def _servers(self) -> list[str]:
        facts = self.lab.facts
        return [
            *("--web-services-url", facts.web_services_url, "--ca-file", str(facts.ca_file)),
            *("--registrar", facts.registrar),
        ]

    def provision(self) -> tuple[list[str], str, str]:
        """Erase the phone, and give it to a job."""
        bus = str(self.lab.facts.bus)
        with closing(Settings((bus,), None, 0).find(None).open()) as phone:
            phone.erase(0)
        common = ["--bus", bus, "--ledger", str(self.folder / "ledger.sqlite3")]
        job = ["provision", "--extension", "1001", "--retry-seconds", RETRY_SECONDS]
        return [*common, *job], "--pin-fd", PIN

    def phone_bootstrap(self) -> tuple[list[str], str, str]:
        """Check as a phone with extension and PIN."""
        download = ("--chain-download-url", self.lab.facts.chain_url)
        return ["check", "phone-bootstrap", "--extension", "1001", *download], "--pin-fd", PIN

    def client_auth(self) -> tuple[list[str], str, str]:
        """Check as a computer with a Windows account."""
        user = ("--user", "sip:alice@contoso.test", "--login", LOGIN, "--auth", "ntlm")
        return ["check", "client-auth", *user], "--password-fd", PASSWORD


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_true_cause_comes_first(desk: Desk, case: Case) -> None:
    desk.break_it(case.fault, case.moment)
    code, document = desk.run(case.command)
    if case.expected == PASSES:
        assert code == 0, document
        return
    assert code != 0
    causes = document["error"]["diagnosis"]
    assert causes[0]["id"] == case.expected, document["error"]
    assert all(cause["remedy"] and cause["tell_apart"] for cause in causes)
