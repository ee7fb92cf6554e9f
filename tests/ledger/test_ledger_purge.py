"""A purge removes details of old jobs from the disk; the rest, and the chain, hold as before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jobs import NEW
from postgres import Cluster
from sqlalchemy import text

from usbprov.errors import (
    LedgerAltered,
    LedgerBusy,
    LedgerDenied,
    LedgerHashPurged,
    LedgerUnconfirmed,
    RequestRefused,
)
from usbprov.ledger.address import parse_place
from usbprov.ledger.backup import back_up
from usbprov.ledger.checkpoint import CHECKPOINT, PURGED, make_checkpoint
from usbprov.ledger.claims import ClaimKind, Worker
from usbprov.ledger.entries import START
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.purge import Purged, plan_purge, purge, purge_tapes
from usbprov.ledger.purge_plan import Plan
from usbprov.ledger.records import ArtifactKind, JobState, NewJob, StepState
from usbprov.ledger.restore import restore_file
from usbprov.ledger.story import read_entries
from usbprov.tape.folder import TapeFolder

LEARNT, REQUEST, EXTENSION, WORDS = "marker-learnt", b"marker-request", "4711000", "marker-words"
MARKERS = (LEARNT.encode(), REQUEST, EXTENSION.encode(), WORDS.encode())


in_a_file = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
"""What the databases do not differ in."""


def yes(_plan: Plan) -> bool:
    return True


def job(
    ledger: Ledger, state: JobState, new: NewJob = NEW, user: str | None = "sip:a@contoso.test"
) -> int:
    """Do a whole job, which holds all markers."""
    number = ledger.open_job(replace(new, extension=EXTENSION)).id
    ledger.note_step(number, "identify", StepState.DONE, 3, LEARNT)
    attempt = ledger.begin_step(number, "publish")
    ledger.end_step(attempt, StepState.DONE, 40, LEARNT)
    if user:
        ledger.set_user(number, user)
    ledger.keep(number, ArtifactKind.REQUEST, REQUEST)
    ledger.keep(number, ArtifactKind.CERTIFICATE, b"certificate %d" % number)
    error = None if state is JobState.DONE else RequestRefused("pool", WORDS)
    if state is not JobState.OPEN:
        ledger.finish(number, state, error)
    return number


def phone(number: int) -> NewJob:
    return replace(NEW, phone_serial=f"EMU{number}")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def cut(ledger: Ledger) -> datetime:
    return fill(ledger)


def fill(ledger: Ledger) -> datetime:
    """Do jobs; returns the moment that parts 1 to 5, of which 3 and 4 are not finished, from 6."""
    ledger.claims.claim(ClaimKind.PHONE, "EMU1", Worker("north", "port-1", 60.0))
    job(ledger, JobState.DONE, phone(1))  # 1: the phone was staged again
    job(ledger, JobState.DONE, phone(1))  # 2
    job(ledger, JobState.STUCK, phone(3))  # 3
    job(ledger, JobState.OPEN, phone(4))  # 4
    job(ledger, JobState.FAILED, phone(5))  # 5
    moment = now()
    job(ledger, JobState.DONE, phone(6))  # 6
    return moment


def purged(ledger: Ledger, cut: datetime) -> Purged:
    done = purge(ledger.database, cut, yes)
    assert done is not None
    return done


def chain(ledger: Ledger) -> list[tuple[int, str]]:
    query = "SELECT number, kind FROM entry ORDER BY number"
    return ledger.database.read(lambda c: [(n, k) for n, k in c.exec_driver_sql(query)])


def alter(ledger: Ledger, *statements: str) -> None:
    ledger.database.write("", lambda w: [w.execute(text(one)) for one in statements])


# --- what goes, and what stays


def test_what_goes_and_what_stays(ledger: Ledger, cut: datetime) -> None:
    before = {record.id: record for record in ledger.jobs()}
    whole = {number: (ledger.steps(number), ledger.artifacts(number)) for number in before}
    done = purged(ledger, cut)
    assert done.plan.jobs == (1, 2, 5)
    assert (done.plan.steps, done.plan.failures, done.plan.artifacts) == (6, 1, 3)
    for number in (3, 4, 6):  # not finished, or too young
        assert ledger.job(str(number)) == before[number]
        assert (ledger.steps(number), ledger.artifacts(number)) == whole[number]
    assert ledger.facts(3)
    for number in (1, 2, 5):
        assert ledger.steps(number) == []
        assert [kept.data for kept in ledger.artifacts(number)] == [b"certificate %d" % number]
        assert ledger.facts(number) == {}
    assert ledger.job("1") == replace(before[1], extension=None)
    assert ledger.job("2") == before[2], "whose phone it is now"
    assert ledger.job("5") == replace(before[5], extension=None, error=None)
    assert ledger.job("5").error_code == "WEB-04"


def test_what_a_repeat_needs_is_found_as_before(ledger: Ledger, cut: datetime) -> None:
    asked = replace(phone(1), extension=EXTENSION)
    known = replace(asked, user="sip:a@contoso.test")
    found = [ledger.latest(new, JobState.DONE) for new in (asked, known)]
    open_ones = ledger.latest(replace(phone(4), extension=EXTENSION), JobState.OPEN)
    of_phone = ledger.latest_of_phone("EMU1", NEW.phone_mac)
    purged(ledger, cut)
    # The user of an extension is not known before the ticket says so: that is how it was found.
    assert [ledger.latest(new, JobState.DONE) for new in (asked, known)] == found
    assert found[1] is not None
    assert ledger.artifact(found[1].id, ArtifactKind.CERTIFICATE) == b"certificate 2"
    assert ledger.latest(replace(phone(4), extension=EXTENSION), JobState.OPEN) == open_ones
    assert ledger.latest_of_phone("EMU1", NEW.phone_mac) == of_phone
    assert ledger.open_job(phone(4)).id == 7
    assert ledger.job("4").state is JobState.SUPERSEDED
    assert ledger.begin_step(7, "key") > 12, "numbers of removed rows are not given again"
    ledger.verify()


@in_a_file
def test_a_second_purge_finds_nothing(ledger: Ledger, cut: datetime) -> None:
    purged(ledger, cut)
    before = chain(ledger)
    assert purge(ledger.database, cut, yes) is None
    assert chain(ledger) == before


@in_a_file
def test_a_dry_run_and_a_no_remove_nothing(ledger: Ledger, cut: datetime) -> None:
    before = chain(ledger)
    plan = plan_purge(ledger.database, cut)
    assert str(plan) == (
        "the details of 3 jobs (6 steps, 3 requests, 1 errors) and 40 entries of the chain"
    )
    with pytest.raises(LedgerUnconfirmed, match="the details of 3 jobs"):
        purge(ledger.database, cut, lambda _: False)
    assert chain(ledger) == before
    assert len(ledger.steps(1)) == 2


# --- the disk


def test_it_is_gone_from_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as ledger:
        for number in range(40):
            job(ledger, JobState.FAILED, phone(number))
        assert all(marker in everything(path) for marker in MARKERS)
        done = purged(ledger, now())
        assert done.size.log_emptied
        assert done.size.after < done.size.before
        # With benches at work, too: nothing of it may come back with what is written next.
        ledger.open_job(NEW)
        assert [marker for marker in MARKERS if marker in everything(path)] == []
        ledger.verify()
    assert [marker for marker in MARKERS if marker in everything(path)] == []


def everything(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_recordings_go_with_their_jobs(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as ledger:
        job(ledger, JobState.DONE, phone(1))
        job(ledger, JobState.STUCK, phone(2))
        folder = TapeFolder(path)
        folder.path.mkdir()
        cut = now()
        old = f"{cut - timedelta(days=1):%Y%m%dT%H%M%S%f}-7.jsonl"
        young = f"{cut + timedelta(seconds=1):%Y%m%dT%H%M%S%f}-7.jsonl"
        names = [f"{whose}{when}" for whose in ("job-1-", "job-2-", "") for when in (old, young)]
        for name in names:
            (folder.path / name).touch()
        assert purge_tapes(path, ledger.database, cut) == 2
        left = {tape.path.name for tape in folder.tapes()}
        assert left == set(names) - {f"job-1-{old}", old}


# --- the chain


def test_the_chain_begins_with_a_checkpoint_and_says_so(ledger: Ledger, cut: datetime) -> None:
    before = chain(ledger)
    done = purged(ledger, cut)
    last = max(n for n, kind in before if n <= done.plan.up_to)
    after = chain(ledger)
    assert after[0] == (last, CHECKPOINT)
    assert after[1:-1] == before[last:]
    assert after[-1] == (len(before) + 1, PURGED)
    found = ledger.verify()
    assert (found.entries, found.head) == (done.entry, done.head)
    assert found.purged is not None
    assert (found.purged.up_to, found.purged.jobs) == (last, 3)
    assert found.purged.entry == done.entry


@in_a_file
def test_a_hash_from_before_is_answered(ledger: Ledger) -> None:
    job(ledger, JobState.FAILED, phone(1))
    job(ledger, JobState.OPEN, phone(2))
    hashes: dict[int, str] = {}
    query = "SELECT number, hash FROM entry"
    ledger.database.read(lambda c: hashes.update(tuple(row) for row in c.exec_driver_sql(query)))
    done = purged(ledger, now())
    assert done.plan.up_to == 8
    for number, digest in hashes.items():
        if number >= done.plan.up_to:  # the one at the checkpoint, and all that stayed
            assert ledger.verify(digest).expected == number
        else:
            with pytest.raises(LedgerHashPurged, match="entries 8 to 16") as caught:
                ledger.verify(digest)
            assert caught.value.at
    assert ledger.verify(done.head).expected == done.entry
    assert ledger.verify(START).expected == 0


@in_a_file
def test_purge_after_purge(ledger: Ledger) -> None:
    heads = []
    for number in range(4):
        job(ledger, JobState.FAILED, phone(number))
        heads.append(purged(ledger, now()).head)
    job(ledger, JobState.DONE, phone(9))
    assert ledger.verify(heads[-1]).expected
    assert [kind for _, kind in chain(ledger)][:2] == [CHECKPOINT, PURGED]
    assert len(ledger.jobs()) == 5
    ledger.open_job(phone(3))
    ledger.verify()


@in_a_file
def test_a_purge_whose_checkpoint_stays_where_it_was(ledger: Ledger) -> None:
    """A job that was unfinished at the first purge, and that nothing told of since, but its end."""
    job(ledger, JobState.STUCK, phone(1))
    job(ledger, JobState.FAILED, phone(2))
    first = purged(ledger, now())
    ledger.finish(1, JobState.DONE)
    second = purged(ledger, now())
    assert second.plan.jobs == (1,)
    assert second.plan.up_to > first.plan.up_to
    ledger.verify(second.head)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE job SET state = 'failed' WHERE id = 1", "its state was changed"),
        ("UPDATE job SET extension = '1' WHERE id = 1", "its extension was changed"),
        ("DELETE FROM artifact WHERE job = 1", "it is missing"),
        ("UPDATE artifact SET sha256 = 'ab' WHERE job = 2", "its sha256 was changed"),
        ("DELETE FROM step WHERE job = 4", "it is missing"),
        ("UPDATE step SET ms = 1 WHERE job = 6", "its ms was changed"),
        ("UPDATE claim SET bench = 'x'", "its bench was changed"),
        ("UPDATE entry SET body = replace(body, 'EMU1', 'EMU9') WHERE kind = 'checkpoint'", "hash"),
        ("UPDATE entry SET at = 'x' WHERE kind = 'checkpoint'", "hash"),
        ("UPDATE entry SET kind = 'x' WHERE kind = 'checkpoint'", "are missing"),
        ("UPDATE entry SET previous = 'x' WHERE kind = 'checkpoint'", "hash"),
        ("UPDATE entry SET hash = 'x' WHERE kind = 'checkpoint'", "another chain"),
        ("DELETE FROM entry WHERE kind = 'checkpoint'", "missing"),
        ("DELETE FROM entry WHERE kind = 'purged'", "missing"),
        ("UPDATE entry SET body = replace(body, 'seal', 'deal') WHERE kind = 'purged'", "hash"),
    ],
)
def test_what_is_altered_after_a_purge_is_seen(
    purged_file: bytes, tmp_path: Path, statement: str, found: str
) -> None:
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(purged_file)
    with Ledger(path) as ledger:
        alter(ledger, statement)
        with pytest.raises(LedgerAltered, match=found):
            ledger.verify()


@pytest.fixture(scope="module")
def purged_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A ledger's file after a purge."""
    path = tmp_path_factory.mktemp("purged") / "ledger.sqlite3"
    with Ledger(path) as ledger:
        purged(ledger, fill(ledger))
    return path.read_bytes()


@in_a_file
def test_a_checkpoint_with_a_right_seal_of_its_own_is_seen(ledger: Ledger, cut: datetime) -> None:
    purged(ledger, cut)
    first = ledger.database.snapshot(lambda c: next(read_entries(c)))
    changes = [c for c in first.changes() if c.table != "claim"]
    forged = make_checkpoint(first, changes)
    values = {"seal": forged.previous, "body": forged.body}
    statement = text("UPDATE entry SET previous = :seal, body = :body WHERE kind = 'checkpoint'")
    ledger.database.write("", lambda w: w.execute(statement, values))
    alter(ledger, "DELETE FROM claim")
    with pytest.raises(LedgerAltered, match="does not begin with the checkpoint"):
        ledger.verify()


@in_a_file
def test_what_was_altered_before_is_not_hidden_by_a_purge(ledger: Ledger, cut: datetime) -> None:
    alter(ledger, "UPDATE step SET ms = 7 WHERE job = 1")
    before = chain(ledger)
    with pytest.raises(LedgerAltered):
        purge(ledger.database, cut, yes)
    assert chain(ledger) == before


# --- others at work


def test_a_job_that_is_written_to_meanwhile(ledger: Ledger, cut: datetime) -> None:
    def meanwhile(_plan: Plan) -> bool:
        ledger.keep(5, ArtifactKind.REQUEST, b"another")
        return True

    with pytest.raises(LedgerBusy, match="just now"):
        purge(ledger.database, cut, meanwhile)
    assert len(ledger.steps(5)) == 2
    ledger.verify()
    purged(ledger, cut)


def test_other_jobs_meanwhile_do_no_harm(ledger: Ledger, cut: datetime) -> None:
    def meanwhile(_plan: Plan) -> bool:
        job(ledger, JobState.DONE, phone(7))
        ledger.end_step(ledger.begin_step(4, "install"), StepState.DONE, 1)
        return True

    assert purge(ledger.database, cut, meanwhile) is not None
    assert len(ledger.steps(7)) == 2
    assert len(ledger.steps(4)) == 3
    ledger.verify()


def test_two_purges_at_once(ledger: Ledger, cut: datetime) -> None:
    def meanwhile(_plan: Plan) -> bool:
        purged(ledger, cut)
        return True

    with pytest.raises(LedgerBusy):
        purge(ledger.database, cut, meanwhile)
    ledger.verify()


@in_a_file
def test_a_bench_that_looks_for_what_changed_reads_all_of_it_anew(
    ledger: Ledger, cut: datetime
) -> None:
    roster = replace(phone(8), roster="shift")
    eighth = job(ledger, JobState.DONE, roster)
    known = ledger.served_since("shift", 0).number
    early = known - 20
    done = purged(ledger, cut)
    assert early < done.plan.up_to <= known
    news = ledger.served_since("shift", early)
    assert news.begun is None
    assert [served.job for served in news.jobs] == [eighth]
    later = ledger.served_since("shift", known)
    assert (later.jobs, later.begun) == ([], frozenset())


# --- elsewhere


def test_a_purged_ledger_in_a_backup(ledger: Ledger, cut: datetime, tmp_path: Path) -> None:
    early = back_up(ledger.database, tmp_path / "early").path
    purged(ledger, cut)
    made = back_up(ledger.database, tmp_path / "copy")
    with Ledger(made.path) as copy:
        assert copy.verify().purged == ledger.verify().purged
        copy.open_job(phone(1))
    asked = []
    # A ledger and its backup of before a purge have in common what both still have.
    restore_file(made.path, early, lambda exchange: not asked.append(exchange.set_aside))
    assert asked == [2]


def test_only_the_owner_may_purge(server: Cluster) -> None:
    url = server.new_database()
    name = url.partition("?")[0].rpartition("/")[2]
    with Ledger(parse_place(url)) as ledger:
        job(ledger, JobState.FAILED)
    server.execute(
        f"CREATE ROLE bench_{name} LOGIN;"
        f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO bench_{name};"
        f"GRANT UPDATE (number, previous, hash) ON head TO bench_{name}",
        name,
    )
    with Ledger(parse_place(server.url(name, f"bench_{name}"))) as ledger:
        with pytest.raises(LedgerDenied):
            purge(ledger.database, now(), yes)
        ledger.verify()
        assert len(ledger.steps(1)) == 2
