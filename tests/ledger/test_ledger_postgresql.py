"""What only a server can do: go away, refuse, lack rights, not be durable, hold a lock."""

import re
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chain_head import hold_head
from cut_line import line_to
from jobs import NEW
from postgres import OWNER, PASSWORD, Cluster
from processes import wait_for
from sqlalchemy import text

from usbprov.errors import (
    LedgerBusy,
    LedgerDenied,
    LedgerDependencyMissing,
    LedgerError,
    LedgerNotDurable,
    LedgerSignInRefused,
    LedgerUnreached,
)
from usbprov.ledger.address import LedgerPlace, PostgresAddress, parse_place
from usbprov.ledger.chain import Write
from usbprov.ledger.claims import Claim, ClaimKind, Worker
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState, StepState
from usbprov.ledger.schema import steps

DOCUMENT = Path(__file__).parents[2] / "docs" / "ledger.md"
MY_PID = text("SELECT pg_backend_pid()")


@pytest.fixture
def place(server: Cluster) -> PostgresAddress:
    found = parse_place(server.common_database())
    assert isinstance(found, PostgresAddress)
    return found


@pytest.fixture
def password_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "pgpass"
    path.write_text(f"127.0.0.1:*:*:{OWNER}:{PASSWORD}\n")
    path.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(path))
    return path


def over_tcp(place: PostgresAddress, port: int) -> LedgerPlace:
    return replace(place, hosts=("127.0.0.1",), port=str(port))


def fails(place: LedgerPlace) -> LedgerError:
    with Ledger(place) as ledger, pytest.raises(LedgerError) as caught:
        ledger.jobs()
    return caught.value


# --- durable


def test_commits_are_durable_even_where_the_role_is_set_otherwise(
    server: Cluster, place: PostgresAddress
) -> None:
    server.execute(f"ALTER ROLE {OWNER} SET synchronous_commit = off")
    try:
        with Ledger(place) as ledger:
            shown = ledger.database.read(
                lambda connection: connection.execute(text("SHOW synchronous_commit")).scalar_one()
            )
    finally:
        server.execute(f"ALTER ROLE {OWNER} RESET synchronous_commit")
    assert shown == "on"


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_would_lose_commits_is_refused(
    server: Cluster, place: PostgresAddress, setting: str
) -> None:
    def is_set(value: str) -> bool:
        return server.execute(f"SHOW {setting}") == [(value,)]

    try:
        server.execute(f"ALTER SYSTEM SET {setting} = off")
        server.execute("SELECT pg_reload_conf()")
        wait_for(lambda: is_set("off"), "the setting")
        error = fails(place)
    finally:
        server.execute(f"ALTER SYSTEM RESET {setting}")
        server.execute("SELECT pg_reload_conf()")
        wait_for(lambda: is_set("on"), "the setting")
    assert isinstance(error, LedgerNotDurable)
    assert setting in str(error)


# --- who may come in


@pytest.mark.usefixtures("password_file")
def test_the_password_comes_from_a_file(server: Cluster, place: PostgresAddress) -> None:
    with Ledger(over_tcp(place, server.port)) as ledger:
        assert ledger.open_job(NEW).id == 1


def test_a_wrong_password(server: Cluster, place: PostgresAddress, password_file: Path) -> None:
    password_file.write_text(f"127.0.0.1:*:*:{OWNER}:wrong-one\n")
    error = fails(over_tcp(place, server.port))
    assert isinstance(error, LedgerSignInRefused)
    assert "wrong-one" not in str(error)


def test_no_password(
    server: Cluster, place: PostgresAddress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "none"))
    assert isinstance(fails(over_tcp(place, server.port)), LedgerSignInRefused)


@pytest.mark.parametrize("wrong", [{"user": "nobody_here"}, {"database": "none"}])
def test_a_role_or_database_that_is_not_there(
    place: PostgresAddress, wrong: dict[str, str]
) -> None:
    assert isinstance(fails(replace(place, **wrong)), LedgerSignInRefused)


def test_a_server_that_is_not_there(place: PostgresAddress) -> None:
    error = fails(over_tcp(place, 1))
    assert isinstance(error, LedgerUnreached)
    assert error.exit_code == 5


def test_a_server_that_does_not_prove_who_it_is(place: PostgresAddress) -> None:
    verified = replace(place, hosts=("127.0.0.1",), parameters={"sslmode": "verify-full"})
    error = fails(verified)
    assert isinstance(error, LedgerUnreached)
    assert "SSL" in str(error) or "root" in str(error)


def test_without_the_extra(place: PostgresAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert isinstance(fails(place), LedgerDependencyMissing)


# --- who may do what


@pytest.fixture
def stranger(server: Cluster) -> Iterator[str]:
    server.execute("CREATE ROLE stranger LOGIN")
    yield "stranger"
    server.execute("DROP ROLE stranger")


def test_a_role_without_rights(place: PostgresAddress, stranger: str) -> None:
    assert isinstance(fails(replace(place, user=stranger)), LedgerDenied)


def test_a_role_that_may_not_make_the_tables(server: Cluster, stranger: str) -> None:
    empty = parse_place(server.new_database())
    assert isinstance(empty, PostgresAddress)
    assert isinstance(fails(replace(empty, user=stranger)), LedgerDenied)


def test_the_rights_of_the_document_are_enough_and_no_more(server: Cluster) -> None:
    owned = parse_place(server.new_database())
    assert isinstance(owned, PostgresAddress)
    with Ledger(owned) as ledger:
        ledger.jobs()
    (grants,) = re.findall(r"```sql\n(-- as the owner.*?)```", DOCUMENT.read_text(), re.DOTALL)
    server.execute("CREATE ROLE usbprov_bench LOGIN")
    server.execute(f"SET ROLE {OWNER}; {grants}", owned.database)
    try:
        with Ledger(replace(owned, user="usbprov_bench")) as bench:
            do_everything(bench)
            for forbidden in ("UPDATE entry SET at = ''", "DELETE FROM entry", "DELETE FROM job"):
                with pytest.raises(LedgerDenied):
                    bench.database.write("", lambda write, sql=forbidden: write.execute(text(sql)))
            bench.verify()
    finally:
        server.execute("DROP OWNED BY usbprov_bench", owned.database)
        server.execute("DROP ROLE usbprov_bench")


def do_everything(ledger: Ledger) -> None:
    worker = Worker("north", "A1", 60.0)
    ledger.benches.begin("north", "host", 1, 60.0)
    job = ledger.open_job(NEW).id
    ledger.open_job(NEW)
    ledger.end_step(ledger.begin_step(job, "key"), StepState.DONE, 1)
    ledger.keep(job, ArtifactKind.REQUEST, b"request")
    ledger.reject(job, ArtifactKind.REQUEST)
    ledger.finish(job, JobState.DONE)
    claim = ledger.claims.claim(ClaimKind.USER, "1001", worker)
    assert isinstance(claim, Claim)
    ledger.claims.renew([claim], 1.0)
    ledger.claims.release([claim])
    ledger.claims.expire()
    ledger.benches.changes()


# --- a server that goes away


def test_a_restart_between_two_writes_is_not_noticed(
    server: Cluster, place: PostgresAddress
) -> None:
    with Ledger(place) as ledger:
        ledger.open_job(NEW)
        server.stop()
        server.start()
        ledger.open_job(NEW)
        assert ledger.verify().entries == 2


def test_a_server_that_restarts_is_waited_for(server: Cluster, place: PostgresAddress) -> None:
    with Ledger(place) as ledger:
        ledger.open_job(NEW)
        server.stop(signal.SIGQUIT)
        writing = threading.Thread(target=ledger.open_job, args=(NEW,))
        writing.start()
        server.start()
        writing.join()
        assert len(ledger.jobs()) == 2


def test_a_server_that_stays_away_is_given_up(
    server: Cluster, place: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usbprov.ledger.database.RETURN_SECONDS", 0.3)
    with Ledger(place) as ledger:
        ledger.jobs()
        server.stop()
        try:
            with pytest.raises(LedgerUnreached):
                ledger.open_job(NEW)
        finally:
            server.start()
        assert ledger.jobs() == []


def test_a_transaction_lost_in_the_middle_is_done_again_once(
    server: Cluster, place: PostgresAddress
) -> None:
    runs = []

    def work(write: Write) -> int:
        job = {"job": 1, "name": "key", "state": StepState.BEGUN, "begun": begun}
        number = write.insert(steps, job)
        runs.append(number)
        if len(runs) == 1:
            pid = write.execute(MY_PID).scalar_one()
            server.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
        return number

    with Ledger(place) as ledger:
        begun = ledger.open_job(NEW).created
        assert ledger.database.write("step begun", work) == runs[1]
        assert [step.id for step in ledger.steps(1)] == [runs[1]]
        assert ledger.verify().entries == 2


@pytest.mark.usefixtures("password_file")
@pytest.mark.parametrize("point", ["before", "after"])
def test_a_commit_whose_fate_is_not_known_is_done_once(
    server: Cluster, place: PostgresAddress, point: str
) -> None:
    with line_to(server.port) as line, Ledger(over_tcp(place, line.port)) as ledger:
        first = ledger.open_job(NEW)
        line.cut = point
        attempt = ledger.begin_step(first.id, "key")
        assert line.cuts == 1
        assert [step.id for step in ledger.steps(first.id)] == [attempt]
        assert ledger.verify().entries == 2


@pytest.mark.usefixtures("password_file")
def test_a_commit_that_still_waits_for_others_is_waited_for(
    server: Cluster, place: PostgresAddress, caplog: pytest.LogCaptureFixture
) -> None:
    """The line breaks while the server has the entry and its COMMIT, but not the chain's head."""
    caplog.set_level("DEBUG", logger="usbprov.ledger.database")
    with line_to(server.port) as line, Ledger(over_tcp(place, line.port)) as ledger:
        first = ledger.open_job(NEW)
        attempts: list[int] = []
        writing = threading.Thread(
            target=lambda: attempts.append(ledger.begin_step(first.id, "key"))
        )

        def work(write: Write) -> None:
            hold_head(write)
            line.cut = "after"
            writing.start()
            wait_for(lambda: "Unsettled" in caplog.text, "the question what became of it")

        with Ledger(place) as holder:
            holder.database.write("", work)
        writing.join()
        assert line.cuts == 1
        assert [step.id for step in ledger.steps(first.id)] == attempts
        assert ledger.verify().entries == 2


# --- one that holds the lock


def test_an_entry_is_committed_in_the_same_go(
    place: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bench that does not get its turn on a busy computer holds nobody up."""
    seal, seen = Write.seal, []

    def watched(self: Write, kind: str, body: str) -> None:
        seal(self, kind, body)
        with Ledger(place) as other:
            other.database.write("", hold_head)
            seen.extend(other.jobs())

    monkeypatch.setattr(Write, "seal", watched)
    with Ledger(place) as ledger:
        assert [ledger.open_job(NEW)] == seen


def test_jobs_of_one_phone_are_opened_one_after_the_other(place: PostgresAddress) -> None:
    opened: list[int] = []

    def work(write: Write) -> None:
        write.alone_with("phone", f"{NEW.phone_serial} {NEW.phone_mac} {NEW.slot}")
        with Ledger(place) as another:
            opened.append(another.open_job(replace(NEW, slot=1)).id)
            same = threading.Thread(target=lambda: opened.append(other.open_job(NEW).id))
            same.start()
            waiting = text(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            )
            wait_for(
                lambda: another.database.read(lambda c: c.execute(waiting).scalar_one()),
                "the second job to wait",
            )
        waits.append(same)
        assert len(opened) == 1

    waits: list[threading.Thread] = []
    with Ledger(place) as holder, Ledger(place) as other:
        holder.database.write("", work)
        waits[0].join()
        assert len(opened) == 2


def test_a_frozen_bench_is_thrown_out(
    server: Cluster, place: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the chain's head locked; when it wakes up it does all of it again."""
    session = "usbprov.ledger.postgres._SESSION"
    with Ledger(place) as ledger:
        first = ledger.open_job(NEW)
        monkeypatch.setattr(session, "SET idle_in_transaction_session_timeout = '200ms'")
        with Ledger(place) as frozen:
            runs = []

            def work(write: Write) -> None:
                hold_head(write)
                runs.append(pid := write.execute(MY_PID).scalar_one())
                gone = f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}"  # noqa: S608
                if len(runs) == 1:
                    wait_for(lambda: not server.execute(gone), "the server's patience")
                    ledger.set_user(first.id, "sip:alice@contoso.test")

            frozen.database.write("", work)
            assert len(runs) == 2
        assert ledger.verify().entries == 2


def test_a_lock_that_is_held_too_long(
    place: PostgresAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger(place) as holder:
        holder.jobs()
        monkeypatch.setattr("usbprov.ledger.postgres._SESSION", "SET lock_timeout = '50ms'")
        monkeypatch.setattr("usbprov.ledger.database.RETURN_SECONDS", 0.2)

        def work(write: Write) -> None:
            hold_head(write)
            with Ledger(place) as other, pytest.raises(LedgerBusy) as caught:
                other.open_job(NEW)
            assert caught.value.retryable

        holder.database.write("", work)
