"""Every fault of the Web Services against the whole program: error, phone, PIN, secrets, time.

``EXPECTED`` must have every fault, at every moment at which its scope says that it acts: a fault
that is new in the lab fails here until it is judged.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from usbprov.cli.main import run
from usbprov.cli.settings import Settings
from usbprov.engine.job import Job
from usbprov.engine.steps.publish import PublishStep
from usbprov.lab.faults import FAULTS, FaultName, Scope, parse_fault
from usbprov.lab.up import Lab, LabOptions
from usbprov.net.deadline import TimeLimits
from usbprov.phone.contract import Phone, SlotState
from usbprov.webservices.client import WebServices
from usbprov.webservices.session import Answer, HttpSession

PIN = "90210673"
PASSWORD = "Canary-Passw0rd"
USERS = f"""
[[users]]
sip_uri = "sip:alice@contoso.test"
extension = "1001"
pin = "{PIN}"
password = "{PASSWORD}"
"""
SECRETS = (PIN, PASSWORD, "SamlSecurityToken-", "<saml:", "BinarySecret", "CipherValue")
PATIENT, HASTY = TimeLimits(connect=20, answer=20), TimeLimits(connect=20, answer=1.5)
"""A busy machine is no slow server; but a server that never answers is not waited for long."""
MOST_SECONDS = 40.0


class When(Enum):
    """From when on the fault is on."""

    START = "from the start"
    PUBLISH = "when the certificate is asked for"


MOMENTS = {
    Scope.HANDSHAKE: {When.START},
    Scope.METADATA: {When.START},
    Scope.PIN_TICKET: {When.START},
    Scope.TICKET: {When.START},
    Scope.PUBLISH: {When.START},
    Scope.CHAIN: {When.START},
    Scope.EVERYTHING: {When.START},
    Scope.POST: {When.START, When.PUBLISH},
    Scope.REQUEST: {When.START, When.PUBLISH},
}
"""When a fault of each scope can strike; from the start, POST faults strike the PIN's request."""


@dataclass(frozen=True)
class Case:
    """A fault, when it comes, and what must come of it.

    Attributes:
        code: Of the error; None where the job succeeds all the same.
        exit_code: Of the program.
        words: What the error must say.
        argument: What goes with the fault's name.
        options: More options of the command.
        attempts: How often GetAndPublishCert is asked for, where that is certain.
    """

    code: str | None = None
    exit_code: int = 0
    words: str = ""
    argument: str = ""
    when: When = When.START
    options: tuple[str, ...] = ()
    attempts: int | None = None


def at_publish(code: str | None, exit_code: int, words: str = "", **more: Any) -> Case:
    return Case(code, exit_code, words, when=When.PUBLISH, **more)


EXPECTED: dict[FaultName, tuple[Case, ...]] = {
    # --- TLS
    FaultName.INCOMPLETE_CHAIN: (Case("TLS-01", 6, "local issuer"),),
    FaultName.UNKNOWN_ROOT: (Case("TLS-01", 6, "issuer"),),
    FaultName.SHA1_CHAIN: (Case("TLS-01", 6, "too weak"),),
    FaultName.EXPIRED_SERVER_CERT: (Case("TLS-03", 6, "expired"),),
    FaultName.WRONG_NAME: (Case("TLS-02", 6, "mismatch"),),
    FaultName.WRONG_ORDER: (Case(),),
    FaultName.TLS10_ONLY: (
        Case("TLS-04", 6, "protocol version"),
        Case(options=("--allow-old-tls", "localhost")),
        Case("TLS-04", 6, options=("--allow-old-tls", "localhost.evil.test")),
    ),
    # --- HTTP
    FaultName.SLOW: (
        Case(argument="0.2"),
        Case("WEB-02", 5, "did not answer within 1.", argument="600"),
        at_publish("WEB-02", 5, argument="600"),
    ),
    FaultName.DROP_CONNECTION: (
        Case("WEB-01", 5, "broke"),
        at_publish("WEB-01", 5, "times"),
        at_publish(None, 0, argument="1", attempts=2),
    ),
    FaultName.DROP_ANSWER: (
        Case("WEB-01", 5, "broke"),
        at_publish("WEB-01", 5, "times"),
        at_publish(None, 0, argument="1", attempts=2),
    ),
    FaultName.HTML_500: (
        Case("WEB-03", 5, "HTTP status 500"),
        at_publish("WEB-03", 5, "times"),
        at_publish(None, 0, argument="1", attempts=2),
    ),
    FaultName.BUSY: (
        Case("WEB-10", 5, "too busy"),
        at_publish("WEB-10", 5, "times"),
        at_publish(None, 0, argument="1", attempts=2),
    ),
    FaultName.GARBAGE_XML: (Case("WEB-07", 8), at_publish("WEB-07", 8, attempts=1)),
    FaultName.DTD: (Case("WEB-07", 8, "DTD"), at_publish("WEB-07", 8, attempts=1)),
    FaultName.HUGE_ANSWER: (Case("WEB-07", 8, "larger"), at_publish("WEB-07", 8, attempts=1)),
    FaultName.GZIP_BOMB: (Case("WEB-07", 8, "larger"), at_publish("WEB-07", 8, attempts=1)),
    FaultName.ENDLESS_BODY: (Case("WEB-02", 5), at_publish("WEB-02", 5)),
    FaultName.REDIRECT_LOOP: (Case("WEB-15", 4, "no end"), at_publish("WEB-15", 4, attempts=1)),
    FaultName.REDIRECT_ELSEWHERE: (
        Case("WEB-15", 4, "elsewhere.contoso.test"),
        at_publish("WEB-15", 4, "elsewhere.contoso.test", attempts=1),
    ),
    FaultName.LOOP_401: (Case("WEB-05", 7), at_publish("WEB-05", 7, attempts=1)),
    # --- tickets
    FaultName.AUTH_OFF: (Case("WEB-08", 4, argument="pin"), Case(argument="windows")),
    FaultName.PIN_LOCKED: (Case("WEB-12", 7, "locked"),),
    FaultName.PIN_UNSET: (Case("WEB-13", 7, "No PIN"),),
    FaultName.PIN_EXPIRED: (Case("WEB-13", 7, "expired"),),
    FaultName.NUMBER_SHARED: (Case("WEB-14", 7, "share"),),
    FaultName.WRONG_CONTEXT: (Case("WEB-07", 8, "another request"),),
    # --- publishing
    FaultName.STORE_UNREACHABLE: (Case("WEB-09", 5, "times"), Case(argument="1", attempts=2)),
    FaultName.STORE_FLAPPING: (Case(attempts=2),),
    FaultName.REGISTRAR_DOWN: (Case("WEB-11", 5, "times"), Case(argument="1", attempts=2)),
    FaultName.TICKET_EXPIRED: (Case("WEB-05", 7, attempts=1),),
    FaultName.CLOCK_SKEW: (
        Case("CHK-01", 8, "not valid now", argument="7200"),
        Case(argument="-20"),
    ),
    # --- what is issued
    FaultName.WRONG_KEY: (Case("CHK-01", 8, "another key", attempts=1),),
    FaultName.WRONG_USER: (Case("CHK-01", 8, "not for alice", attempts=1),),
    FaultName.SHORT_VALIDITY: (
        Case("CHK-01", 8, "minutes only", argument="30"),
        Case(argument="90"),
    ),
    FaultName.EXPIRED_CERT: (Case("CHK-01", 8, "not valid now", attempts=1),),
    FaultName.TWO_CERTS: (Case("WEB-07", 8, "2 certificates", attempts=1),),
    FaultName.BAD_BASE64: (Case("WEB-07", 8, "is none", attempts=1),),
    FaultName.WRONG_REQUEST_ID: (Case("WEB-07", 8, "another request", attempts=1),),
    # --- what a job does without
    FaultName.CHAIN_DOWNLOAD_OFF: (Case(),),
}
CASES = [(name, case) for name, cases in EXPECTED.items() for case in cases]


def test_every_fault_is_judged_at_every_moment_at_which_it_strikes() -> None:
    assert set(EXPECTED) == {n for n, kind in FAULTS.items() if kind.scope is not Scope.REGISTER}
    for name, cases in EXPECTED.items():
        assert {case.when for case in cases} == MOMENTS[FAULTS[name].scope], name


# --- the station: one lab and one phone, which is erased for each case -------------------------


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    users = folder / "users.toml"
    users.write_text(USERS)
    with Lab(LabOptions(dir=folder / "lab", phones=1, users_file=users)) as running:
        yield running


@dataclass
class Ended:
    """A run of the program within this process."""

    code: int
    document: Any
    texts: str
    seconds: float


@dataclass
class Station:
    """The computer at which the technician types."""

    lab: Lab
    folder: Path
    capture: pytest.CaptureFixture[str]
    log: pytest.LogCaptureFixture
    posts: list[str]

    def run(self, *arguments: str) -> Ended:
        self.capture.readouterr()
        bus, ledger = str(self.lab.facts.bus), str(self.folder / "ledger.sqlite3")
        began = time.monotonic()
        code = run(["--bus", bus, "--ledger", ledger, *arguments, "--json"])
        seconds = time.monotonic() - began
        out, err = self.capture.readouterr()
        assert "internal error" not in err, err
        return Ended(code, json.loads(out), out + err, seconds)

    def provision(self, *options: str) -> Ended:
        facts = self.lab.facts
        reading, writing = os.pipe()
        try:
            os.write(writing, f"{PIN}\n".encode())
            os.close(writing)
            return self.run(
                *("provision", "--extension", "1001", "--pin-fd", str(reading)),
                *("--web-services-url", facts.web_services_url, "--ca-file", str(facts.ca_file)),
                *("--retry-seconds", "0.8", *options),
            )
        finally:
            os.close(reading)

    @contextmanager
    def phone(self) -> Iterator[Phone]:
        """Talk to the phone itself, past the program."""
        settings = Settings((str(self.lab.facts.bus),), None, 0)
        with closing(settings.find(None).open()) as phone:
            yield phone

    def slot(self) -> SlotState:
        with self.phone() as phone:
            return phone.info().slots[0]

    def told(self, ended: Ended) -> str:
        """Everything that the run has left anywhere, as text."""
        kept = [file.read_bytes() for file in self.folder.iterdir() if file.is_file()]
        return ended.texts + self.log.text + b"".join(kept).decode("latin-1")

    def count(self, part: str) -> int:
        return sum(part in url for url in self.posts)

    def pin_failures(self) -> int:
        """Count the wrong PINs that the lab has counted for its user."""
        (store,) = (self.folder_of_lab / "stores").glob("*.sqlite")
        connection = sqlite3.connect(store)
        try:
            return int(
                connection.execute("SELECT coalesce(sum(failures), 0) FROM pin_failure").fetchone()[
                    0
                ]
            )
        finally:
            connection.close()

    @property
    def folder_of_lab(self) -> Path:
        return self.lab.facts.ca_file.parents[1]


@pytest.fixture
def station(
    lab: Lab,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Station]:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setitem(WebServices.__init__.__kwdefaults__, "timeout", PATIENT)
    posts: list[str] = []
    send = HttpSession.post

    def post(session: HttpSession, url: str, body: bytes, *rest: Any, **more: Any) -> Answer:
        posts.append(url)
        return send(session, url, body, *rest, **more)

    monkeypatch.setattr(HttpSession, "post", post)
    caplog.set_level("DEBUG", "usbprov")
    made = Station(lab, tmp_path, capsys, caplog, posts)
    with made.phone() as phone:
        phone.erase(0)
    yield made
    lab.faults.clear()


def switch_on(station: Station, name: FaultName, case: Case, patch: pytest.MonkeyPatch) -> None:
    setting = parse_fault("=".join(filter(None, (name.value, case.argument))))
    if case.code == "WEB-02":
        patch.setitem(WebServices.__init__.__kwdefaults__, "timeout", HASTY)
    if case.when is When.START:
        station.lab.faults.switch_on(setting)
        return
    publish = PublishStep.run

    def run_with_fault(step: PublishStep, job: Job) -> str:
        station.lab.faults.switch_on(setting)
        return publish(step, job)

    patch.setattr(PublishStep, "run", run_with_fault)


@pytest.mark.parametrize(
    ("name", "case"),
    CASES,
    ids=[f"{n.value}{c.argument and '='}{c.argument}-{c.when.name}-{c.code}" for n, c in CASES],
)
def test_the_fault_is_met_as_it_should_be(
    station: Station, monkeypatch: pytest.MonkeyPatch, name: FaultName, case: Case
) -> None:
    assert station.slot() == SlotState(0)
    with monkeypatch.context() as patch:
        switch_on(station, name, case, patch)
        ended = station.provision(*case.options)
    if case.code is None:
        succeeded(station, ended)
    else:
        failed(station, ended, case)
    assert ended.seconds < MOST_SECONDS
    assert station.count("/pin") <= 1
    assert case.attempts in {None, station.count("WebTicket_Proof")}
    assert station.pin_failures() == 0
    for secret in SECRETS:
        assert secret not in station.told(ended)
    if case.code is not None:
        repeated(station, ended)


def succeeded(station: Station, ended: Ended) -> None:
    assert ended.code == 0, ended.texts
    assert ended.document["outcome"] == "provisioned"
    assert ended.document["proof"]["possession"] is True
    assert station.slot().active_certificate == ended.document["certificate"]["sha256"]


def failed(station: Station, ended: Ended, case: Case) -> None:
    error = ended.document["error"]
    assert (error["code"], ended.code) == (case.code, case.exit_code), ended.texts
    assert error["exit_code"] == ended.code
    assert error["retryable"] == (case.exit_code == 5)
    assert case.words.lower() in error["message"].lower()
    assert f"error {case.code}: " in ended.texts
    assert "what to do:" in ended.texts
    assert station.slot().active_certificate is None
    assert (ended.document["steps"][-1]["state"], ended.document["outcome"]) == ("failed", "failed")
    if case.exit_code == 6:
        presented = error["facts"]["presented"]
        assert presented
        assert all("SHA-256" in line for line in presented)
    if "install" in [step["name"] for step in ended.document["steps"]]:
        pytest.fail("the phone was written to")


def repeated(station: Station, ended: Ended) -> None:
    """Without the fault, the same command goes on with what there is, and comes to its end."""
    key = station.slot().pending_key
    station.lab.faults.clear()
    station.posts.clear()
    again = station.provision()
    succeeded(station, again)
    assert station.count("/pin") <= 1
    if key is not None:
        assert again.document["job"] == ended.document["job"]
        assert again.document["certificate"]["key_sha256"] == key.sha256


# --- exceptions and forms of a site --------------------------------------------------------------

FORM = """
[namespaces]
wsse = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
[[element]]
path = "wsse:Security/wsse:UsernameToken/wsse:Username"
value = "extension"
encoding = "base64"
[[element]]
path = "wsse:Security/wsse:UsernameToken/wsse:Password"
value = "pin"
encoding = "{encoding}"
"""


def settings(folder: Path, text: str) -> None:
    (folder / "usbprov").mkdir()
    (folder / "usbprov" / "config.toml").write_text(text)


def test_an_exception_from_tls_is_shown_in_plan_and_report(station: Station) -> None:
    option = ("--allow-old-tls", "localhost")
    planned = station.provision("--dry-run", *option)
    intents = {step["name"]: step["intent"] for step in planned.document["plan"]}
    assert "older TLS is allowed for localhost (TLS 1.0 or newer)" in intents["publish"]
    assert planned.document["old_tls"] == ["localhost (TLS 1.0 or newer)"]
    assert station.provision(*option).document["old_tls"] == ["localhost (TLS 1.0 or newer)"]


def test_the_settings_file_may_except_one_server(station: Station) -> None:
    station.lab.faults.switch_on(parse_fault("tls10-only"))
    assert station.provision().code == 6
    settings(station.folder, '[servers."localhost"]\nmin_tls = "1.0"\n')
    succeeded(station, station.provision())


def test_a_site_may_have_its_own_form_of_the_pin(station: Station) -> None:
    """The lab takes both values in base64, but not one alone: so it is this form that was sent."""
    settings(station.folder, '[adapters]\npin = "pin.toml"\n')
    form = station.folder / "usbprov" / "pin.toml"
    form.write_text(FORM.format(encoding="text"))
    assert station.provision().document["error"]["code"] == "WEB-05"
    form.write_text(FORM.format(encoding="base64"))
    succeeded(station, station.provision())


def test_a_form_that_cannot_be_used_is_told_before_anything_is_sent(station: Station) -> None:
    settings(station.folder, '[adapters]\npin = "none.toml"\n')
    ended = station.provision()
    assert (ended.code, ended.document["error"]["code"]) == (2, "CLI-02")
    assert "none.toml" in ended.texts
    assert station.posts == []
