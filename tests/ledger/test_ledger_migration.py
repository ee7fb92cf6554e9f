"""A ledger of an older version is brought forward with all its rows, once, and can go back."""

import hashlib
import re
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from colleagues import colleagues, look
from jobs import NEW
from postgres import Cluster
from sqlalchemy import Connection, inspect

from usbprov.errors import LedgerAltered, LedgerTooNew
from usbprov.ledger import migration
from usbprov.ledger.address import LedgerPlace, PostgresAddress
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState, StepState
from usbprov.ledger.schema import SCHEMA, metadata

OLD = (Path(__file__).parents[1] / "data" / "ledger" / "schema-1.sql").read_text("utf-8")

_IN_POSTGRESQL = (
    (r"INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "SERIAL PRIMARY KEY"),
    (r"DATETIME", "TIMESTAMP"),
    (r"BLOB", "BYTEA"),
    (r"\tuser ", '\t"user" '),
    (r"X'([0-9A-F]*)'", r"'\\x\1'"),
    (r'DELETE FROM "sqlite_sequence";', ""),
    (
        r"""INSERT INTO "sqlite_sequence" VALUES\('(\w+)',(\d+)\);""",
        r"SELECT setval('\1_id_seq', \2);",
    ),
)
"""What makes the same ledger of the SQL that SQLite gave out."""


@pytest.fixture
def old_place(new_place: LedgerPlace, request: pytest.FixtureRequest) -> LedgerPlace:
    """A ledger as version 0.1.0 made it."""
    if isinstance(new_place, PostgresAddress):
        server: Cluster = request.getfixturevalue("server")
        tables = re.findall(r"CREATE TABLE .*?;\n", OLD, re.DOTALL)
        # SQLite gives out the tables by name; here one that refers to another comes after it.
        rest = OLD
        for table in tables:
            rest = rest.replace(table, "")
        tables.sort(key=lambda text: "REFERENCES" in text)
        rows = sorted(re.findall(r'INSERT INTO "\w+".*;\n', rest), key=_order)
        script = "".join([*tables, *rows, *re.findall(r"CREATE INDEX.*;\n", rest)])
        for pattern, replacement in _IN_POSTGRESQL:
            script = re.sub(pattern, replacement, script)
        owned = f"SET ROLE {new_place.user};\n{script}"
        server.execute(owned, new_place.database)
    else:
        with closing(sqlite3.connect(new_place)) as connection:
            connection.executescript(OLD)
    return new_place


def _order(row: str) -> int:
    return [name in row for name in ('"meta"', '"job"', '"step"', '"artifact"', "sequence")].index(
        True
    )


def test_every_row_is_kept(old_place: LedgerPlace) -> None:
    with Ledger(old_place) as ledger:
        last, middle, first = ledger.jobs()
        assert (first.state, middle.state, last.state) == (
            JobState.DONE,
            JobState.SUPERSEDED,
            JobState.OPEN,
        )
        assert (first.user, first.nonce) == ("sip:alice@contoso.test", bytes(range(16)))
        assert (first.bench, first.roster) == (None, None)
        assert (middle.error_code, middle.phone_serial) == ("WEB-04", "EMU0002")
        names = [step.name for step in ledger.steps(first.id)]
        assert names == ["identify", "ticket", "key", "request", "publish"]
        assert ledger.steps(last.id)[0].state is StepState.BEGUN
        assert ledger.artifact(first.id, ArtifactKind.CERTIFICATE) == b"0\x82certificate"
        assert ledger.artifacts(middle.id)[0].kind is ArtifactKind.REJECTED


def test_the_old_rows_are_in_the_chain(old_place: LedgerPlace) -> None:
    with Ledger(old_place) as ledger:
        assert ledger.verify().entries == 3
        ledger.finish(3, JobState.FAILED)
        number = ledger.open_job(NEW).id
        assert number == 4, "numbers go on where they were"
        assert ledger.verify().entries == 5
        ledger.database.write(
            "", lambda write: write._connection.exec_driver_sql("UPDATE step SET ms = 1")
        )
        with pytest.raises(LedgerAltered, match=r"entry 1 on: job 1, step identify.*its ms"):
            ledger.verify()


def test_the_tables_are_those_of_a_new_ledger(old_place: LedgerPlace) -> None:
    def differences(connection):
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)
        return [d for d in found if "alembic_version" not in str(d)]

    with Ledger(old_place) as ledger:
        ledger.jobs()
        assert ledger.database.snapshot(differences) == []


def test_a_second_opening_changes_nothing(old_place: LedgerPlace) -> None:
    heads = []
    for _ in range(2):
        with Ledger(old_place) as ledger:
            heads.append(ledger.verify().head)
    assert heads[0] == heads[1]


def test_programs_that_start_together_migrate_once(old_place: LedgerPlace, tmp_path: Path) -> None:
    together(old_place, tmp_path, jobs=3)
    with Ledger(old_place) as ledger:
        assert ledger.verify().entries == 3


def test_programs_that_start_together_make_the_tables_once(
    new_place: LedgerPlace, tmp_path: Path
) -> None:
    together(new_place, tmp_path, jobs=0)


def test_tables_that_another_program_makes_meanwhile_are_no_foreign_ones(
    new_place: LedgerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is looked at first, the other program makes all of them right after it."""

    class Look:
        def __init__(self, connection: Connection) -> None:
            self._look = inspect(connection)

        def __getattr__(self, name: str) -> Callable[..., object]:
            def look(*arguments: object) -> object:
                seen = getattr(self._look, name)(*arguments)
                monkeypatch.setattr(migration, "inspect", inspect)
                with Ledger(new_place) as other:
                    other.open_job(NEW)
                return seen

            return look

    monkeypatch.setattr(migration, "inspect", Look)
    with Ledger(new_place) as ledger:
        assert len(ledger.jobs()) > 0


def together(place: LedgerPlace, folder: Path, jobs: int) -> None:
    signal = folder / "now"
    with colleagues(place, *[look(signal)] * 3) as three:
        assert [one.says() for one in three] == ["ready"] * 3
        signal.touch()
        assert [one.end() for one in three] == [[str(jobs)]] * 3


def test_a_later_ledger_of_schema_1_has_the_facts_of_errors(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file)) as connection, connection:
        connection.execute(
            "CREATE TABLE failure (job INTEGER NOT NULL PRIMARY KEY, facts VARCHAR NOT NULL,"
            " FOREIGN KEY(job) REFERENCES job (id))"
        )
        connection.execute('INSERT INTO failure VALUES (2, \'{"reason": "too small"}\')')
    with Ledger(old_file) as ledger:
        assert ledger.facts(2) == {"reason": "too small"}
        assert ledger.verify().entries == 3
        ledger.finish(2, JobState.DONE)
        assert ledger.facts(2) == {}
        ledger.verify()


# --- the copy that is kept of a file


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD)
    return path


def test_the_old_file_is_kept_beside(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file)) as connection:
        before = list(connection.iterdump())
    with Ledger(old_file) as ledger:
        ledger.jobs()
    kept = old_file.with_name(f"ledger.sqlite3.before-schema-{SCHEMA}")
    with closing(sqlite3.connect(kept)) as connection:
        assert list(connection.iterdump()) == before
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert not list(old_file.parent.glob("*.unfinished"))


def test_what_fails_in_the_middle_leaves_the_ledger_as_it_was(
    old_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    def digest() -> str:
        with closing(sqlite3.connect(old_file)) as connection:
            return hashlib.sha256("".join(connection.iterdump()).encode()).hexdigest()

    before = digest()
    with monkeypatch.context() as patch, Ledger(old_file) as ledger:
        patch.setattr("usbprov.ledger.entries.digest", fail)
        with pytest.raises(Exception, match="No space left"):
            ledger.jobs()
    assert digest() == before
    with Ledger(old_file) as ledger:
        assert len(ledger.jobs()) == 3


def test_a_newer_ledger_is_refused_and_left_alone(new_place: LedgerPlace) -> None:
    newer = f"UPDATE meta SET value = '{SCHEMA + 1}'"  # noqa: S608
    with Ledger(new_place) as ledger:
        ledger.database.write("", lambda write: write._connection.exec_driver_sql(newer))
    with Ledger(new_place) as ledger, pytest.raises(LedgerTooNew):
        ledger.open_job(NEW)
