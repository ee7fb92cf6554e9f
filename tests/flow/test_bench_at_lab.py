"""A bench as its operator runs it: a lab with phones, a roster, and the program."""

import contextlib
import csv
import http.client
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from board_client import link_in, session
from cryptography import x509
from processes import STARTED, Ended, Station, station

from usbprov.bench.report.document import moment
from usbprov.cli.main import run
from usbprov.lab.registrar.signins import sign_ins
from usbprov.lab.store import published
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState
from usbprov.phone.endpoint import endpoint_of

COUNT = 8

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def eight(tmp_path: Path) -> Iterator[Station]:
    with station(tmp_path, phones=COUNT) as running:
        write_roster(running)
        yield running


def write_roster(at: Station, pins: dict[str, str] | None = None) -> None:
    """Write the lab's users as a roster; ``pins`` are wrong ones, by extension."""
    wrong = pins or {}
    lines = [
        f"{u['extension']},{u['sip_uri']},{wrong.get(u['extension'], u['pin'])}"
        for u in at.facts["users"]
    ]
    (at.folder / "users.csv").write_text("\n".join(["extension,sip address,pin", *lines]) + "\n")


def arguments(at: Station, *extra: str) -> list[str]:
    facts = at.facts
    servers = ["--web-services-url", facts["web_services_url"], "--ca-file", facts["ca_file"]]
    roster = str(at.folder / "users.csv")
    registrar = ["--registrar", facts["registrar"]]
    return ["bench", "run", roster, *servers, *registrar, "--name", "desk", *extra]


def lines(ended: Ended) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended.out.splitlines()]


def test_all_are_done_and_ledger_store_and_phones_agree(eight: Station) -> None:
    ended = eight.run(*arguments(eight, "--once", "--json"))
    assert ended.code == 0, ended.err
    *views, summary = lines(ended)
    assert summary["view"] == "summary"
    assert (summary["outcome"], summary["done"], summary["unfinished"]) == ("done", COUNT, [])
    done = [v for v in views if v["view"] == "port" and v["state"] == "done: unplug"]
    assert len({v["label"] for v in done}) == COUNT
    assert all(
        v["may_unplug"] == (v["state"] in {"empty", "done: unplug"}) for v in views if "label" in v
    )

    published = {p["sip_uri"]: p["sha256"] for p in eight.published()}
    assert published == {v["user"]: v["thumbprint"] for v in done}
    assert len(published) == COUNT
    for view in done[:2]:
        (slot, *_) = eight.run("info", view["label"], "--json").document["slots"]
        assert slot["active_certificate"] == view["thumbprint"]
    with Ledger(eight.ledger) as ledger:
        assert {job.user for job in ledger.jobs()} == set(published)
        assert {job.state for job in ledger.jobs()} == {JobState.DONE}
    pins = {u["pin"] for u in eight.facts["users"]}
    assert not any(pin in ended.out + ended.err for pin in pins)

    again = eight.run(*arguments(eight, "--once", "--json"))
    assert again.code == 0, again.err
    assert {p["sip_uri"]: p["sha256"] for p in eight.published()} == published


def test_one_wrong_pin_fails_one_phone_and_the_exit_code_says_so(eight: Station) -> None:
    write_roster(eight, {"1001": "999999"})
    ended = eight.run(*arguments(eight, "--once", "--json"))
    assert ended.code == 10
    assert "JOB-03" in ended.err
    *_, summary = lines(ended)
    (failed,) = summary["unfinished"]
    assert failed["trouble"]["code"] == "WEB-05"
    assert failed["trouble"]["remedy"]
    assert summary["done"] == COUNT - 1
    assert "999999" not in ended.out + ended.err


@contextmanager
def running(at: Station, *extra: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        at.command(*arguments(at, "--json", *extra)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=at.environment,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def until_published(at: Station, process: "subprocess.Popen[str]", count: int) -> None:
    """Read the lines until so many phones have come to be published for."""
    assert process.stdout is not None
    seen: set[str] = set()
    for line in process.stdout:
        view = json.loads(line)
        if view.get("step") in {"publish", "install"}:
            seen.add(view["label"])
        if len(seen) >= count:
            return


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_bench_that_was_ended_goes_on_and_does_nothing_twice(
    eight: Station, how: signal.Signals
) -> None:
    with running(eight) as process:
        until_published(eight, process, 2)
        process.send_signal(how)
        process.communicate(timeout=60)
    ended = eight.run(*arguments(eight, "--once", "--json"))
    assert ended.code == 0, ended.err
    *_, summary = lines(ended)
    assert summary["done"] == COUNT
    published = eight.published()
    assert len({p["sip_uri"] for p in published}) == len(published) == COUNT
    with Ledger(eight.ledger) as ledger:
        done = [job for job in ledger.jobs() if job.state is JobState.DONE]
        assert len({job.phone_serial for job in done}) == len({job.user for job in done}) == COUNT


def test_phones_that_lose_power_go_on_when_they_are_back(eight: Station) -> None:
    port = int(eight.bus.rpartition(":")[2])
    with running(eight, "--until", str(COUNT)) as process:
        until_published(eight, process, 3)
        eight.pull()
        eight.plug(COUNT, port=port)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    summary = json.loads(out.splitlines()[-1])
    assert summary["done"] == COUNT
    published = eight.published()
    assert len({p["sip_uri"] for p in published}) == len(published) == COUNT


def test_sixty_four_phones_at_once_are_alike_in_lab_ledger_and_report(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    ended = subprocess.run(
        [*STARTED, "demo", "--phones", "64", "--dir", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
        timeout=200,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "64 of 64 users have their phone." in ended.stdout
    listed = listed_by_lab(tmp_path / "demo")
    assert len(listed) == len({row.user for row in listed}) == len({r.device for r in listed}) == 64
    assert in_ledger(tmp_path / "demo" / "ledger.sqlite3") == listed
    assert in_report(tmp_path / "demo" / "ledger.sqlite3", "json", capsysbinary) == listed
    assert in_report(tmp_path / "demo" / "ledger.sqlite3", "csv", capsysbinary) == listed
    entered = [s for s in sign_ins(tmp_path / "demo") if s.outcome in {"signed in", "signed out"}]
    assert {(s.sip_uri, s.device_id) for s in entered} == {(r.user, r.device) for r in listed}


class Staged(NamedTuple):
    """A phone as lab, ledger and report must know it alike."""

    user: str
    thumbprint: str
    device: str
    not_after: str


def listed_by_lab(folder: Path) -> set[Staged]:
    return {Staged(p.sip_uri, p.sha256, p.device_id, p.not_after) for p in published(folder)}


def in_ledger(path: Path) -> set[Staged]:
    """What the ledger has: the certificates themselves, not what is said of them."""
    found = set()
    with Ledger(path) as ledger:
        for job in ledger.jobs():
            assert job.state is JobState.DONE
            der = ledger.artifact(job.id, ArtifactKind.CERTIFICATE)
            assert der is not None
            until = x509.load_der_x509_certificate(der).not_valid_after_utc
            found.add(staged(job.user or "", sha256(der).hexdigest(), job.phone_mac, moment(until)))
    return found


def in_report(path: Path, form: str, printed: pytest.CaptureFixture[bytes]) -> set[Staged]:
    """What the report says, of phones that are done."""
    assert run(["--ledger", str(path), "report", "--format", form]) == 0
    said = printed.readouterr().out.decode()
    rows = FORMS[form](said)
    assert {row["standing"] for row in rows} == {"done"}
    return {staged(r["user"], r["sha256"], r["mac"], r["not_after"]) for r in rows}


def staged(user: str, thumbprint: str, mac: str, not_after: str | None) -> Staged:
    return Staged(user, thumbprint, str(endpoint_of(mac).instance), not_after or "")


FORMS: dict[str, Callable[[str], list[dict[str, str]]]] = {
    "json": lambda text: [row | row["certificate"] for row in json.loads(text)["phones"]],
    "csv": lambda text: list(csv.DictReader(text.splitlines())),
}
"""The phones of a report in each form, by the names that both have for the same."""


def test_the_board_is_served_to_who_has_the_link(eight: Station) -> None:
    with running(eight, "--board", "0") as process:
        assert process.stderr is not None
        found = link_in(process.stderr.readline())
        assert found is not None
        port, token = found
        assert let_in(port, "wrong") == 401
        assert let_in(port, token) == 200
        until_published(eight, process, 1)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert token not in out


def let_in(port: int, token: str) -> int:
    """Ask for what a browser needs to be let in; return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        return session(connection, token)[0]


def test_a_board_needs_a_port(eight: Station) -> None:
    ended = eight.run(*arguments(eight, "--board", "here"))
    assert ended.code == 2
    assert "[HOST:]PORT" in ended.err
