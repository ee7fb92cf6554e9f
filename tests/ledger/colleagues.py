"""Other programs at the same ledger: processes that say what they did."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from chain_head import hold_head
from jobs import NEW
from processes import PATIENCE

from usbprov.ledger.address import LedgerPlace
from usbprov.ledger.chain import Write
from usbprov.ledger.claims import Claim, ClaimKind, Roster, Worker
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState
from usbprov.ledger.schema import jobs

USERS = [f"sip:user{number}@contoso.test" for number in range(16)]
ROSTER = Roster("autumn", USERS, served=[JobState.DONE])

Say = Callable[[str], None]
Task = Callable[[Ledger, Say], None]

_FORK = multiprocessing.get_context("fork")


def serve(name: str, lease: float) -> Task:
    """Serve one user of the roster after the other."""

    def run(ledger: Ledger, say: Say) -> None:
        while claim := ledger.claims.next_user(ROSTER, Worker(name, "port", lease)):
            phone = {"phone_serial": claim.key, "phone_mac": claim.key}
            job = ledger.open_job(
                replace(NEW, roster=ROSTER.name, user=claim.key, bench=name, **phone)
            )
            if ledger.claims.renew([claim], lease):
                continue  # lost: somebody else has the user now
            ledger.finish(job.id, JobState.DONE)
            ledger.claims.release([claim])
            say(claim.key)

    return run


def hold(seconds: float) -> Task:
    """Claim a phone, and do nothing more."""

    def run(ledger: Ledger, say: Say) -> None:
        claim = ledger.claims.claim(ClaimKind.PHONE, "EMU0001", Worker("dead", "p", seconds))
        assert isinstance(claim, Claim)
        say("held")
        time.sleep(600)

    return run


def hang(ledger: Ledger, say: Say) -> None:
    """Stay in the middle of a transaction, with everything locked."""

    def work(write: Write) -> None:
        hold_head(write)
        now = datetime.now(UTC)
        write.insert(jobs, {**vars(NEW), "state": JobState.OPEN, "created": now, "updated": now})
        say("hung")
        time.sleep(600)

    ledger.database.write("job opened", work)


def look(signal: Path) -> Task:
    """Open the ledger as soon as a file is there, at the same time as others."""

    def run(ledger: Ledger, say: Say) -> None:
        say("ready")
        while not signal.exists():
            time.sleep(0.001)
        say(str(len(ledger.jobs())))

    return run


class Colleague:
    """One that was started."""

    def __init__(self, place: LedgerPlace, task: Task) -> None:
        self._hears, speaks = _FORK.Pipe(duplex=False)

        def run() -> None:
            with Ledger(place) as ledger:
                task(ledger, speaks.send)

        self._process = _FORK.Process(target=run)
        self._process.start()
        speaks.close()

    def says(self) -> str:
        """Return the next that it says."""
        assert self._hears.poll(PATIENCE)
        return str(self._hears.recv())

    def end(self) -> list[str]:
        """Wait for its end; returns the rest of what it says."""
        said = self._rest()
        self._process.join(PATIENCE)
        assert self._process.exitcode == 0
        return said

    def kill(self) -> None:
        """Kill it with signal 9, if it still runs."""
        self._process.kill()
        self._process.join(PATIENCE)
        self._hears.close()

    def _rest(self) -> list[str]:
        said = []
        while True:
            try:
                said.append(self.says())
            except EOFError:
                return said


@contextmanager
def colleagues(place: LedgerPlace, *tasks: Task) -> Iterator[list[Colleague]]:
    """Start one a task; kill what is left at the end."""
    started = [Colleague(place, task) for task in tasks]
    try:
        yield started
    finally:
        for colleague in started:
            colleague.kill()
