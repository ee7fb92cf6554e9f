"""Prepared on one computer and applied at another, with nothing between them but a file."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from networks import ip, need
from processes import PATIENCE, PROGRAM, STARTED, Ended, Station, own_environment, station, wait_for

from usbprov.lab.registrar.signins import sign_ins
from usbprov.offline.envelope import Lock
from usbprov.offline.files import SealedFile, open_sealed
from usbprov.pki.scrypt import Cost

PASSPHRASE = "correct horse battery"
CHEAP = Cost(1 << 12, 8, 1)
MAC = "02:00:5e:00:00:01"

BOTH = ("old-roots", "import-key")
"""Phones that make keys and take them, and do not trust the lab yet."""


def as_options(*personality: str) -> list[str]:
    return [part for name in personality for part in ("--personality", name)]


@dataclass
class Computer:
    """A computer of its own: home, ledger, locks; and what is typed there."""

    folder: Path
    bus: str = "usbip://127.0.0.1:1"
    inside: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        returns = {"USBPROV_APPLY_RETURN_SECONDS": "0", "USBPROV_REQUEST_RETURN_SECONDS": "0"}
        return own_environment(self.folder) | returns

    @property
    def ledger(self) -> Path:
        return self.folder / "home" / "ledger.sqlite3"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        program = [*self.inside, *(STARTED if self.inside else PROGRAM)]
        return subprocess.Popen(
            [*program, "--bus", self.bus, "--ledger", str(self.ledger), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def run(self, *arguments: str, typed: str = "") -> Ended:
        process = self.start(*arguments)
        out, err = process.communicate(typed, timeout=PATIENCE)
        assert "Traceback" not in err, err
        return Ended(process.returncode, out, err)

    def apply(self, file: Path, *more: str, passphrase: str = PASSPHRASE) -> Ended:
        given = ("apply", str(file), "--passphrase-stdin", "--json", *more)
        return self.run(*given, typed=f"{passphrase}\n")


def computer(folder: Path, name: str, **more: Any) -> Computer:
    (folder / name / "home").mkdir(parents=True)
    return Computer(folder / name, **more)


@dataclass
class Office:
    """The computer where the servers are."""

    desk: Station
    out: Path
    user: str = "alice"

    def arguments(self, *which: str) -> list[str]:
        facts = self.desk.facts
        return [
            "prepare",
            *(which or ("--mac", MAC, "--web-services-url", facts["web_services_url"],
                        "--registrar", facts["registrar"])),
            "--ca-file",
            facts["ca_file"],
            "--extension",
            self.desk.user(self.user)["extension"],
            "--pin-stdin",
            "--out",
            str(self.out),
            "--json",
        ]  # fmt: skip

    def prepare(self, *which: str) -> Ended:
        with passphrase() as end:
            # The program that starts quickly takes no further descriptors along.
            command = [*STARTED, *self.desk.command()[len(self.desk.program) :]]
            ended = subprocess.run(
                [*command, *self.arguments(*which), "--passphrase-fd", str(end)],
                input=self.desk.user(self.user)["pin"] + "\n",
                text=True,
                capture_output=True,
                env=self.desk.environment,
                timeout=PATIENCE,
                pass_fds=(end,),
                check=False,
            )
        assert "Traceback" not in ended.stderr, ended.stderr
        return Ended(ended.returncode, ended.stdout, ended.stderr)


@contextmanager
def passphrase() -> Iterator[int]:
    read, write = os.pipe()
    os.write(write, f"{PASSPHRASE}\n".encode())
    os.close(write)
    try:
        yield read
    finally:
        os.close(read)


@contextmanager
def island() -> Iterator[tuple[str, ...]]:
    """Make a place with no network but its own loopback; yields how to run something there."""
    need("ip")
    name = f"usbprov-island-{os.getpid()}"
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        yield ("ip", "netns", "exec", name)
    finally:
        ip("netns", "delete", name)


@contextmanager
def phones_on(desk: Station, inside: tuple[str, ...]) -> Iterator[str]:
    """Attach the lab's phones on the island, as their state files have them; yields their bus."""
    facts = desk.folder / "lab" / "phones.json"
    facts.unlink(missing_ok=True)
    options = ("--phones", "2", *as_options(*BOTH))
    command = [*inside, *STARTED, "lab", "phones", "--dir", str(desk.folder / "lab"), *options]
    quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}  # it ends with its input
    process = subprocess.Popen(command, **quiet, env=desk.environment)
    try:
        wait_for(lambda: process.poll() is not None or facts.exists(), "the phone")
        yield json.loads(wait_for(facts.read_text, "the phone"))["bus"]
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def reaches(inside: tuple[str, ...], url: str) -> bool:
    parts = urlsplit(url)
    address = f"({parts.hostname!r}, {parts.port})"
    connect = f"import socket; socket.create_connection({address}, 5).close()"
    asked = [*inside, sys.executable, "-c", connect]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def test_both_sign_in_though_no_network_was_ever_between(tmp_path: Path) -> None:
    """One phone gets a host-made key in one round, the other makes its own, in two."""
    with station(tmp_path, phones=2, options=as_options(*BOTH)) as desk, island() as inside:
        desk.pull()
        remote = computer(tmp_path, "remote", inside=inside)
        with phones_on(desk, inside) as remote.bus:
            assert not reaches(inside, desk.facts["web_services_url"])
            assert reaches((), desk.facts["web_services_url"])
            files = {
                "1-1": in_one_round(desk, remote, tmp_path / "alice.usbprov"),
                "1-2": in_two_rounds(desk, remote, tmp_path / "bob.usbprov"),
            }
        # The phones get to a network, with another computer that knows nothing of all this.
        before = len(sign_ins(desk.folder / "lab"))
        desk.plug(2, *BOTH)
        other = computer(tmp_path, "other", bus=desk.bus)
        proved = [sign_in(desk, other, file, at) for at, file in files.items()]
        assert {p["sha256"] for p in desk.published()} == {c["sha256"] for c in proved}
        entered = sign_ins(desk.folder / "lab")[before:]
        assert [each.outcome for each in entered] == ["signed out"] * 2


def in_one_round(desk: Station, remote: Computer, out: Path) -> Path:
    """Prepare here, apply there; returns the file there."""
    prepared = Office(desk, out).prepare()
    assert prepared.document["proof"]["sign_in"] is True
    assert out.stat().st_mode & 0o777 == 0o600
    return applied(remote, out, prepared, "1-1")


def in_two_rounds(desk: Station, remote: Computer, out: Path) -> Path:
    """Have the phone ask there, prepare here, apply there; returns the file there."""
    request = remote.folder / "bob.request"
    facts = desk.facts
    asked = remote.run(
        "request", "1-2", "--out", str(request), "--user", "bob@contoso.test", "--json",
        "--web-services-url", facts["web_services_url"], "--registrar", facts["registrar"],
    )  # fmt: skip
    assert asked.code == 0, asked.err
    assert asked.document["outcome"] == "requested"
    office = Office(desk, out, "bob")
    prepared = office.prepare("--request", shutil.copy(request, out.with_suffix(".request")))
    assert prepared.document["fingerprint"] == asked.document["fingerprint"]
    return applied(remote, out, prepared, "1-2")


def applied(remote: Computer, made: Path, prepared: Ended, at: str) -> Path:
    """Carry a file to the computer at the phone, and apply it."""
    assert prepared.document["outcome"] == "prepared"
    carried = Path(shutil.copy(made, remote.folder))
    ended = remote.apply(carried, at)
    assert ended.code == 0, ended.err
    assert ended.document["outcome"] == "provisioned"
    assert ended.document["proof"] == {"read_back": True, "possession": True, "sign_in": None}
    assert ended.document["certificate"] == prepared.document["certificate"]
    return carried


def sign_in(desk: Station, other: Computer, file: Path, at: str) -> dict[str, str]:
    """Have the phone sign in at the lab; returns its certificate."""
    proved = other.apply(file, at, "--sign-in", "--ca-file", desk.facts["ca_file"])
    assert proved.code == 0, proved.err
    assert proved.document["proof"] == {"read_back": True, "possession": True, "sign_in": True}
    assert proved.document["applied_before"][0]["serial"] == f"EMU000{at[-1]}"
    certificate: dict[str, str] = proved.document["certificate"]
    return certificate


def test_a_killed_apply_goes_on_and_no_other_file_is_taken_for_it(tmp_path: Path) -> None:
    """Killed before the phone's COMMIT; before that, files and phones that are the wrong ones."""
    options = as_options("no-keygen", "commit-seconds=1.5")
    with station(tmp_path, phones=2, options=options) as desk:
        office = Office(desk, tmp_path / "alice.usbprov")
        assert office.prepare().code == 0
        made = cheap(office.out)
        remote = computer(tmp_path, "remote", bus=desk.bus)
        assert_refused(remote, office.out, made)

        wrong = remote.apply(office.out, "1-2")
        assert (wrong.code, wrong.document["error"]["code"]) == (3, "OFF-07")
        assert office.out.read_bytes() == made
        slots = desk.run("info", "1-2", "--json").document["slots"]
        assert slots[0]["pending_key"] is None

        log = tmp_path / "debug.log"
        killed = remote.start(
            "-vv", "--log-file", str(log), "apply", str(office.out), "1-1", "--passphrase-stdin"
        )
        assert killed.stdin is not None
        killed.stdin.write(f"{PASSPHRASE}\n")
        killed.stdin.flush()
        wait_for(lambda: "COMMIT" in checked(log), "the COMMIT of the certificate")
        killed.kill()
        killed.communicate(timeout=PATIENCE)

        again = remote.apply(office.out, "1-1")
        assert again.code == 0, again.err
        assert again.document["outcome"] == "provisioned"
        states = {step["name"]: step["state"] for step in again.document["steps"]}
        assert states["key"] == "skipped"
        slot = desk.run("info", "1-1", "--json").document["slots"][0]
        (published,) = desk.published()
        assert slot["active_certificate"] == published["sha256"]
        assert slot["pending_key"] is None


def cheap(file: Path) -> bytes:
    """Seal a file again, so that it is opened in no time; returns its bytes."""
    SealedFile(file, Lock.new(PASSPHRASE, CHEAP)).write(open_sealed(file, PASSPHRASE)[1])
    return file.read_bytes()


def checked(log: Path) -> str:
    """Return what came after the certificate was checked."""
    return log.read_text().partition("step check done")[2] if log.exists() else ""


def assert_refused(remote: Computer, file: Path, made: bytes) -> None:
    """Give the program damaged files and a wrong passphrase; each has its error, and stays."""
    cases = {
        "OFF-02": (made[:-40], PASSPHRASE),
        "OFF-03": (made[:500] + bytes([made[500] ^ 4]) + made[501:], PASSPHRASE),
        "OFF-04": (made, "another passphrase"),
        "OFF-01": (b"something else", PASSPHRASE),
    }
    for code, (data, typed) in cases.items():
        file.write_bytes(data)
        refused = remote.apply(file, "1-1", passphrase=typed)
        assert refused.document["error"]["code"] == code
        assert file.read_bytes() == data
    file.write_bytes(made)
