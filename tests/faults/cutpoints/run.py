"""One worker: runs points one after the other, and tells what came of each."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from cutpoints import disk
from cutpoints.cuts import KINDS, NEED_DISK, Point, points
from cutpoints.moments import Effect, Moment, When
from cutpoints.planted import MISTAKES
from cutpoints.programs import Ended, Forge
from cutpoints.scenarios import SCENARIOS, Scenario
from cutpoints.stage import PASSPHRASE, PIN, Snapshot, Stage
from cutpoints.truth import Books, Case, Seen, complaints
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind

_REFUSED = frozenset({2, 7})
"""The exit codes where a credential is refused, or another is asked for."""


@dataclass(frozen=True)
class Verdict:
    """What came of a point."""

    name: str
    kind: str
    step: str
    seconds: float
    complaints: Sequence[str]


class Worker:
    """Runs points on one stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._ready: dict[str, tuple[Snapshot, Seen, int]] = {}

    def record(self, name: str) -> list[Moment]:
        """Run a scenario without a cut, and return its moments."""
        self._begin(SCENARIOS[name])
        ended = self._stage.run(SCENARIOS[name].command(self._stage))
        assert ended.code == 0, f"{name} fails without a cut: {ended.err}{ended.out}"
        return ended.moments

    def matrix(self, name: str, *, thorough: bool) -> Iterator[Point]:
        """Generate all points of a scenario."""
        for point in points(SCENARIOS[name], self.record(name), thorough=thorough):
            if self._stage.has_disk or point.kind not in NEED_DISK:
                yield point

    def run(self, point: Point) -> Verdict:
        """Cut, repeat, and look."""
        began = time.monotonic()
        try:
            found = complaints(self.case(point))
        except Exception as error:  # whatever it is, the next point is to be run
            found = [f"{type(error).__name__}: {error}"]
        seconds = time.monotonic() - began
        return Verdict(point.name, point.kind, point.moment.step, seconds, found)

    def run_planted(self, point: Point, mistake: str) -> Verdict:
        """Run a point with a mistake in the program; it is a complaint if it is not found."""
        self._stage.mistake = mistake
        try:
            verdict = self.run(point)
        finally:
            self._stage.mistake = None
        wanted = MISTAKES[mistake].found_by
        found = any(words.startswith(f"{wanted}:") for words in verdict.complaints)
        complaint = f"the mistake is not found, but: {'; '.join(verdict.complaints) or 'nothing'}"
        name = f"planted:{mistake}"
        return replace(verdict, name=name, complaints=[] if found else [complaint])

    def case(self, point: Point) -> Case:
        """Cut, and repeat."""
        stage, scenario = self._stage, SCENARIOS[point.scenario]
        old, jobs = self._begin(scenario)
        cut = KINDS[point.kind].carry_out(stage, scenario, point)
        came_there = any(moment.name == point.moment.name for moment in cut.moments)
        assert came_there, f"the moment was not reached: {cut.code} {cut.err}"
        stage.settle_servers(_sent(cut))
        between = self._look()
        case = Case(scenario, old, jobs, cut, between)
        commands = [scenario.repeat or scenario.command, *scenario.finish]
        if case.locked_out and scenario.otherwise is not None:
            refused = stage.run(scenario.command(stage))
            assert refused.code in _REFUSED, f"not refused: {refused.code} {refused.err}"
            commands = [scenario.otherwise]
        repeats = tuple(stage.run(command(stage)) for command in commands)
        stage.settle()
        texts = [text for ended in (cut, *repeats) for text in (ended.out, ended.err)]
        return replace(
            case,
            repeats=repeats,
            new=self._look(),
            books=_books(stage.ledger),
            files=_everything(stage.home, *texts),
            secrets=[PIN.encode(), PASSPHRASE.encode(), *stage.private_parts()],
        )

    def _begin(self, scenario: Scenario) -> tuple[Seen, int]:
        """Have the world as it is before; says how it looks, and how many jobs there have been."""
        if scenario.name not in self._ready:
            snapshot = scenario.prepare(self._stage)
            self._stage.put(snapshot, dict(scenario.personality))
            seen = self._look()
            jobs = len(_books(self._stage.ledger).jobs)
            self._ready[scenario.name] = snapshot, seen, jobs
        snapshot, seen, jobs = self._ready[scenario.name]
        self._stage.put(snapshot, dict(scenario.personality))
        return seen, jobs

    def _look(self) -> Seen:
        stage = self._stage
        assert stage.phone is not None
        return Seen(
            stage.phone.state.slots[0],
            tuple(stage.certificates()),
            stage.calls(" POST /", "published in "),
            stage.calls("; ticket for"),
            stage.calls("signed in: "),
        )


def _sent(cut: Ended) -> int:
    """Count the calls of the Web Services that have left the program."""
    return sum(m.effect is Effect.WEB and m.when is When.SENT for m in cut.moments)


def _books(path: Path) -> Books:
    with Ledger(path) as ledger:
        jobs = ledger.jobs()
        try:
            ledger.verify()
            flaw = ""
        except Exception as error:
            flaw = str(error)
        kept = ledger.artifact(jobs[0].id, ArtifactKind.CERTIFICATE) if jobs else None
    return Books(tuple((job.id, str(job.state)) for job in reversed(jobs)), flaw, kept)


def _everything(home: Path, *texts: str) -> bytes:
    files = sorted(path for path in home.rglob("*") if path.is_file())
    return b"\n".join([*(path.read_bytes() for path in files), *(t.encode() for t in texts)])


@contextmanager
def worker(folder: Path, keys: Sequence[rsa.RSAPrivateKey]) -> Iterator[Worker]:
    """Have a worker, in a process that has no threads yet."""
    may_mount = disk.leave()
    forge = Forge()
    try:
        with Stage(folder, forge, keys, may_mount=may_mount) as stage:
            yield Worker(stage)
    finally:
        forge.close()
