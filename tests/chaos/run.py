"""One run: phones are pulled, the server fails and the program is killed, until all is done."""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from processes import PROGRAM, wait_for

from chaos import truth
from chaos.desk import Desk
from chaos.plan import Kill, Outage, Plan
from chaos.program import Program, Shown
from chaos.server import Server
from usbprov.ledger.ledger import Ledger

PATIENCE = 180.0
"""Seconds for one run of the program; no more than a fraction of them is needed."""

_LOOK = 0.1
"""Seconds after which it is looked whether the server is well again."""

_OF_A_LOST_PIN = frozenset({"WEB-01", "WEB-02"})
"""The only failures that a failing server explains: an answer to a PIN was lost, and a PIN is never
tried twice without being asked to."""


@dataclass
class Outcome:
    """What one run came to."""

    seed: int
    seconds: float = 0.0
    pulled: int = 0
    moved: int = 0
    kills: int = 0
    outages: list[str] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        failed = ", ".join(f"{code} {n}x" for code, n in sorted(self.failures.items())) or "none"
        result = "good" if not self.complaints else f"{len(self.complaints)} COMPLAINTS"
        return (
            f"seed {self.seed:3}  {self.pulled} pulled, {self.moved} to another port  "
            f"{self.kills} kills  server: {', '.join(self.outages) or 'never failed'}  "
            f"retry pressed after: {failed}  {self.seconds:5.1f} s  {result}"
        )


def run(plan: Plan, folder: Path) -> Outcome:
    """Do what the plan says, in a folder of its own; says what came of it."""
    outcome, began = Outcome(plan.seed), time.monotonic()
    (folder / "home").mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(Server(folder, plan.size.phones))
        desk = stack.enter_context(Desk(server.folder, plan))
        chaos = Chaos(plan, folder, server, desk, outcome)
        chaos.rage()
        wait_for(lambda: desk.all_plugged, "the last phone")
        desk.calm()
        outcome.complaints += chaos.complaints()
    outcome.pulled, outcome.moved = desk.pulled, desk.moved
    outcome.seconds = time.monotonic() - began
    return outcome


class Chaos:
    """A run under way."""

    def __init__(
        self, plan: Plan, folder: Path, server: Server, desk: Desk, outcome: Outcome
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._server = server
        self._desk = desk
        self._outcome = outcome
        self._over = threading.Event()
        self._home = folder / "home"
        self._ledger = self._home / "ledger.sqlite3"
        self._roster = folder / "users.csv"
        self._shown = Shown()
        self._facts = server.facts
        rows = [f"{u.extension},{u.sip_uri},{u.pin}" for u in server.users]
        self._roster.write_text("\n".join(["extension,sip address,pin", *rows]) + "\n")

    def rage(self) -> None:
        """Start the program and kill it, as often as planned; then let it come to its end."""
        with self._weather():
            for kill in self._plan.kills:
                self._killed(kill)
            with self._program() as program:
                self._mind(program, lambda: False)
                self._complain(program.ending())
        for view in self._shown.failed:
            trouble = view["trouble"]
            self._outcome.failures[trouble["code"]] += 1
            if trouble["code"] not in _OF_A_LOST_PIN:
                self._complain(f"{view['label']} ({view['serial']}): {trouble}")
        for trace in (*self._shown.traces, *self._server.traces):
            self._complain(trace)

    def complaints(self) -> list[str]:
        """Compare phones, ledger and store."""
        with Ledger(self._ledger) as ledger:
            facts = truth.Facts(
                users=[user.sip_uri for user in self._server.users],
                phones=truth.phones_on(self._desk.uri, self._home, self._plan.size.phones),
                jobs=truth.jobs_in(ledger),
                claims=len(ledger.claims.held()),
                ledger=_verified(self._ledger),
                published=truth.published_in(self._server.folder),
                ever=truth.ever_published_in(self._server.folder),
                shown=frozenset(
                    (v["serial"], v["user"], v["thumbprint"]) for v in self._shown.done
                ),
            )
        return truth.complaints(facts)

    def _complain(self, words: str) -> None:
        if words and words not in self._outcome.complaints:
            self._outcome.complaints.append(words)

    # --- the program

    def _killed(self, kill: Kill) -> None:
        with self._program() as program:
            self._mind(program, lambda: program.steps >= kill.steps)
            self._over.wait(kill.later)
            self._outcome.kills += program.runs

    def _mind(self, program: Program, condition: Callable[[], bool]) -> None:
        """Be its operator until a condition holds or it ends: press `retry` when that may help."""
        deadline = time.monotonic() + PATIENCE
        while not program.until(condition, _LOOK):
            if not program.runs or time.monotonic() > deadline:
                return
            if self._server.is_well:
                program.press_retry(hasty=self._plan.is_hasty)

    def _program(self) -> Program:
        facts = self._facts
        command = [
            *("--bus", self._desk.uri, "--ledger", str(self._ledger)),
            *("-v", "bench", "run", str(self._roster), "--name", "desk", "--json", "--board", "0"),
            *("--web-services-url", facts["web_services_url"], "--registrar", facts["registrar"]),
            *("--ca-file", facts["ca_file"], "--until", str(self._plan.size.phones)),
        ]
        return Program(command, self._folder, self._shown)

    # --- the server

    @contextmanager
    def _weather(self) -> Iterator[None]:
        outages = sorted(self._plan.outages, key=lambda outage: outage.steps)
        thread = threading.Thread(target=self._storm, args=(outages,), name="weather")
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _storm(self, outages: Sequence[Outage]) -> None:
        try:
            for outage in outages:
                while self._shown.steps < outage.steps:
                    if self._over.wait(_LOOK):
                        return
                self._outcome.outages.append(f"{outage.what} {outage.seconds:.1f} s")
                self._server.fail(outage, self._over)
        except Exception as failure:
            self._complain(f"the server: {failure!r}")


def _verified(ledger: Path) -> str:
    """Have the program check the chain; returns what it complains of."""
    command = [*PROGRAM, "--ledger", str(ledger), "ledger", "verify"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if ended.returncode == 0 else ended.stderr
