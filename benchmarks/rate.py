"""The rate of four benches that share a ledger in PostgreSQL, against that of one, in one run.

Run it as ``PYTHONPATH=tests python benchmarks/rate.py`` (``make bench-rate``). Two settings:

* ``phone``: each bench has few ports, and the phones take their time for a key, as real ones do.
  What is measured is what benches cost each other.
* ``processor``: keys take no longer than they must, and every bench works on all its phones at
  once. Phones, lab, database and benches are all on this computer, so its processors are the limit.

For each it says what the processors did, and what the database's connections waited for. The head
of the ledger's chain is one row that is locked from each entry to its commit: how long that is, is
measured first, by itself.
"""

import argparse
import contextlib
import os
import statistics
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import psycopg
from benches.place import Place, place
from ledger import WRITES, one_job
from postgres import ADMINISTRATOR, Cluster, cluster

from usbprov.ledger.address import parse_place
from usbprov.ledger.chain import Write
from usbprov.ledger.database import Database
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState

_SAMPLE = 0.05
"""Seconds between two looks at what the connections wait for."""

_WAITS = """
SELECT state, coalesce(wait_event_type || ': ' || wait_event, 'runs') FROM pg_stat_activity
WHERE application_name = 'usbprov' AND state <> 'idle'
"""

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Setting:
    """How phones and benches are.

    Attributes:
        ports: Phones that a bench works on at a time.
        rounds: How many phones a port gets, one after the other; 0: so many that the total is
            the same whatever the number of benches.
        key_seconds: How long a phone takes for a key at least.
    """

    ports: int
    rounds: int
    key_seconds: float

    def each(self, benches: int) -> int:
        """Return the number of phones of each bench."""
        return self.ports * self.rounds or 64 // benches


SETTINGS: Mapping[str, Setting] = {
    "phone": Setting(ports=4, rounds=2, key_seconds=20.0),
    "processor": Setting(ports=64, rounds=0, key_seconds=0.0),
}


@dataclass(frozen=True)
class Measured:
    """What a number of benches came to.

    Attributes:
        phones: How many phones were done.
        seconds: From the first job's beginning to the last one's end.
        job: The median of a job's own seconds.
        cpu: CPU seconds by who used them.
        waits: What the database's connections did, and how many on average.
        entries: Entries that the chain got.
    """

    phones: int
    seconds: float
    job: float
    cpu: Mapping[str, float]
    waits: Mapping[str, float]
    entries: int

    @property
    def rate(self) -> float:
        """Phones a minute."""
        return 60 * self.phones / self.seconds


def measure(server: Cluster, setting: Setting, benches: int) -> Measured:
    """Stage all phones with so many benches."""
    slow = [f"keygen-seconds={setting.key_seconds:g}"]
    each = setting.each(benches)
    with (
        tempfile.TemporaryDirectory(prefix="usbprov-rate-") as folder,
        place(Path(folder), server, benches, each, slow) as here,
    ):
        for program in here.programs:
            here.start(program, "--ports", str(setting.ports))
        here.wait(lambda: len(here.ledger.benches.all()) == benches, "the benches", 120)
        with waits_of(server) as waits:
            before = cpu_of(here, server)
            plug_all(here)
            here.wait(lambda: here.done().total() >= benches * each, "all phones", 600)
            used = {name: s - before[name] for name, s in cpu_of(here, server).items()}
        here.end()
        return sums(here, used, waits)


def plug_all(here: Place) -> None:
    """Plug all tables in at the same time."""
    threads = [threading.Thread(target=table.plug, args=(here.at,)) for table in here.tables]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def sums(here: Place, cpu: Mapping[str, float], waits: Mapping[str, float]) -> Measured:
    """Bring together what was measured, with what the ledger says."""
    jobs = [job for job in here.ledger.jobs() if job.state is JobState.DONE]
    first, last = min(job.created for job in jobs), max(job.updated for job in jobs)
    own = statistics.median((job.updated - job.created).total_seconds() for job in jobs)
    entries = here.ledger.verify().entries
    return Measured(len(jobs), (last - first).total_seconds(), own, cpu, waits, entries)


# --- what processors and connections did


def cpu_of(here: Place, server: Cluster) -> dict[str, float]:
    """Return the CPU seconds used so far, by who used them."""
    roots = {
        "benches": [p.process for p in here.programs],
        "phones": [table.process for table in here.tables],
        "lab": [here.at.lab],
        "database": [server.server],
    }
    children, seconds = processes()
    return {
        name: sum(tree(process.pid, children, seconds) for process in found if process)
        for name, found in roots.items()
    }


def processes() -> tuple[Mapping[int, list[int]], Mapping[int, float]]:
    """Return each process's children, and its CPU seconds with those of ended children."""
    children: dict[int, list[int]] = defaultdict(list)
    seconds: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            pid = int(path.parent.name)
            children[int(fields[1])].append(pid)
            seconds[pid] = sum(map(int, fields[11:15])) / _TICKS
    return children, seconds


def tree(root: int, children: Mapping[int, list[int]], seconds: Mapping[int, float]) -> float:
    """Return the CPU seconds of a process and all below it."""
    below = sum(tree(child, children, seconds) for child in children.get(root, ()))
    return seconds.get(root, 0.0) + below


@contextlib.contextmanager
def waits_of(server: Cluster) -> Iterator[dict[str, float]]:
    """Look again and again what the connections do; the averages are there after the block."""
    found: dict[str, float] = {}
    counts: Counter[str] = Counter()
    ended, looks = threading.Event(), 0

    def look() -> None:
        nonlocal looks
        where = f"host={server.folder} port={server.port} user={ADMINISTRATOR} dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            while not ended.wait(_SAMPLE):
                looks += 1
                counts.update(" / ".join(row) for row in connection.execute(_WAITS).fetchall())

    looker = threading.Thread(target=look)
    looker.start()
    try:
        yield found
    finally:
        ended.set()
        looker.join()
        found |= {what: count / looks for what, count in counts.most_common()}


# --- how long the chain's head is locked


def head_held(url: str, jobs: int) -> float:
    """Return the ms from an entry's being sent to its commit: the median, with nobody beside it.

    The row is locked for less than that: not while the entry is on its way to the server.
    """
    times: list[float] = []
    began = threading.local()
    seal, write = Write.seal, Database.write

    def timed_seal(self: Write, kind: str, body: str) -> None:
        began.at = time.perf_counter()
        seal(self, kind, body)

    def timed_write(self: Database, *arguments: object) -> object:
        result: object = write(self, *arguments)  # type: ignore[arg-type]
        times.append(1000 * (time.perf_counter() - began.at))
        return result

    with Ledger(parse_place(url)) as ledger:
        one_job(ledger, 0)
        with (
            mock.patch.object(Write, "seal", timed_seal),
            mock.patch.object(Database, "write", timed_write),
        ):
            for number in range(1, 1 + jobs):
                one_job(ledger, number)
    return statistics.median(times)


# --- telling


def tell(benches: int, found: Measured, one: Measured) -> None:
    """Print a line, and what was used."""
    processors = os.cpu_count() or 1
    busy = 100 * sum(found.cpu.values()) / found.seconds / processors
    print(f"  {benches} benches: {found.phones} phones in {found.seconds:.1f} s,", end=" ")
    print(f"{found.rate:.1f} a minute, {found.rate / one.rate:.2f} times one;", end=" ")
    print(f"a job {found.job:.1f} s")
    used = ", ".join(f"{who} {1000 * s / found.phones:.0f}" for who, s in found.cpu.items())
    print(f"    CPU ms a phone: {used}; {busy:.0f} % of {processors} processors")
    print(f"    chain: {found.entries / found.seconds:.0f} entries a second;", end=" ")
    told = [f"{what} {count:.2f}" for what, count in list(found.waits.items())[:5]]
    print(f"connections on average: {', '.join(told) or 'idle'}", flush=True)


def compare(server: Cluster, name: str, counts: list[int]) -> None:
    """Measure a setting with each number of benches, and print."""
    setting = SETTINGS[name]
    print(f"{name}: {setting}")
    one: Measured | None = None
    for benches in counts:
        found = measure(server, setting, benches)
        one = one or found
        tell(benches, found, one)


def tell_load() -> None:
    """Print how busy the computer is, whoever makes it so."""
    print(f"load average of the last minute: {os.getloadavg()[0]:.1f}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("settings", nargs="*", metavar="SETTING", help=" or ".join(SETTINGS))
    parser.add_argument("--benches", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--database", help="folder for the database; by default in memory")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.settings if name not in SETTINGS]:
        parser.error(f"there is no setting {', '.join(unknown)}")
    with cluster(chosen.database) as server:
        held = head_held(server.new_database(), 10)
        print(f"An entry and its commit: {held:.2f} ms, {WRITES} of them a job; so no more than")
        print(f"{1000 / held:.0f} entries a second, {60_000 / held / WRITES:.0f} phones a minute")
        for name in chosen.settings or SETTINGS:
            tell_load()
            compare(server, name, chosen.benches)
        tell_load()


if __name__ == "__main__":
    main()
