"""The program as its users run it: processes, with their own folders and environment."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import program_server
from lab_keys import seed

STARTED = (sys.executable, "-m", "usbprov")
"""The program as everywhere else. What is seen of its process from outside needs this one."""
PROGRAM = (os.environ.get(program_server.VARIABLE) or sys.executable, "-m", "usbprov")
"""The program without the time that loading its modules takes, see ``program_server``."""
PATIENCE = 60.0
"""Seconds until a condition that should hold soon is given up."""


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """Return the condition's value as soon as it is true."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    msg = f"waited {PATIENCE:g} s in vain for {what}"
    raise AssertionError(msg)


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class Station:
    """A lab that runs, and the computer at which a technician types."""

    folder: Path
    facts: dict[str, Any]
    lab: subprocess.Popen[bytes]
    phones: subprocess.Popen[bytes] | None = field(default=None)
    variables: dict[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = PROGRAM

    @property
    def ledger(self) -> Path:
        return self.folder / "home" / "ledger.sqlite3"

    @property
    def environment(self) -> dict[str, str]:
        return own_environment(self.folder) | self.variables

    @property
    def bus(self) -> str:
        return str(self.facts["bus"])

    def user(self, name: str = "alice") -> dict[str, str]:
        return next(u for u in self.facts["users"] if u["sip_uri"].startswith(f"sip:{name}@"))

    def command(self, *arguments: str, bus: str | None = None) -> list[str]:
        return [*self.program, "--bus", bus or self.bus, "--ledger", str(self.ledger), *arguments]

    def run(self, *arguments: str, typed: str = "", bus: str | None = None) -> Ended:
        """Run a command to its end; ``typed`` is its standard input."""
        ended = subprocess.run(
            self.command(*arguments, bus=bus),
            input=typed,
            text=True,
            capture_output=True,
            env=self.environment,
            timeout=PATIENCE,
            check=False,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def provision_arguments(self, *extra: str, name: str = "alice") -> list[str]:
        return [
            "provision",
            "--extension",
            self.user(name)["extension"],
            "--pin-stdin",
            "--web-services-url",
            self.facts["web_services_url"],
            "--ca-file",
            self.facts["ca_file"],
            *extra,
        ]

    def provision(self, *extra: str, name: str = "alice", pin: str | None = None) -> Ended:
        typed = (self.user(name)["pin"] if pin is None else pin) + "\n"
        return self.run(*self.provision_arguments(*extra, name=name), typed=typed)

    @contextmanager
    def provisioning(self, *extra: str, log: Path) -> Iterator[subprocess.Popen[str]]:
        """Run ``provision --json`` in the background, with a debug log to watch."""
        command = self.command(*self.provision_arguments("--json", *extra))
        at = len(self.program)
        command[at:at] = ["--log-file", str(log)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        assert process.stdin is not None
        process.stdin.write(self.user()["pin"] + "\n")
        process.stdin.flush()
        with process:
            try:
                yield process
            finally:
                process.kill()

    def published(self) -> list[dict[str, str]]:
        ended = self.run("lab", "published", "--dir", str(self.folder / "lab"), "--json")
        assert ended.code == 0, ended.err
        document: list[dict[str, str]] = ended.document
        return document

    def pull(self) -> None:
        """Kill the phones' process: every cable is pulled and every phone loses power."""
        facts = json.loads((self.folder / "lab" / "phones.json").read_text())
        os.kill(facts["pid"], signal.SIGKILL)

    def plug(self, count: int, *personality: str, port: int = 0) -> None:
        """Bring the phones back, at another address or at ``port``, as their files have them."""
        facts = self.folder / "lab" / "phones.json"
        facts.unlink(missing_ok=True)
        options = [part for name in personality for part in ("--personality", name)]
        command = [*PROGRAM, "lab", "phones", "--dir", str(self.folder / "lab")]
        self.phones = subprocess.Popen(
            [*command, "--phones", str(count), "--usbip-port", str(port), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=self.environment,
        )
        self.facts["bus"] = json.loads(wait_for(lambda: _text(facts), "the phones"))["bus"]

    def close(self) -> None:
        for process in (self.phones, self.lab):
            if process is not None:
                process.terminate()
                process.communicate(timeout=PATIENCE)


@contextmanager
def station(
    folder: Path,
    phones: int = 1,
    options: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Iterator[Station]:
    """Run a lab with phones, as ``usbprov lab up`` in a terminal of its own.

    ``variables`` are what the lab has in its environment besides.
    """
    (folder / "home").mkdir(exist_ok=True)
    (folder / "lab").mkdir(mode=0o700, exist_ok=True)
    seed(folder / "lab")
    command = [*PROGRAM, "lab", "up", "--dir", str(folder / "lab"), "--phones", str(phones)]
    environment = own_environment(folder) | dict(variables or {})
    lab = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, env=environment)
    facts = folder / "lab" / "lab.json"
    at_station: Station | None = None
    try:
        told = wait_for(lambda: lab.poll() is not None or _text(facts), "the lab")
        assert lab.poll() is None, "the lab has ended"
        at_station = Station(folder, json.loads(told), lab)
        yield at_station
    finally:
        (at_station or Station(folder, {}, lab)).close()


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def own_environment(folder: Path) -> dict[str, str]:
    """Give the child a home of its own, and nothing of the tester's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COV")}
    home = str(folder / "home")
    folders = {"HOME": home, "XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home}
    # A phone that is pulled is not waited for, but where a test says so; and another test's
    # phones, which have the same serial numbers, are not this one's.
    settings = {"USBPROV_PROVISION_RETURN_SECONDS": "0", "USBPROV_LOCK_DIR": home}
    return kept | coverage | folders | settings
