"""What a phone costs in the ledger, and what of that is the chain.

Run it as ``python benchmarks/ledger.py [PLACE]``. PLACE is a folder on the disk that is to be
measured (a file is made in it, and removed), or the URL of an empty PostgreSQL database. Jobs with
and without the chain alternate, so that what else the computer does falls on both; then all the
jobs of a bench are done at once, a thread each; then it is looked whom a roster's jobs serve, when
few are served and when thousands are, which must cost a phone the same.
"""

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from unittest import mock

from usbprov.bench.roster import RosterEntry
from usbprov.bench.served import ServedSoFar
from usbprov.ledger.address import LedgerPlace, parse_place
from usbprov.ledger.chain import Write
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState, NewJob, StepState
from usbprov.ledger.schema import jobs

NEW = NewJob(
    phone_serial="EMU0001",
    phone_mac="02:00:5e:00:00:01",
    phone_model="usbprov EP-100",
    port_path="1-1.4.2",
    slot=0,
    user=None,
    extension="1001",
    web_services_url="https://pool.contoso.test/CertProv/CertProvisioningService.svc",
    registrar="pool.contoso.test:5061",
    key_source="phone",
    nonce=bytes(16),
)
STEPS = ("ticket", "clock", "trust", "key", "request", "publish", "check", "install", "prove")
ROSTER, AT, NUMBERS = "shift", datetime.now(UTC), count()
WRITES = 2 + 2 + 2 * len(STEPS) + 3
"""Of one job, each of them a durable commit."""


@dataclass(frozen=True)
class Cost:
    """What one job took, in ms."""

    wall: float
    cpu: float


def one_job(ledger: Ledger, number: int) -> None:
    """Write what a phone's job writes."""
    job = ledger.open_job(replace(NEW, phone_serial=f"EMU{number:05}")).id
    for name in ("identify", "plan"):
        ledger.note_step(job, name, StepState.DONE, 4, "usbprov EP-100, firmware 1.4.2")
    for name in STEPS:
        attempt = ledger.begin_step(job, name)
        ledger.end_step(attempt, StepState.DONE, 12, "what was learnt in this step")
    ledger.set_user(job, "sip:alice@contoso.test")
    ledger.keep(job, ArtifactKind.REQUEST, number.to_bytes(4) * 160)
    ledger.keep(job, ArtifactKind.CERTIFICATE, number.to_bytes(4) * 225)
    ledger.finish(job, JobState.DONE)


def without_chain() -> contextlib.AbstractContextManager[object]:
    """Have writes append no entry, until the block's end."""
    return mock.patch.object(Write, "seal", return_value=None)


def cost_of(ledger: Ledger, number: int) -> Cost:
    """Do one job by itself."""
    wall, cpu = time.perf_counter(), time.process_time()
    one_job(ledger, number)
    return Cost((time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000)


def alternate(ledger: Ledger, pairs: int) -> tuple[list[Cost], list[Cost]]:
    """Return the costs with and without the chain."""
    chained, bare = [], []
    for number in range(pairs):
        chained.append(cost_of(ledger, 2 * number))
        with without_chain():
            bare.append(cost_of(ledger, 2 * number + 1))
    return chained, bare


def report(name: str, costs: list[Cost]) -> None:
    """Print the medians."""
    wall = statistics.median(cost.wall for cost in costs)
    cpu = statistics.median(cost.cpu for cost in costs)
    print(f"{name}: {wall:6.1f} ms a job, {cpu:5.1f} ms of them CPU, {WRITES} commits")


def report_bench(ledger: Ledger, phones: int) -> None:
    """Do all jobs at once, and print what that took."""
    wall, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(phones) as pool:
        list(pool.map(lambda number: one_job(ledger, number), range(10_000, 10_000 + phones)))
    took, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rate = phones * WRITES / took
    print(f"{phones} at once: {took:.2f} s, {cpu:.2f} s of them CPU, {rate:.0f} commits/s")


def report_served(ledger: Ledger, few: int = 30, many: int = 3_000) -> None:
    """Print what a look at whom a roster serves costs, by how many it serves already."""
    so_far = ServedSoFar(ledger, ROSTER, lambda _user, extension: RosterEntry(2, extension or ""))
    costs = []
    for served in (few, many):
        serve(ledger, served - len(so_far.phones))
        whole = cpu_of(so_far.look)
        costs.append(statistics.median(look_after_another(ledger, so_far) for _ in range(60)))
        print(f"{served:>5} served: {whole:6.2f} ms CPU to read all, {costs[-1]:5.2f} ms a phone")
    print(f"with {many} it costs {costs[1] / costs[0]:.2f} times what it does with {few}")


def serve(ledger: Ledger, count: int) -> None:
    """Add so many phones that are done, in one write."""
    new = vars(NEW) | {"roster": ROSTER, "state": JobState.DONE, "created": AT, "updated": AT}

    def work(write: Write) -> None:
        for _ in range(count):
            serial, extension = f"S{next(NUMBERS)}", f"{next(NUMBERS)}"
            write.insert(jobs, new | {"phone_serial": serial, "extension": extension})

    ledger.database.write("job opened", work)


def look_after_another(ledger: Ledger, so_far: ServedSoFar) -> float:
    """Have one more phone served, and return the processor time of the looks that it needs."""
    serve(ledger, 1)
    return cpu_of(so_far.look) + cpu_of(so_far.look)


def cpu_of(work: Callable[[], object]) -> float:
    """Return the processor time of a call in ms."""
    began = time.process_time()
    work()
    return 1000 * (time.process_time() - began)


@contextlib.contextmanager
def place_of(text: str) -> Iterator[LedgerPlace]:
    """Give the database, or a file in the folder."""
    if "://" in text:
        yield parse_place(text)
        return
    with tempfile.TemporaryDirectory(dir=text) as folder:
        yield Path(folder) / "ledger.sqlite3"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("place", nargs="?", default=".")
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--phones", type=int, default=64)
    options = parser.parse_args()
    with place_of(options.place) as place, Ledger(place) as ledger:
        one_job(ledger, 9_999)
        chained, bare = alternate(ledger, options.pairs)
        report("with the chain   ", chained)
        report("without the chain", bare)
        report_bench(ledger, options.phones)
        report_served(ledger)


if __name__ == "__main__":
    main()
