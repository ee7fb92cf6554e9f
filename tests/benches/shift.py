"""A shift of several benches, of which one is killed in the middle, and what must then be so."""

import signal
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from benches.place import PhoneTable, Place, Program
from usbprov.ledger.entries import Change, Entry
from usbprov.ledger.records import ArtifactKind, JobRecord, JobState
from usbprov.ledger.schema import entries
from usbprov.phone.candidates import Reach, candidates
from usbprov.phone.holding import hold
from usbprov.usb.buses import open_bus
from usbprov.usb.locks import PhoneLocks


@dataclass
class Course:
    """How a shift went; times are seconds from its beginning.

    Attributes:
        killed: When the bench was killed.
        claims: How many claims it left behind.
        moved: When the phones that were moved were done, where that was waited for.
        inherited: How many of them another bench had to finish.
        done: When all were.
    """

    killed: float = 0.0
    claims: int = 0
    moved: float = 0.0
    inherited: int = 0
    done: float = 0.0


def stage(here: Place, seconds: float, *, lease: bool, extra: tuple[str, ...] = ()) -> Course:
    """Stage all phones; the last bench is killed when part of its phones are done.

    Half of its phones move to the first bench, and the bench is started again with the rest.

    Args:
        here: Where.
        seconds: How long the whole may take.
        lease: Whether the bench is started again only when the moved phones are done: their
            users then come free by the end of the dead bench's leases alone.
        extra: More options of ``bench run``.
    """
    began, course = time.monotonic(), Course()
    for table in here.tables:
        table.plug(here.at)
    for program in here.programs:
        here.start(program, *extra)
    total = sum(table.count for table in here.tables)
    victim, heir = here.programs[-1], here.programs[0]
    least = max(1, victim.table.count // 8)
    here.wait(lambda: in_the_middle(here, victim.name, least), "the middle", seconds)
    kill(victim)
    course.killed = time.monotonic() - began
    course.claims = sum(claim.bench == victim.name for claim in here.ledger.claims.held())
    here.programs.remove(victim)
    moved = less_done_half(here, victim.table)
    course.inherited = len(moved) - count_done(here, moved)
    here.tables.append(victim.table.split(moved, here.at.folder / "moved", heir.spare))
    here.tables[-1].plug(here.at)
    if lease:
        here.wait(lambda: count_done(here, moved) == len(moved), "the moved phones", seconds)
        course.moved = time.monotonic() - began
    victim.table.plug(here.at)
    here.programs.append(victim)
    here.start(victim, *extra)
    here.wait(lambda: here.done().total() >= total, "all phones", seconds)
    course.done = time.monotonic() - began
    # A bench that was alone when it looked does so again after some seconds only.
    names = {program.name for program in here.programs}
    here.wait(lambda: shown(here) >= names, "each bench to show its ports to the others", seconds)
    here.end()
    return course


def shown(here: Place) -> set[str]:
    """Return the benches whose ports others can see."""
    return {row.bench for row in here.ledger.benches.changes().rows if row.port}


def kill(victim: Program) -> None:
    """Kill a bench with signal 9, and pull its phones."""
    assert victim.process is not None
    victim.process.send_signal(signal.SIGKILL)
    victim.process.wait()
    victim.table.pull()


def in_the_middle(here: Place, bench: str, least: int) -> bool:
    """Say whether a bench has done some phones, and is at work on others."""
    states = [job.state for job in here.ledger.jobs() if job.bench == bench]
    return states.count(JobState.DONE) >= least and JobState.OPEN in states


def less_done_half(here: Place, table: PhoneTable) -> range:
    """Return the numbers of the half of the phones of which fewer are done."""
    middle = table.first + table.count // 2
    halves = range(table.first, middle), range(middle, table.first + table.count)
    return min(halves, key=lambda half: count_done(here, half) - len(half))


def count_done(here: Place, numbers: range) -> int:
    """Count the phones of these numbers that are done."""
    done = {job.phone_serial for job in here.ledger.jobs() if job.state is JobState.DONE}
    return sum(f"EMU{number:04}" in done for number in numbers)


def check(here: Place, dead: str) -> None:
    """See that phones, ledger and the lab's store agree, and that nothing was claimed twice."""
    total = sum(table.count for table in here.tables)
    jobs = [job for job in here.ledger.jobs() if job.state is JobState.DONE]
    assert len(jobs) == len({job.user for job in jobs}) == total
    assert len({(job.phone_serial, job.phone_mac) for job in jobs}) == total
    assert one_phone_each(here.ledger.jobs())

    published = here.at.published()
    store = {row["sip_uri"]: row["sha256"] for row in published}
    assert len(published) == len(store) == total
    assert store == {job.user: certificate_of(here, job) for job in jobs}
    assert dict(phones(here)) == {
        job.phone_serial: (job.user, store[job.user or ""]) for job in jobs
    }
    claims = here.ledger.database.snapshot(changes_of_claims)
    assert double_claims(claims, dead) == []
    assert here.ledger.claims.held() == []
    here.ledger.verify()


def one_phone_each(jobs: list[JobRecord]) -> bool:
    """Say whether no user was ever meant for two phones, nor a phone for two users."""
    phones, users = defaultdict(set), defaultdict(set)
    for job in jobs:
        phones[job.user].add(job.phone_serial)
        users[job.phone_serial].add(job.user)
    return all(len(found) == 1 for found in (*phones.values(), *users.values()))


def certificate_of(here: Place, job: JobRecord) -> str:
    """Return the SHA-256 of a job's certificate, by the ledger."""
    kept = here.ledger.artifacts(job.id)
    (found,) = (a.sha256 for a in kept if a.kind is ArtifactKind.CERTIFICATE)
    return found


def phones(here: Place) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """Ask every phone who it is, whose it is, and which certificate it uses."""
    reach = Reach(locks=PhoneLocks(here.at.folder / "locks-of-the-check"))
    for table in here.tables:
        for candidate in candidates([open_bus(table.bus)], reach):
            with hold(candidate) as held:
                info = held.phone.info()
            user = info.settings.sip_uri if info.settings else ""
            yield info.serial, (user, info.slots[0].active_certificate)


def double_claims(claims: Iterable[tuple[int, Change]], dead: str) -> list[tuple[int, str]]:
    """Return the claims that were taken while another bench than the dead one held them.

    The chain tells of every claim that was taken and given back, in order; a claim that is taken
    over without having been given back was one whose lease was over.
    """
    holders: dict[str, str] = {}
    doubles = []
    for number, change in claims:
        key = str(change.row)
        if change.columns is None:
            holders.pop(key, None)
            continue
        if holders.get(key, dead) != dead:
            doubles.append((number, key))
        holders[key] = change.columns["bench"]
    return doubles


def changes_of_claims(connection: Connection) -> list[tuple[int, Change]]:
    """Return what the chain's entries say of claims, with the entries' numbers."""
    rows = connection.execute(select(entries).order_by(entries.c.number))
    return [
        (entry.number, change)
        for entry in (Entry(*row) for row in rows)
        for change in entry.changes()
        if change.table == "claim"
    ]
