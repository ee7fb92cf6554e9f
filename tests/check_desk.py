"""A lab in this process, and the program's checks run against it in this process, too."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from usbprov.cli.main import run
from usbprov.lab.faults import FaultName, parse_fault
from usbprov.lab.up import Lab, LabOptions


@dataclass(frozen=True)
class Told:
    """What a check printed as JSON, and its exit code."""

    code: int
    document: dict[str, Any]

    @property
    def error(self) -> str | None:
        """The code of the error that it failed with."""
        error = self.document.get("error")
        return error["code"] if error else None

    @property
    def steps(self) -> dict[str, dict[str, Any]]:
        return {check["name"]: check for check in self.document["checks"]}

    def of(self, verdict: str) -> list[str]:
        return [name for name, step in self.steps.items() if step["verdict"] == verdict]

    @property
    def summary(self) -> str:
        """For a failing test: what each step came to."""
        return "\n".join(f"{s['verdict']} {n}: {s['seen']}" for n, s in self.steps.items())


@dataclass
class CheckDesk:
    """A lab, and the computer at which an administrator types."""

    lab: Lab
    folder: Path
    capture: pytest.CaptureFixture[str] | None = None

    def run(self, *arguments: str) -> tuple[int, str, str]:
        assert self.capture is not None
        self.capture.readouterr()
        bus = self.lab.facts.bus
        options = ["--bus", bus] if bus else []
        code = run([*options, "--ledger", str(self.folder / "ledger.sqlite3"), *arguments])
        said = self.capture.readouterr()
        return code, said.out, said.err

    def check(self, *arguments: str) -> Told:
        code, out, _ = self.run("check", *arguments, "--json")
        return Told(code, json.loads(out))

    @property
    def servers(self) -> list[str]:
        facts = self.lab.facts
        return [
            *("--web-services-url", facts.web_services_url),
            *("--registrar", facts.registrar),
            *("--chain-download-url", facts.chain_url),
            *("--ca-file", str(facts.ca_file)),
        ]

    def user(self, name: str = "alice") -> Any:
        return next(u for u in self.lab.facts.users if u.sip_uri.startswith(f"sip:{name}@"))

    @contextmanager
    def secret(self, kind: str, text: str) -> Iterator[list[str]]:
        """Give options that read a secret from a file descriptor."""
        reading, writing = os.pipe()
        os.write(writing, text.encode() + b"\n")
        os.close(writing)
        try:
            yield [f"--{kind}-fd", str(reading)]
        finally:
            os.close(reading)

    def bootstrap(self, *more: str, name: str = "alice", pin: str | None = None) -> Told:
        user = self.user(name)
        with self.secret("pin", pin or user.pin) as secret:
            extension = ("--extension", user.extension)
            return self.check("phone-bootstrap", *extension, *secret, *self.servers, *more)

    def provision(self, *more: str, name: str = "alice") -> None:
        user, facts = self.user(name), self.lab.facts
        with self.secret("pin", user.pin) as secret:
            code, _, err = self.run(
                *("provision", *more, "--extension", user.extension, *secret, "--json"),
                *("--web-services-url", facts.web_services_url, "--registrar", facts.registrar),
                *("--ca-file", str(facts.ca_file)),
            )
        assert code == 0, err

    def fault(self, *faults: str) -> None:
        for fault in faults:
            self.lab.faults.switch_on(parse_fault(fault))

    def heal(self) -> None:
        for name in FaultName:
            self.lab.faults.switch_off(name)


@contextmanager
def check_desk(folder: Path, **options: Any) -> Iterator[CheckDesk]:
    with Lab(LabOptions(dir=folder / "lab", **options)) as lab:
        yield CheckDesk(lab, folder)
