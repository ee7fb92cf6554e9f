"""The lab's server, which fails for a while: its process ends, or it answers wrongly."""

import json
import os
import random
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from processes import PATIENCE, STARTED, own_environment, wait_for

from chaos.plan import ENDED, KILLED, Outage
from usbprov.lab.faults import faults_of, parse_fault
from usbprov.lab.users import LabUser, synthetic_users, write_users

_PORTS = range(20_000, 32_000)
"""Below those that the system gives to outgoing connections: what is free now stays free."""


class Server:
    """A lab without phones, in a process of its own, always at the same ports; a context manager.

    Attributes:
        folder: Its state.
        users: Whom it knows.
        is_well: Whether it does not fail at present.
    """

    def __init__(self, folder: Path, users: int) -> None:
        self.folder = folder / "lab"
        self.users: Sequence[LabUser] = synthetic_users(users)
        self.is_well = True
        self._environment = own_environment(folder)
        self._said = folder / "server.log"
        self._users_file = folder / "users.toml"
        write_users(self._users_file, self.users)
        self._ports = _free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What ``lab.json`` says."""
        facts: dict[str, Any] = json.loads((self.folder / "lab.json").read_text())
        return facts

    @property
    def traces(self) -> list[str]:
        """What it said of bugs in it."""
        said = self._said.read_text().splitlines() if self._said.exists() else []
        return [line for line in said if "Traceback" in line or "rror:" in line]

    def start(self) -> None:
        """Start it, and return when it can be reached."""
        names = ("--https-port", "--http-port", "--sip-port")
        ports = [word for pair in zip(names, self._ports, strict=True) for word in map(str, pair)]
        command = [*STARTED, "lab", "up", "--dir", str(self.folder), "--users"]
        with self._said.open("ab") as said:
            process = subprocess.Popen(
                [*command, str(self._users_file), *ports],
                stdout=subprocess.DEVNULL,
                stderr=said,
                env=self._environment,
            )
        self._process = process

        def answers() -> bool:
            assert process.poll() is None, f"the server has ended: {self._said.read_text()}"
            return (self.folder / "lab.json").exists() and self.facts["pid"] == process.pid

        wait_for(answers, "the server")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it by a signal."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.communicate(timeout=PATIENCE)
            self._process = None

    def fail(self, outage: Outage, over: threading.Event) -> None:
        """Fail for as long as the plan says; shorter if ``over`` is set meanwhile."""
        self.is_well = False
        with _ways[outage.what](self) if outage.what in _ways else self._fault(outage.what):
            over.wait(outage.seconds)
        self.is_well = True

    @contextmanager
    def _fault(self, what: str) -> Iterator[None]:
        fault = parse_fault(what)
        with faults_of(self.folder) as faults:
            faults.switch_on(fault)
        yield
        with faults_of(self.folder) as faults:
            faults.switch_off(fault.name)

    @contextmanager
    def _absence(self, number: signal.Signals) -> Iterator[None]:
        self.stop(number)
        yield
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


_ways = {
    KILLED: lambda server: server._absence(signal.SIGKILL),
    ENDED: lambda server: server._absence(signal.SIGTERM),
}


def _free_ports(count: int) -> list[int]:
    chosen: list[int] = []
    for port in random.Random(os.getpid()).sample(_PORTS, len(_PORTS)):  # noqa: S311
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        chosen.append(port)
        if len(chosen) == count:
            break
    return chosen
