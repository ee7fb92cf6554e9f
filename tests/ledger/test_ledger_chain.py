"""The chain of entries: it tells every write, and the first entry that does not hold is found."""

import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from jobs import NEW
from sqlalchemy import text

from usbprov.errors import LedgerAltered, LedgerHashUnknown, RequestRefused
from usbprov.ledger.chain import Write
from usbprov.ledger.claims import Claim, ClaimKind, Worker
from usbprov.ledger.entries import START
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState, StepState

WORKER = Worker("bench-1", "port-1", 60.0)

KINDS = [
    "job opened",  # 1
    "step noted",  # 2
    "step begun",  # 3
    "step ended",  # 4
    "user set",  # 5
    "artifact kept",  # 6
    "artifact rejected",  # 7
    "claim taken",  # 8
    "claim taken",  # 9
    "claims released",  # 10
    "job finished",  # 11
]


def fill(ledger: Ledger) -> None:
    """Do each kind of write once; the entries are those of ``KINDS``."""
    job = ledger.open_job(NEW).id
    ledger.note_step(job, "identify", StepState.DONE, 3, "a phone")
    ledger.end_step(ledger.begin_step(job, "publish"), StepState.DONE, 40, "published")
    ledger.set_user(job, "sip:alice@contoso.test")
    ledger.keep(job, ArtifactKind.CERTIFICATE, b"certificate")
    ledger.reject(job, ArtifactKind.CERTIFICATE)
    ledger.claims.claim(ClaimKind.PHONE, "EMU0001", WORKER)
    user = ledger.claims.claim(ClaimKind.USER, "sip:alice@contoso.test", WORKER)
    assert isinstance(user, Claim)
    ledger.claims.release([user])
    ledger.finish(job, JobState.STUCK, RequestRefused("pool", "too small"))


def entries(ledger: Ledger) -> list[tuple[object, ...]]:
    query = "SELECT number, at, kind, previous, body, hash FROM entry ORDER BY number"
    return ledger.database.read(lambda c: [tuple(row) for row in c.exec_driver_sql(query)])


def alter(ledger: Ledger, *statements: str) -> None:
    def work(write: Write) -> None:
        of_bytes = {"sqlite": "BLOB", "postgresql": "BYTEA"}[write.dialect]
        for statement in statements:
            write.execute(text(statement.replace("{bytes}", of_bytes).replace(":", r"\:")))

    ledger.database.write("", work)


def test_every_write_is_an_entry(ledger: Ledger) -> None:
    fill(ledger)
    assert [entry[2] for entry in entries(ledger)] == KINDS
    found = ledger.verify()
    assert (found.entries, found.head) == (len(KINDS), entries(ledger)[-1][5])


def test_what_changes_nothing_is_no_entry(ledger: Ledger) -> None:
    fill(ledger)
    ledger.keep(1, ArtifactKind.REJECTED, b"certificate")
    ledger.finish(99, JobState.DONE)
    ledger.reject(1, ArtifactKind.REQUEST)
    ledger.claims.release([])
    assert ledger.verify().entries == len(KINDS)


def test_the_format_can_be_checked_without_this_program(ledger: Ledger) -> None:
    fill(ledger)
    previous = START
    for number, at, kind, before, body, digest in entries(ledger):
        lines = f"{number}\n{at}\n{kind}\n{before}\n{body}"
        assert before == previous
        assert hashlib.sha256(lines.encode()).hexdigest() == digest
        previous = str(digest)


def test_an_empty_ledger_verifies(ledger: Ledger) -> None:
    assert ledger.verify(START).expected == 0


@pytest.mark.parametrize(
    ("statement", "entry", "about", "found"),
    [
        ("UPDATE job SET state = 'done'", 11, "job 1", "its state was changed"),
        ("UPDATE job SET port_path = '9-9'", 1, "job 1", "its port_path was changed"),
        ("UPDATE job SET roster = 'other'", 1, "job 1", "its roster was changed"),
        (
            "UPDATE step SET ms = 41 WHERE name = 'publish'",
            4,
            "job 1, step publish",
            "its ms was changed",
        ),
        ("DELETE FROM step WHERE name = 'identify'", 2, "job 1, step identify", "it is missing"),
        (
            "UPDATE artifact SET kind = 'certificate'",
            7,
            "job 1, artifact rejected",
            "its kind was changed",
        ),
        ("UPDATE failure SET facts = '{}'", 11, "job 1, failure", "its facts was changed"),
        ("DELETE FROM failure", 11, "job 1, failure", "it is missing"),
        ("UPDATE artifact SET sha256 = 'ab'", 6, "job 1, artifact", "its sha256 was changed"),
        ("UPDATE claim SET worker = 'x'", 8, "claim phone:EMU0001", "its worker was changed"),
        ("DELETE FROM claim", 8, "claim phone:EMU0001", "it is missing"),
        (
            "INSERT INTO step VALUES (9, 1, 'prove', 'done', '2026-01-01 00:00:00', 1, '', '')",
            11,
            "step 9",
            "no entry tells of this row",
        ),
        ("UPDATE entry SET body = '[]' WHERE number = 4", 4, "step ended", "not what its hash"),
        ("UPDATE entry SET at = 'x' WHERE number = 5", 5, "job 1", "not what its hash says"),
        ("DELETE FROM entry WHERE number = 6", 6, "after job 1", "entry 6 is missing"),
        ("DELETE FROM entry WHERE number IN (1, 2)", 1, "beginning", "entries 1 to 2 are missing"),
        ("DELETE FROM entry WHERE number > 9", 10, "after claim", "entries 10 to 11 are missing"),
        ("DELETE FROM entry WHERE number = 11", 11, "after claim", "entry 11 is missing"),
        ("UPDATE head SET number = 10 WHERE name = 'chain'", 12, "after job 1", "head"),
        ("UPDATE head SET hash = 'x' WHERE name = 'chain'", 12, "after job 1", "head"),
        ("DELETE FROM head WHERE name = 'chain'", 12, "after job 1", "head is missing"),
    ],
)
def test_what_was_altered_is_told(
    ledger: Ledger, statement: str, entry: int, about: str, found: str
) -> None:
    fill(ledger)
    alter(ledger, statement)
    with pytest.raises(LedgerAltered) as caught:
        ledger.verify()
    assert caught.value.entry == entry
    assert about in caught.value.about
    assert found in caught.value.found


def test_changed_data_of_a_certificate(ledger: Ledger) -> None:
    fill(ledger)
    alter(ledger, "UPDATE artifact SET data = CAST('forged' AS {bytes})")
    with pytest.raises(LedgerAltered, match=r"entry 6 on: job 1, artifact rejected, at 2.*data"):
        ledger.verify()


def test_the_earliest_of_several_is_told(ledger: Ledger) -> None:
    fill(ledger)
    alter(ledger, "UPDATE job SET state = 'open'", "UPDATE step SET learnt = 'x' WHERE id = 1")
    with pytest.raises(LedgerAltered, match="entry 2 on: job 1, step identify"):
        ledger.verify()


def forge(change: Callable[[list[list[object]]], None]) -> Callable[[Ledger], None]:
    """Write the whole chain anew, with right hashes, after a change of its entries."""

    def forged(ledger: Ledger) -> None:
        chain = [list(entry) for entry in entries(ledger)]
        change(chain)
        previous = START
        statements = ["DELETE FROM entry"]
        for number, row in enumerate(chain, 1):
            at, kind, body = row[1], row[2], row[4]
            lines = f"{number}\n{at}\n{kind}\n{previous}\n{body}"
            digest = hashlib.sha256(lines.encode()).hexdigest()
            values = f"{number}, '{at}', '{kind}', '{previous}', '{body}', '{digest}'"
            statements.append(f"INSERT INTO entry VALUES ({values})")  # noqa: S608
            previous = digest
        head = f"UPDATE head SET number = {len(chain)}, hash = '{previous}' WHERE name = 'chain'"  # noqa: S608
        alter(ledger, *statements, head)

    return forged


def drop_last(chain: list[list[object]]) -> None:
    del chain[-1]


def rename(chain: list[list[object]]) -> None:
    chain[4][4] = str(chain[4][4]).replace("alice", "mallory")


def test_a_chain_cut_at_its_end_is_seen_by_the_tables(ledger: Ledger) -> None:
    fill(ledger)
    forge(drop_last)(ledger)
    with pytest.raises(LedgerAltered, match=r"entry 1 on: job 1.*its state was"):
        ledger.verify()


@pytest.mark.parametrize(
    ("change", "statement", "another"),
    [
        (
            drop_last,
            "UPDATE job SET state = 'open', error_code = NULL, error = NULL",
            "DELETE FROM failure",
        ),
        (rename, "UPDATE job SET \"user\" = 'sip:mallory@contoso.test'", "DELETE FROM board"),
    ],
)
def test_a_ledger_forged_as_a_whole_is_seen_by_a_hash_kept_elsewhere(
    ledger: Ledger, change: Callable[[list[list[object]]], None], statement: str, another: str
) -> None:
    fill(ledger)
    noted = ledger.verify().head
    forge(change)(ledger)
    _settle(ledger, statement, another)
    assert ledger.verify().entries  # by itself it looks good
    with pytest.raises(LedgerHashUnknown):
        ledger.verify(noted)


def _settle(ledger: Ledger, *statements: str) -> None:
    """Make the job's row agree with the forged chain."""
    columns: dict[str, object] = {}
    for entry in entries(ledger):
        for table, _row, values in json.loads(str(entry[4])):
            columns |= values if table == "job" else {}
    when = str(columns["updated"]).replace("T", " ").removesuffix("Z")
    alter(ledger, *statements, f"UPDATE job SET updated = '{when}'")  # noqa: S608


def test_a_hash_of_earlier_holds_later(ledger: Ledger) -> None:
    fill(ledger)
    noted = ledger.verify().head
    ledger.open_job(NEW)
    found = ledger.verify(noted)
    assert (found.expected, found.entries) == (len(KINDS), len(KINDS) + 1)


def test_a_backup_put_back_is_seen_by_a_hash_of_later(tmp_path: Path) -> None:
    path, backup = tmp_path / "ledger", tmp_path / "backup"
    with Ledger(path) as ledger:
        fill(ledger)
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as copy:
            source.backup(copy)
        ledger.open_job(NEW)
        noted = ledger.verify().head
    with Ledger(backup) as old:
        assert old.verify().entries == len(KINDS)
        with pytest.raises(LedgerHashUnknown, match="none of the 11 entries"):
            old.verify(noted)
