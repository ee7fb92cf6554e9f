"""``make soak``: have phones come and go at a bench that runs, and see that it does not grow."""

import argparse
import contextlib
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from processes import STARTED, Station, station

from soak.hands import Habits, Hands
from soak.plot import plot
from soak.samples import Record, Sample, cost_of, cpu_seconds, size_kib
from soak.stage import (
    Bench,
    Box,
    Browser,
    bench,
    write_lab_users,
    write_roster,
)
from soak.verdict import Bounds, Finding, judge
from usbprov.emulation.exporter import Exporter
from usbprov.lab.faults import Faults, faults_of, parse_fault
from usbprov.lab.phones import port_paths
from usbprov.lab.store import published
from usbprov.lab.users import read_users

FAULTS = ("busy=3", "store-unreachable=2", "registrar-busy=2")
"""What the servers do wrong now and then, so many times each."""

_FAULT_EVERY = 45.0
_LOOK = 0.05
_DRAIN = 180.0
"""Seconds until the last phone has left."""


@dataclass(frozen=True)
class Chosen:
    """What the command line asks for."""

    minutes: float
    ports: int
    every: float
    sample_every: float
    folder: Path
    seed: int


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; returns 1 if something is not good."""
    chosen = _parse(arguments)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that lab and bench end, too
    print(f"{chosen.minutes:g} min, {chosen.ports} ports, a fresh phone every {chosen.every:g} s, "
          f"seed {chosen.seed}, folder {chosen.folder}", flush=True)  # fmt: skip
    findings = _soak(chosen)
    for finding in findings:
        print(finding, flush=True)
    return 0 if all(finding.good for finding in findings) else 1


def _parse(arguments: Sequence[str]) -> Chosen:
    parser = argparse.ArgumentParser(prog="make soak ARGS=…", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--ports", type=int, default=16, help="ports of the bench (16)")
    parser.add_argument("--every", type=float, default=1.2, help="seconds between phones (1.2)")
    parser.add_argument("--sample-every", type=float, default=10.0, help="seconds (10)")
    parser.add_argument("--folder", type=Path, help="of all files; by default build/soak/TIME")
    parser.add_argument("--seed", type=int, default=1, help="of all chances (1)")
    given = vars(parser.parse_args(arguments))
    given["folder"] = given["folder"] or Path("build/soak") / time.strftime("%Y%m%d-%H%M%S")
    return Chosen(**given)


def _soak(chosen: Chosen) -> list[Finding]:
    users, roster = chosen.folder / "users.toml", chosen.folder / "roster.csv"
    write_lab_users(users, round(chosen.minutes * 60 / chosen.every * 1.1) + 100)
    write_roster(roster, read_users(users))
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(station(chosen.folder, 0, ["--users", str(users)]))
        at.program = STARTED
        bus = stack.enter_context(Exporter({}))
        chance = random.Random(chosen.seed)
        box = Box(chosen.folder / "lab", bus, chance)
        habits = Habits(every=chosen.every)
        hands = Hands(port_paths(chosen.ports), box.fresh, habits, chance)
        running = stack.enter_context(bench(at, bus, roster, hands.take))
        run = _Run(chosen, at, hands, running, Record(chosen.folder / "samples.csv"))
        faults = stack.enter_context(faults_of(chosen.folder / "lab"))
        browser = Browser(roster.with_suffix(".err"))
        with contextlib.closing(browser):
            run.shift(faults, chance)
        findings = run.end()
        (chosen.folder / "soak.svg").write_text(plot(run.record.samples) + "\n")
        print(f"the board was looked at {browser.looked} times", flush=True)
    return findings


class _Run:
    """One soak: what stands on the table, and what was recorded of it."""

    def __init__(
        self, chosen: Chosen, at: Station, hands: Hands, running: Bench, record: Record
    ) -> None:
        self.record = record
        self._chosen = chosen
        self._at = at
        self._hands = hands
        self._bench = running
        self._began = time.monotonic()
        self._cpu = time.process_time()

    def shift(self, faults: Faults, chance: random.Random) -> None:
        """Work until the time is over and the last phone has left."""
        end = self._chosen.minutes * 60
        disturb = self._every(_FAULT_EVERY, until=end)
        sample = self._every(self._chosen.sample_every)
        while self._bench.runs and not (self._passed >= end and self._is_over(end)):
            self._hands.turn(more=self._passed < end)
            if next(disturb):
                faults.switch_on(parse_fault(chance.choice(FAULTS)))
            if next(sample):
                self._sample()
            time.sleep(_LOOK)

    def end(self) -> list[Finding]:
        """Say what the run came to, and end the bench."""
        findings = [self._ended(), *judge(self.record.samples, Bounds())]
        return [*findings, *_tally(self._hands, self._chosen, self._bench)]

    @property
    def _passed(self) -> float:
        return time.monotonic() - self._began

    def _is_over(self, end: float) -> bool:
        return self._hands.idle or self._passed > end + _DRAIN

    def _every(self, seconds: float, until: float = float("inf")) -> Iterator[bool]:
        """Yield whether it is time again."""
        due = seconds
        while True:
            is_due = due <= self._passed < until
            due += seconds * is_due
            yield is_due

    def _sample(self) -> None:
        pid, shift = self._bench.process.pid, self._hands.shift
        cost, (occupied, working) = cost_of(pid, self._at.ledger), self._hands.counts()
        age, where = self._hands.oldest()
        sample = Sample(
            seconds=round(self._passed, 2),
            rss_kib=cost.rss_kib,
            handles=cost.handles,
            threads=cost.threads,
            cpu_seconds=cost.cpu_seconds,
            database_kib=size_kib(self._at.ledger),
            phones=shift.fresh,
            done=len(shift.done),
            failed=len(shift.failed),
            pulled=shift.pulled,
            occupied=occupied,
            working=working,
            oldest_seconds=round(age, 1),
            oldest=where,
            ledger_handles=cost.ledger_handles,
        )
        self.record.add(sample)
        if len(self.record.samples) % 6 == 0:
            print(sample, flush=True)

    def _ended(self) -> Finding:
        """End the bench, and say what all that ran has used."""
        if not self._bench.runs:
            return Finding(False, f"the bench ended by itself: {self._bench.process.returncode}")
        self._sample()
        passed, cost = self._passed, cost_of(self._bench.process.pid, self._at.ledger)
        own, lab = time.process_time() - self._cpu, cpu_seconds(self._at.lab.pid)
        print(f"at rest: {cost}", flush=True)
        print(f"of one core: bench {cost.cpu_seconds / passed:.1%}, lab {lab / passed:.1%}, "
              f"phones and hands {own / passed:.1%}", flush=True)  # fmt: skip
        code = self._bench.end()
        good = self._hands.idle and code == 9 and bool(self._bench.summary)
        all_left = "every phone has left" if self._hands.idle else "phones are left"
        return Finding(good, f"end: {all_left}; exit code {code}")


def _tally(hands: Hands, chosen: Chosen, running: Bench) -> Iterator[Finding]:
    """Compare what the bench said with the phones and with the lab's stores."""
    shift = hands.shift
    said = sorted((staged.user, staged.thumbprint) for staged in shift.done.values())
    known = sorted((entry.sip_uri, entry.sha256) for entry in published(chosen.folder / "lab"))
    users = {user for user, _ in said}
    good = bool(said) and said == known and len(users) == len(said)
    words = f"{len(said)} phones done for {len(users)} users, {len(known)} certificates published"
    yield Finding(good, f"store: {words}: {'the same' if said == known else 'NOT the same'}")
    yield Finding(
        not shift.problems,
        f"phones: each held what the bench had said; {shift.pulled} were pulled early"
        if not shift.problems
        else "phones: " + "; ".join(shift.problems[:10]),
    )
    codes = sorted(set(shift.failed.values()))
    good = set(codes) <= {"WEB-05"} and shift.fresh == len(said) + len(shift.failed)
    words = f"{shift.fresh} phones, {len(shift.failed)} failed ({', '.join(codes) or 'none'})"
    yield Finding(good, f"failures: {words}; a wrong PIN is WEB-05")
    told = running.summary.get("done")
    yield Finding(told == len(said), f"summary: the bench counts {told} users with a phone")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
