"""A ledger is copied while benches write, put back whole, and never silently lost in that."""

import re
import shutil
import sqlite3
import stat
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
from colleagues import Colleague, Say, colleagues
from jobs import NEW
from postgres import Cluster
from test_ledger_migration import OLD

from usbprov.errors import (
    LedgerAltered,
    LedgerBusy,
    LedgerDamaged,
    LedgerDenied,
    LedgerError,
    LedgerForeign,
    LedgerNotCopied,
    LedgerNotEmpty,
    LedgerTooNew,
    LedgerUnconfirmed,
    RequestRefused,
)
from usbprov.ledger import backup as backups
from usbprov.ledger import solitude
from usbprov.ledger.address import LedgerPlace, parse_place
from usbprov.ledger.backup import back_up
from usbprov.ledger.benches import PortRow
from usbprov.ledger.claims import ClaimKind, Worker
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState, StepState
from usbprov.ledger.restore import Exchange, restore_file, restore_on_server
from usbprov.ledger.schema import SCHEMA, metadata
from usbprov.ledger.vacuum import vacuum


def fill(ledger: Ledger, jobs: int = 3) -> None:
    for _ in range(jobs):
        job = ledger.open_job(NEW).id
        ledger.note_step(job, "identify", StepState.DONE, 3, "ein Fernsprecher \N{SNOWMAN}")
        ledger.keep(job, ArtifactKind.CERTIFICATE, b"0\x82certificate")
        ledger.finish(job, JobState.STUCK, RequestRefused("pool", "too small"))
    ledger.benches.begin("north", "host", 7, 60.0)
    ledger.claims.claim(ClaimKind.PHONE, "EMU0001", Worker("north", "port-1", 60.0))
    ledger.benches.show("north", [PortRow("A1", "done")])


def rows(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    def work(connection):
        return {
            table.name: [
                tuple(row)
                for row in connection.execute(table.select().order_by(*table.primary_key))
            ]
            for table in metadata.sorted_tables
        }

    return ledger.database.snapshot(work)


def yes(_exchange: Exchange) -> bool:
    return True


def never(exchange: Exchange) -> bool:
    raise AssertionError(exchange)


# --- backup


def test_the_copy_is_the_ledger(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger)
    copy = tmp_path / "copy.sqlite3"
    percents: list[int] = []
    made = back_up(ledger.database, copy, percents.append)
    head = ledger.verify()
    assert (made.entries, made.head, made.at) == (head.entries, head.head, head.at)
    assert made.size == copy.stat().st_size
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert percents[-1] == 100
    names = {file.name for file in tmp_path.iterdir()}
    assert names - {"ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm"} == {copy.name}
    with Ledger(copy) as other:
        assert rows(other) == rows(ledger)
        assert other.verify(head.head).expected == head.entries
        assert other.open_job(NEW).id == 4, "numbers go on where they were"


def test_numbers_of_removed_rows_are_not_given_again(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger)
    ledger.database.write("", lambda w: w.connection.exec_driver_sql("DELETE FROM step"))
    back_up(ledger.database, tmp_path / "copy")
    with Ledger(tmp_path / "copy") as other:
        assert other.begin_step(1, "publish") == 4


def test_a_copy_is_of_one_moment_while_others_write(place: LedgerPlace, tmp_path: Path) -> None:
    def write(ledger: Ledger, say: Say) -> None:
        for number in range(10_000):
            ledger.open_job(replace(NEW, slot=number))
            say("one more")

    with Ledger(place) as ledger:
        fill(ledger)
        with colleagues(place, write, write) as (one, other):
            copies = []
            for number in range(3):
                assert one.says() == other.says() == "one more"
                copies.append(back_up(ledger.database, tmp_path / f"copy-{number}"))
    assert len({made.entries for made in copies}) == 3
    for made in copies:
        with Ledger(made.path) as copy:
            assert copy.verify().head == made.head


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_nothing_is_overwritten(ledger: Ledger, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("something else")
    with pytest.raises(LedgerNotCopied, match="there is such a file"):
        back_up(ledger.database, there)
    assert there.read_text() == "something else"


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_nor_what_came_meanwhile(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"

    def come(*_: object) -> object:
        copy.write_text("something else")
        return None

    monkeypatch.setattr(backups, "describe", come)
    with pytest.raises(LedgerNotCopied, match="there is such a file"):
        back_up(ledger.database, copy)
    assert copy.read_text() == "something else"
    assert not list(tmp_path.glob(".copy.*"))


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_folder_that_is_not_there(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(LedgerNotCopied):
        back_up(ledger.database, tmp_path / "none" / "copy")


def test_a_stick_that_knows_neither_owners_nor_links(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    monkeypatch.setattr("os.chmod", refuse)
    copy = tmp_path / "copy"
    with Ledger(path) as ledger:
        made = back_up(ledger.database, copy)
        with pytest.raises(LedgerNotCopied, match="there is such a file"):
            back_up(ledger.database, copy)
    done = restore_file(path, copy, yes)
    assert not list(tmp_path.glob(".*"))
    with Ledger(path) as ledger, Ledger(done.kept) as kept:
        assert ledger.verify().head == kept.verify().head == made.head


def test_what_is_damaged_makes_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as ledger:
        fill(ledger)
    damage(path, "step")
    with Ledger(path) as ledger, pytest.raises(LedgerDamaged, match=r"ledger\.sqlite3"):
        back_up(ledger.database, tmp_path / "copy")
    assert not list(tmp_path.glob("*copy*"))


def damage(path: Path, table: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        (page,) = connection.execute(query, [table]).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 100)


# --- restore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of three jobs, nobody's at the moment."""
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as ledger:
        fill(ledger)
    return path


@pytest.fixture
def copy(path: Path, tmp_path: Path) -> Path:
    """Its backup, in another folder."""
    (tmp_path / "stick").mkdir()
    with Ledger(path) as ledger:
        return back_up(ledger.database, tmp_path / "stick" / "copy").path


def kept(path: Path) -> list[Path]:
    return sorted(path.parent.glob("ledger.sqlite3.before-restore-*"))


def test_an_older_backup_sets_aside_what_it_lacks_and_asks(path: Path, copy: Path) -> None:
    with Ledger(path) as ledger:
        ledger.open_job(NEW)
        ledger.open_job(NEW)  # supersedes the one before
        later = ledger.verify()
    asked: list[Exchange] = []

    def no(exchange: Exchange) -> bool:
        asked.append(exchange)
        return False

    with pytest.raises(LedgerUnconfirmed, match="2 of its 15 entries are not in the backup"):
        restore_file(path, copy, no)
    assert (asked[0].present, asked[0].set_aside) == (15, 2)
    with Ledger(path) as ledger:
        assert ledger.verify() == later, "nothing was done"
    assert not kept(path)

    done = restore_file(path, copy, yes)
    assert kept(path) == [done.kept]
    assert re.fullmatch(r"ledger\.sqlite3\.before-restore-\d{8}T\d{6}Z", done.kept.name)
    with Ledger(path) as ledger, Ledger(done.kept) as aside:
        assert ledger.verify().head == done.backup.head
        assert aside.verify(later.head).expected == later.entries
    assert {stat.S_IMODE(file.stat().st_mode) for file in (path, done.kept)} == {0o600}
    assert sorted(copy.parent.iterdir()) == [copy], "the backup was only read"
    assert not list(path.parent.glob(".*"))


def test_what_takes_nothing_away_does_not_ask(path: Path, copy: Path, tmp_path: Path) -> None:
    assert restore_file(path, copy, never).set_aside == 0  # the same
    with Ledger(copy) as ahead:
        ahead.open_job(NEW)
    assert restore_file(path, copy, never).set_aside == 0  # ahead
    done = restore_file(tmp_path / "new" / "ledger", copy, never)  # none there
    assert done.kept is None
    assert len(kept(path)) == 2


def test_a_link_to_the_ledger_stays_one(path: Path, copy: Path, tmp_path: Path) -> None:
    link = tmp_path / "linked" / "ledger"
    link.parent.mkdir()
    link.symlink_to(path)
    done = restore_file(link, copy, never)
    assert link.is_symlink()
    assert kept(path) == [done.kept]
    with Ledger(link) as ledger:
        assert ledger.verify().head == done.backup.head


def test_the_ledger_of_others_is_not_in_it(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    with Ledger(other) as ledger:
        fill(ledger)
    with pytest.raises(LedgerUnconfirmed, match="13 of its 13 entries"):
        restore_file(path, other, lambda _: False)


def test_nobody_else_may_use_the_ledger(
    path: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solitude, "PATIENCE", 0.1)
    with Ledger(path) as user:
        user.jobs()
        with pytest.raises(LedgerBusy, match="another process has it open"):
            restore_file(path, copy, yes)
        user.open_job(NEW)  # it goes on
        assert user.verify().entries == 14
    assert not kept(path)
    restore_file(path, copy, yes)


def test_who_waited_for_the_ledger_does_not_write_to_the_one_put_aside(
    path: Path, copy: Path
) -> None:
    def work(ledger: Ledger, say: Say) -> None:
        say("here")
        try:
            say(f"job {ledger.open_job(NEW).id}")
        except LedgerError as error:
            say(str(error))

    with Ledger(path) as ledger:
        ledger.finish(1, JobState.STUCK)
    with ExitStack() as stack:
        waiting: list[Colleague] = []

        def while_it_waits(_exchange: Exchange) -> bool:
            waiting.extend(stack.enter_context(colleagues(path, work)))
            return waiting[0].says() == "here"

        done = restore_file(path, copy, while_it_waits)
        (said,) = waiting[0].end()
    with Ledger(path) as ledger, Ledger(done.kept) as aside:
        assert aside.verify().entries == 14
        if said == "job 4":
            assert ledger.verify().entries == 14
        else:
            assert "not where it was" in said
            assert ledger.verify().entries == 13


@pytest.mark.parametrize("where", ["step", "header"])
def test_a_damaged_ledger_is_replaced_and_kept_with_its_log(
    path: Path, copy: Path, where: str
) -> None:
    with Ledger(path) as ledger:
        ledger.open_job(NEW)
        logged = {name: Path(f"{path}{name}").read_bytes() for name in ("", "-wal")}
    for name, data in logged.items():  # as a kill would leave them
        Path(f"{path}{name}").write_bytes(data)
    if where == "header":
        with path.open("r+b") as file:
            file.write(b"\xa5" * 100)
    else:
        damage(path, where)
    asked: list[Exchange] = []
    done = restore_file(path, copy, lambda exchange: not asked.append(exchange))
    if where == "header":
        assert (asked[0].present, asked[0].set_aside) == (None, None)
        assert Path(f"{done.kept}-wal").read_bytes() == logged["-wal"]
    with Ledger(path) as ledger:
        assert ledger.verify().entries == 13
    assert done.kept.exists()


def test_a_damaged_ledger_that_is_in_use(path: Path, copy: Path) -> None:
    def use(ledger: Ledger, say: Say) -> None:
        say(str(len(ledger.jobs())))
        time.sleep(600)

    with colleagues(path, use) as (one,):
        assert one.says() == "3"
        with path.open("r+b") as file:
            file.write(b"\xa5" * 100)
        with pytest.raises(LedgerBusy):
            restore_file(path, copy, yes)
    assert restore_file(path, copy, yes).kept


def test_bad_backups_are_refused_and_nothing_is_changed(path: Path, copy: Path) -> None:
    def altered(file: Path) -> None:
        sql(file, "UPDATE step SET ms = 7")

    def newer(file: Path) -> None:
        sql(file, f"UPDATE meta SET value = {SCHEMA + 1}")  # noqa: S608

    def text(file: Path) -> None:
        file.write_text("a letter to the landlord" * 100)

    before = path.read_bytes()
    for spoil, error in (
        (altered, LedgerAltered),
        (newer, LedgerTooNew),
        (text, LedgerForeign),
        (lambda file: damage(file, "entry"), LedgerDamaged),
    ):
        bad = copy.with_name("bad")
        shutil.copy(copy, bad)
        spoil(bad)
        with pytest.raises(error, match="stick/bad"):
            restore_file(path, bad, never)
        assert path.read_bytes()[100:] == before[100:]
        assert not kept(path)
        assert not list(path.parent.glob(".*"))
    with Ledger(path) as ledger:
        assert ledger.verify().entries == 13


def sql(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_backup_of_an_older_schema_is_brought_forward(path: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript(OLD)
    before = old.read_bytes()
    done = restore_file(path, old, yes)
    assert old.read_bytes() == before
    assert done.backup.entries == 3
    with Ledger(path) as ledger:
        assert next(job.state for job in ledger.jobs()) is JobState.OPEN
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"old", path.name, done.kept.name}


def test_a_backup_goes_into_an_empty_database_on_a_server(
    path: Path, copy: Path, server: Cluster
) -> None:
    place = parse_place(server.new_database())
    with Ledger(place) as ledger, Ledger(path) as original:
        done = restore_on_server(ledger.database, copy)
        assert rows(ledger) == rows(original)
        assert ledger.verify(done.backup.head).expected == 13
        assert ledger.open_job(NEW).id == 4
        with pytest.raises(LedgerNotEmpty, match="has 14 entries"):
            restore_on_server(ledger.database, copy)


# --- vacuum


def test_the_room_of_what_was_removed_is_given_back(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.keep(1, ArtifactKind.REQUEST, b"marker-of-a-request" * 10_000)
        ledger.database.write("", lambda w: w.connection.exec_driver_sql("DELETE FROM artifact"))
        assert b"marker-of-a-request" in everything(path)
        found = vacuum(ledger.database)
        assert found.log_emptied
        assert found.before - found.after > 190_000
        assert found.after == len(everything(path))
        assert b"marker-of-a-request" not in everything(path)
        assert len(ledger.jobs()) == 3


def everything(path: Path) -> bytes:
    files = (path, path.with_name(f"{path.name}-wal"))
    return b"".join(file.read_bytes() for file in files if file.exists())


def test_a_log_that_is_read_is_left(path: Path) -> None:
    with Ledger(path) as ledger, closing(sqlite3.connect(path, isolation_level=None)) as reader:
        ledger.open_job(NEW)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM job").fetchone()
        ledger.open_job(NEW)
        engine = ledger.database._engine
        assert engine is not None
        with engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA busy_timeout=100")
        assert not vacuum(ledger.database).log_emptied


def test_on_a_server_only_the_owner_may(server: Cluster) -> None:
    url = server.new_database()
    with Ledger(parse_place(url)) as ledger:
        fill(ledger)
        found = vacuum(ledger.database)
        assert found.before > 0
        assert found.after > 0
        fill(ledger)  # the connections are in order
    name = url.partition("?")[0].rpartition("/")[2]
    server.execute(
        "CREATE ROLE onlooker LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO onlooker", name
    )
    with Ledger(parse_place(server.url(name, "onlooker"))) as ledger, pytest.raises(LedgerDenied):
        vacuum(ledger.database)
