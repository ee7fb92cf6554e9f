"""A job that failed is bundled, lab and phones go, and the replay fails as the job did."""

import json
import signal
import socket
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from processes import Ended, Station, station, wait_for
from test_phone_returns import pull_and_plug
from test_provision_serial import line

from usbprov.engine.replay import recorded_ending, replay
from usbprov.tape.bundle import read_bundle
from usbprov.tape.events import Kind

LONG = ("--retry-seconds", "2")


@dataclass(frozen=True)
class Case:
    """A job that ends in a certain way: lab and phone, command line, step and code."""

    options: tuple[str, ...]
    arguments: tuple[str, ...]
    step: str
    code: str
    pin: str | None = None
    registrar: bool = False


def fault(name: str) -> tuple[str, ...]:
    return ("--fault", name)


def personality(name: str) -> tuple[str, ...]:
    return ("--personality", name)


CASES = {
    "store unreachable": Case(fault("store-unreachable"), LONG, "publish", "WEB-09"),
    "wrong PIN": Case((), (), "ticket", "WEB-05", pin="000000"),
    "certificate for another key": Case(fault("wrong-key"), (), "check", "CHK-01"),
    "certificate that has expired": Case(fault("expired-cert"), (), "check", "CHK-01"),
    "answer to another request": Case(fault("wrong-request-id"), (), "publish", "WEB-07"),
    "ticket for another request": Case(fault("wrong-context"), (), "ticket", "WEB-07"),
    "answer that is no XML": Case(fault("garbage-xml"), (), "ticket", "WEB-07"),
    "connection that breaks": Case(fault("drop-answer"), LONG, "ticket", "WEB-01"),
    "web page in place of SOAP": Case(fault("html-500"), (), "ticket", "WEB-03"),
    "PIN that is locked": Case(fault("pin-locked"), (), "ticket", "WEB-12"),
    "server that nobody trusts": Case(fault("unknown-root"), (), "ticket", "TLS-01"),
    "Registrar that does not know it": Case(
        fault("certificate-not-found"), LONG, "sign in", "SIP-05", registrar=True
    ),
    "Registrar that proves nothing": Case(
        fault("unsigned-200"), LONG, "sign in", "SIP-10", registrar=True
    ),
    "phone whose slot is taken": Case(personality("occupied"), (), "plan", "PHN-03"),
}


def told(ended: Ended) -> tuple[str, str]:
    document = ended.document
    return document["steps"][-1]["name"], document["error"]["code"]


def bundled(at: Station, *arguments: str) -> Path:
    file = at.folder / "trouble.zip"
    made = at.run("support-bundle", str(file), *arguments)
    assert made.code == 0, made.err
    assert file.stat().st_mode & 0o777 == 0o600
    return file


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_failure_is_the_same_without_any_server(tmp_path: Path, case: Case) -> None:
    with station(tmp_path, options=case.options) as at:
        registrar = ["--registrar", at.facts["registrar"]] if case.registrar else []
        failed = at.provision("--json", *case.arguments, *registrar, pin=case.pin)
        assert told(failed) == (case.step, case.code), failed.err
        file = bundled(at)
    again = at.run("replay", str(file), "--test", "--json")
    assert again.code == 0, again.err
    document = again.document
    assert document["outcome"] == "same"
    assert (document["replayed"]["step"], document["replayed"]["code"]) == (case.step, case.code)
    shown = at.run("replay", str(file))
    assert shown.code == 0
    assert f"ended: {case.code} in step {case.step}" in shown.out
    assert "what to do:" in shown.err


@pytest.mark.parametrize(
    "options", [(), personality("no-keygen"), personality("clock-behind"), personality("old-roots"),
                personality("small-buffers")]
)  # fmt: skip
def test_a_job_that_went_well_goes_well_again(tmp_path: Path, options: tuple[str, ...]) -> None:
    with station(tmp_path, options=options) as at:
        assert at.provision("--json", "--registrar", at.facts["registrar"]).code == 0
        file = bundled(at)
    again = at.run("replay", str(file), "--test")
    assert again.code == 0, again.err
    assert "ended as recorded: provisioned" in again.out
    assert "✓ prove" in again.out
    assert "✓ sign in" in again.out


def test_over_a_serial_line_it_is_the_same(tmp_path: Path) -> None:
    with station(tmp_path, phones=0) as at, line(at, "chatty", "no-keygen"):
        assert at.provision("--json").code == 0
        file = bundled(at)
    again = at.run("replay", str(file), "--test")
    assert again.code == 0, again.err


def stop(at: Station, log: Path, words: str, end: Callable[[], None] | int) -> int:
    """Begin a job and end it when the log has ``words``: by a signal, or otherwise."""
    with at.provisioning(log=log) as process:
        wait_for(lambda: log.exists() and words in log.read_text(), f"{words!r} in the log")
        if callable(end):
            end()
        else:
            process.send_signal(end)
        process.communicate(timeout=60)
    return process.returncode


@pytest.mark.parametrize(
    ("words", "how", "step", "code"),
    [
        pytest.param("PUT", "pull", "install", "JOB-01", id="pulled in the transfer"),
        pytest.param("JOB", "pull", "key", "JOB-01", id="pulled in the key's making"),
        pytest.param("JOB", signal.SIGINT, "key", "JOB-01", id="stopped by the user"),
        pytest.param("JOB", signal.SIGKILL, "key", "killed", id="killed"),
    ],
)
def test_an_interrupted_job_is_interrupted_again_and_so_is_not_its_repeat(
    tmp_path: Path, words: str, how: str | int, step: str, code: str
) -> None:
    slow = [*personality("keygen-seconds=1.5"), *personality("latency=0.05")]
    with station(tmp_path, options=[*slow, *personality("small-buffers")]) as at:
        stop(at, tmp_path / "debug.log", words, at.pull if how == "pull" else int(how))
        interrupted = bundled(at).rename(tmp_path / "interrupted.zip")
        if how == "pull":
            at.plug(1)
        assert at.provision("--json").code == 0
        repeated = bundled(at, "--job", "1")
    again = at.run("replay", str(interrupted), "--test", "--json")
    assert again.code == 0, again.err
    replayed = again.document["replayed"]
    assert (replayed["step"], replayed["code"]) == (step, code)
    second = at.run("replay", str(repeated), "--test", "--json")
    assert second.code == 0, second.err
    assert second.document["replayed"]["code"] == "provisioned"
    marks = {entry["step"]: entry["mark"] for entry in second.document["steps"]}
    assert marks["key"] == ("skipped" if words == "PUT" else marks["key"])


def test_a_phone_that_came_back_comes_back_at_once(tmp_path: Path) -> None:
    slow = [*personality("keygen-seconds=1"), *personality("latency=0.05")]
    with station(tmp_path, options=slow) as at:
        pull_and_plug(at, tmp_path / "debug.log", "JOB")
        file = bundled(at)
    again = at.run("replay", str(file), "--test")
    assert again.code == 0, again.err
    assert "waiting 50 s for it to come back" in again.out
    assert "ended as recorded: provisioned" in again.out


def test_neither_socket_nor_device_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with station(tmp_path) as at:
        assert at.provision("--json").code == 0
        file = bundled(at)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket in a replay")

    for way_out in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, way_out, refuse, raising=False)
    tape = read_bundle(file).tape()
    assert replay(tape, lambda _: None).same_as(recorded_ending(tape))


def changed(file: Path, change: Callable[[list[dict[str, object]]], None]) -> Path:
    """Write the bundle anew, with another tape and a manifest that does not give it away."""
    from usbprov.tape.bundle import MANIFEST, TAPE, write_bundle

    with zipfile.ZipFile(file) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    events = [json.loads(text) for text in members[TAPE].splitlines()]
    change(events)
    members[TAPE] = "".join(json.dumps(event) + "\n" for event in events).encode()
    manifest = json.loads(members[MANIFEST])
    del manifest["files"][TAPE]
    from hashlib import sha256

    manifest["files"][TAPE] = sha256(members[TAPE]).hexdigest()
    members[MANIFEST] = json.dumps(manifest).encode()
    other = file.with_name("changed.zip")
    write_bundle(other, members)
    return other


def test_a_replay_that_ends_otherwise_is_told_with_the_difference(tmp_path: Path) -> None:
    with station(tmp_path, options=fault("store-unreachable")) as at:
        at.provision("--json", *LONG)
        file = bundled(at)

    def mend(events: list[dict[str, object]]) -> None:
        ended = next(e for e in events if e["kind"] == Kind.ENDED)
        ended["error"] = {"code": "WEB-03", "facts": {}, "message": "HTTP status 500"}

    again = at.run("replay", str(changed(file, mend)), "--test", "--json")
    assert again.code == 8
    assert again.document["error"]["code"] == "TAP-04"
    assert "recorded: WEB-03 in step publish (HTTP status 500)" in again.err
    assert "replayed: WEB-09 in step publish" in again.err

    def shorten(events: list[dict[str, object]]) -> None:
        first = next(i for i, e in enumerate(events) if e.get("port") == "http")
        del events[first : first + 2]

    again = at.run("replay", str(changed(file, shorten)), "--test")
    assert again.code == 8
    assert "TAP-03 in step ticket (the replay left the tape: http is to have GET" in again.err


def test_an_altered_bundle_is_noticed(tmp_path: Path) -> None:
    with station(tmp_path) as at:
        assert at.provision("--json").code == 0
        file = bundled(at)
    with zipfile.ZipFile(file) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    from usbprov.tape.bundle import write_bundle

    for name in ("tape.jsonl", "ledger.json"):
        write_bundle(file, members | {name: members[name] + b"\n"})
        refused = at.run("replay", str(file))
        assert refused.code == 2
        assert f"{name} is not as the manifest says" in refused.err


def test_a_job_that_was_not_recorded_has_a_bundle_without_a_tape(tmp_path: Path) -> None:
    with station(tmp_path) as at:
        empty = at.run("support-bundle", str(tmp_path / "a.zip"))
        assert (empty.code, empty.err.split()[1]) == (2, "TAP-02:")
        assert at.provision("--json", "--no-tape").code == 0
        made = at.run("support-bundle", str(tmp_path / "a.zip"), "--json")
        assert made.document["taped"] is False
        assert "tape.jsonl" not in made.document["files"]
        assert at.run("replay", str(tmp_path / "a.zip")).code == 2
        assert at.run("support-bundle", str(tmp_path / "a.zip"), "--job", "7").code == 2
        assert not at.ledger.with_name("ledger.sqlite3.tapes").exists()


def test_the_last_run_that_failed_is_the_one_that_is_bundled(tmp_path: Path) -> None:
    with station(tmp_path, phones=2) as at:
        at.provision("1-1", "--json", pin="000000")
        assert at.provision("1-2", "--json").code == 0
        made = at.run("support-bundle", str(tmp_path / "a.zip"), "--json").document
        assert made["job"] == 1
        made = at.run("support-bundle", str(tmp_path / "b.zip"), "--job", "2", "--json").document
        assert made["job"] == 2
        shown = at.run("-v", "replay", str(tmp_path / "b.zip"))
        assert "GetAndPublishCert" in shown.out
        assert "COMMIT" in shown.out
