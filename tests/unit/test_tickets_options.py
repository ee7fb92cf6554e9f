"""The options by which a command is told how to prove the user."""

import io
import os

import pytest

from usbprov.cli.credentials import CredentialOptions, credential_order, secret_of
from usbprov.cli.main import run
from usbprov.errors import ExitCode, UsageError
from usbprov.net.credentials import Way

Given = CredentialOptions


@pytest.mark.parametrize(
    ("given", "ways", "name"),
    [
        (Given(extension="1001"), [Way.PIN], "1001"),
        (Given(login="CONTOSO\\alice"), [Way.NEGOTIATE, Way.NTLM, Way.PASSWORD], "CONTOSO\\alice"),
        (Given(), [Way.CERTIFICATE, Way.KERBEROS], None),
        (Given("pin", extension="1001"), [Way.PIN], "1001"),
        (Given("ntlm", login="alice"), [Way.NTLM], "alice"),
        (Given("password", login="alice", password_stdin=True), [Way.PASSWORD], "alice"),
        (Given("kerberos"), [Way.KERBEROS], None),
        (Given("kerberos", login="alice@CONTOSO.TEST"), [Way.KERBEROS], "alice@CONTOSO.TEST"),
        (Given("negotiate"), [Way.NEGOTIATE], None),
        (Given("negotiate", login="alice"), [Way.NEGOTIATE], "alice"),
        (Given("certificate"), [Way.CERTIFICATE], None),
    ],
)
def test_what_is_given_says_what_is_tried(
    given: CredentialOptions, ways: list[Way], name: str | None
) -> None:
    order = credential_order(given)
    assert list(order.ways) == ways
    assert order.name == name


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Given(extension="1001"), "--extension is given"),
        (Given(login="alice"), "--login is given"),
        (Given(), "neither --extension nor --login"),
        (Given("ntlm", login="alice"), "--auth ntlm is given"),
    ],
)
def test_the_reason_is_said(given: CredentialOptions, words: str) -> None:
    assert words in credential_order(given).because


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (Given("pin"), "--auth pin needs --extension"),
        (Given("ntlm"), "--auth ntlm needs --login"),
        (Given("password"), "--auth password needs --login"),
        (Given("pin", login="alice"), "--auth pin needs --extension"),
        (Given("ntlm", extension="1001"), "--auth ntlm needs --login"),
        (Given("kerberos", extension="1001"), "--auth kerberos and --extension do not go"),
        (Given("certificate", login="alice"), "--auth certificate and --login do not go"),
        (Given("certificate", extension="1001"), "--auth certificate and --extension do not go"),
        (Given(extension="1001", login="alice"), "--extension and --login do not go together"),
        (Given(pin_stdin=True), "a PIN needs --extension"),
        (Given(login="alice", pin_fd=3), "a PIN needs --extension"),
        (Given("kerberos", password_stdin=True), "a password needs --login"),
        (Given(extension="1001", password_fd=3), "a password needs --login"),
    ],
)
def test_contradictions_are_refused(given: CredentialOptions, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        credential_order(given)


@pytest.mark.parametrize(
    "given",
    [
        Given(extension="1", pin_stdin=True, pin_fd=3),
        Given(login="a", password_stdin=True, password_fd=3),
    ],
)
def test_two_sources_of_one_secret_are_refused(given: CredentialOptions) -> None:
    with pytest.raises(UsageError, match=r"-stdin and --\w+-fd do not go together"):
        secret_of(given, None)


@pytest.mark.parametrize("option", ["pin", "password"])
def test_the_secret_is_read_when_it_is_asked_for(option: str) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as end, os.fdopen(reading, "rb", buffering=0) as beginning:
        number = beginning.fileno()
        owner = {"extension": "1001"} if option == "pin" else {"login": "alice"}
        descriptor = {f"{option}_fd": number}
        secret = secret_of(Given(**owner, **descriptor), None)
        end.write(b"S3cret canary\r\n")
        end.flush()
        assert secret() == "S3cret canary"


@pytest.mark.parametrize("typed", [b"", b"\n", b"\xff\n"])
def test_no_password_to_be_had(typed: bytes) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as beginning:
        with os.fdopen(writing, "wb") as end:
            end.write(typed)
        with pytest.raises(UsageError, match="password"):
            secret_of(Given(login="alice", password_fd=beginning.fileno()), None)()


def test_no_prompt_for_a_password_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(UsageError, match="--password-stdin or --password-fd"):
        secret_of(Given(login="alice"), None)()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--auth", "pin"],
        ["--auth", "ntlm"],
        ["--extension", "1001", "--login", "alice"],
        ["--extension", "1001", "--password", "canary"],
        ["--login", "alice", "--password", "canary"],
        ["--auth", "basic", "--login", "alice"],
    ],
)
def test_bad_usage_is_told_before_any_phone_is_looked_for(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--bus", "usbip://127.0.0.1:1", "provision", "--web-services-url", "https://x/"]
    assert run([*command, *arguments]) == ExitCode.USAGE
    told = capsys.readouterr()
    assert "canary" not in told.out + told.err.replace("--password", "")


def test_help_names_no_option_that_takes_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["provision", "--help"]) == ExitCode.DONE
    told = capsys.readouterr().out
    assert "--password-stdin" in told
    assert "--pin " not in told
    assert "--password " not in told
