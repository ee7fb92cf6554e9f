"""The command line without phones or servers: settings, secrets, errors, exit codes."""

import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from usbprov.cli.failure import end_thread
from usbprov.cli.main import COMMANDS, run
from usbprov.cli.secret import secret_source
from usbprov.errors import ExitCode, ServerBusy, UsageError
from usbprov.webservices.discovery.report import Discovery, Outcome, Source, SourceReport


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == ExitCode.DONE
    assert capsys.readouterr().out.startswith("Usage: usbprov " + command)


def test_did_you_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["provison"]) == ExitCode.USAGE
    assert "Did you mean 'provision'?" in capsys.readouterr().err


def test_an_option_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "--jason"]) == ExitCode.USAGE
    assert "--json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bus = [", "config.toml"),
        ("bsu = ['kernel']", "unknown key 'bsu'"),
        ("[ledger.list]\nlats = 3", "unknown key 'lats' in [ledger.list]"),
        ("[ledger]\nfoo = 3", "unknown key 'foo' in [ledger]"),
    ],
)
def test_settings_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    assert run(["--config", str(file), "ledger", "list"]) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert "CLI-02" in error
    assert words in error


def test_a_settings_file_that_is_not_there(tmp_path: Path) -> None:
    assert run(["--config", str(tmp_path / "none"), "ledger", "list"]) == ExitCode.USAGE


def test_settings_give_defaults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "usbprov").mkdir()
    (tmp_path / "usbprov" / "config.toml").write_text("bus = ['carrier-pigeon://loft']")
    assert run(["list"]) == ExitCode.USAGE
    assert "carrier-pigeon" in capsys.readouterr().err


def test_the_environment_gives_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("USBPROV_LEDGER", str(tmp_path / "named.sqlite3"))
    monkeypatch.setenv("USBPROV_LEDGER_LIST_AS_JSON", "1")
    assert run(["ledger", "list"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out) == []
    assert (tmp_path / "named.sqlite3").exists()


def test_an_empty_ledger_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "list"]) == ExitCode.DONE
    assert "empty" in capsys.readouterr().out


def test_an_error_is_told_with_cause_and_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "show", "7"]) == ExitCode.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert "error LED-03: the ledger has no job 7" in told.err
    assert "what to do:" in told.err
    assert "docs/errors.md#led-03" in told.err


def test_an_error_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "show", "7", "--json"]) == ExitCode.USAGE
    document = json.loads(capsys.readouterr().out)
    assert document["outcome"] == "failed"
    assert document["error"]["code"] == "LED-03"
    assert document["error"]["facts"] == {"job": "7"}


def test_a_damaged_ledger_is_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ledger"
    file.write_bytes(b"not a database at all " * 99)
    assert run(["--ledger", str(file), "ledger", "list"]) == ExitCode.INTERNAL
    told = capsys.readouterr().err
    assert "LED-16" in told
    assert "Traceback" not in told


def test_a_bug_is_told_in_a_line_and_in_the_log_without_its_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    typed = "PIN 720511"

    def broken() -> None:
        try:
            int(typed)
        except ValueError as error:
            raise ServerBusy("pool.contoso.test", "try later", None) from error

    def worse() -> None:
        try:
            broken()
        except ServerBusy:
            raise KeyError(typed) from None

    log = tmp_path / "log"
    monkeypatch.setattr("usbprov.phone.registry.drivers", worse)
    assert run(["--log-file", str(log), "drivers", "--json"]) == ExitCode.INTERNAL
    told, kept = capsys.readouterr(), log.read_text()
    assert re.search(r"internal error: KeyError at test_cli\.py:\d+\n", told.err)
    assert re.search(r'"internal error: KeyError at test_cli\.py:\d+"', told.out)
    assert "Traceback" not in told.err
    for words in ("ValueError\n", "ServerBusy: pool.contoso.test", "KeyError\n", "in broken"):
        assert words in kept
    assert "720511" not in told.out + told.err + kept


def test_a_bug_in_a_thread_is_told_as_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise KeyError("720511")
    except KeyError as error:
        end_thread(threading.ExceptHookArgs((KeyError, error, error.__traceback__, None)))
    told = capsys.readouterr().err
    assert "internal error: KeyError at test_cli.py" in told
    assert "720511" not in told


@pytest.mark.parametrize(
    ("arguments", "environment", "code"),
    [
        (["provision", "--json", "--bogus"], {}, "CLI-01"),
        (["ledger", "show", "7"], {"USBPROV_LEDGER_SHOW_AS_JSON": "1"}, "LED-03"),
        (["--log-file", "/nonexistent/x.log", "list", "--json"], {}, "CLI-01"),
        (["ledger", "list", "--last", "9" * 30, "--json"], {}, "CLI-01"),
        (["ledger", "show", "9" * 30, "--json"], {}, "LED-03"),
    ],
)
def test_every_failure_is_json_where_json_is_asked_for(
    arguments: list[str],
    environment: dict[str, str],
    code: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert run(arguments) == ExitCode.USAGE
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] == code


def test_settings_may_be_named_as_the_options_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.toml"
    ledger = tmp_path / "elsewhere.sqlite3"
    file.write_text(f'ledger = "{ledger}"')
    assert run(["--config", str(file), "ledger", "list"]) == ExitCode.DONE
    assert ledger.exists()
    file.write_text("[ledger.list]\njson = true")
    assert run(["--config", str(file), "ledger", "list"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out.partition("\n")[2]) == []


def test_ctrl_c_outside_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("usbprov.phone.registry.drivers", interrupted)
    assert run(["drivers", "--json"]) == ExitCode.INTERRUPTED


@pytest.mark.parametrize(
    "arguments",
    [
        ["provision", "--extension", "1001"],
        ["provision", "--web-services-url", "https://x/", "--auth", "pin"],
        ["provision", "--extension", "1", "--web-services-url", "https://x/", "--user", "alice"],
        ["provision", "--extension", "1", "--web-services-url", "https://x/", "--user", "a b@c"],
        ["provision", "--extension", "1", "--pin", "7205"],
        ["provision", "--extension", "1", "--web-services-url", "x", "--pin-stdin", "--pin-fd=3"],
        ["--bus", "usbip://", "list"],
    ],
)
def test_bad_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == ExitCode.USAGE
    assert "7205" not in capsys.readouterr().out


@pytest.mark.parametrize("vouched", [True, False])
def test_provision_finds_the_web_services_but_trusts_only_proof(
    vouched: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "https://pool.contoso.test/"
    report = SourceReport(Source.DHCP, Outcome.ANSWERED, url=url, vouched=vouched)
    asked = []
    monkeypatch.setattr(
        "usbprov.webservices.discovery.finder.discover",
        lambda request: asked.append(request) or Discovery(request, (report,), {}, report),
    )
    arguments = ["--bus", "usbip://127.0.0.1:1", "provision", "--extension", "1", "--discover"]
    code = run([*arguments, "--user", "sip:alice@contoso.test"])
    error = capsys.readouterr().err
    assert asked[0].sip_domain == "contoso.test"
    assert code == (ExitCode.PHONE if vouched else ExitCode.USAGE)  # the bus is not there
    assert ("https://pool.contoso.test" in error) is not vouched


@pytest.mark.parametrize(
    ("written", "pin"),
    [(b"7205\n", "7205"), (b"7205", "7205"), (b"7205\r\nmore\n", "7205"), (b" 72\n", " 72")],
)
def test_a_pin_is_the_first_line(pipe: tuple[int, int], written: bytes, pin: str) -> None:
    os.write(pipe[1], written)
    os.close(pipe[1])
    assert secret_source("PIN", stdin=False, descriptor=pipe[0], who="x")() == pin


@pytest.mark.parametrize("written", [b"", b"\n", b"\xff\n"])
def test_no_pin_to_be_had(pipe: tuple[int, int], written: bytes) -> None:
    os.write(pipe[1], written)
    os.close(pipe[1])
    with pytest.raises(UsageError):
        secret_source("PIN", stdin=False, descriptor=pipe[0], who="x")()


def test_a_descriptor_that_is_not_open(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    with pytest.raises(UsageError, match="--pin-fd"):
        secret_source("PIN", stdin=False, descriptor=pipe[0], who="x")()


def test_nothing_is_read_before_the_pin_is_needed(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], b"7205\n")
    secret_source("PIN", stdin=False, descriptor=pipe[0], who="x")
    assert os.read(pipe[0], 10) == b"7205\n"


def test_no_prompt_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(UsageError, match="--pin-stdin"):
        secret_source("PIN", stdin=False, descriptor=None, who="x")()


def test_an_error_that_nobody_reads_is_no_traceback(pipe: tuple[int, int], tmp_path: Path) -> None:
    os.close(pipe[0])  # as `| head -0` does
    program = [sys.executable, "-m", "usbprov", "--ledger", str(tmp_path / "ledger")]
    command = [*program, "ledger", "show", "99", "--json"]
    ended = subprocess.run(command, check=False, stdout=pipe[1], stderr=subprocess.PIPE)
    assert ended.returncode == ExitCode.USAGE
    assert b"LED-03" in ended.stderr
    assert b"Traceback" not in ended.stderr
