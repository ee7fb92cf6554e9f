"""Host-made keys: sealed in the ledger until the phone is proved to have them, then wiped."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from doubles.phone import ALL, MemoryPhone
from doubles.registrar import MemoryRegistrar
from doubles.services import MemoryServices
from sqlalchemy import select

from usbprov.engine import sealing
from usbprov.engine.job import Job, known
from usbprov.engine.order import CredentialOrder, KeySource, Order
from usbprov.engine.result import Result
from usbprov.engine.retry import RetryPolicy
from usbprov.engine.runner import Runner
from usbprov.errors import Interrupted, RequestRefused, SealingKeyUnusable, ServerUnreachable
from usbprov.ledger import sqlite as sqlite_module
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState
from usbprov.ledger.schema import entries, sealed
from usbprov.ledger.sqlite import Sqlite
from usbprov.net.credentials import Way
from usbprov.phone.contract import Capability, SlotState
from usbprov.pki.keys import generate_rsa

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"
ORDER = Order(
    URL, CredentialOrder((Way.PIN,), "1001"), registrar="fe01.contoso.test", key=KeySource.HOST
)


@dataclass
class Bench:
    """A phone that takes keys, its servers, and a ledger."""

    path: Path
    ledger: Ledger
    phone: MemoryPhone = field(
        default_factory=lambda: MemoryPhone(capabilities=ALL - {Capability.GENERATE_KEY})
    )
    services: MemoryServices = field(default_factory=MemoryServices)
    made: int = 0

    def run(self, order: Order = ORDER) -> Result:
        job = Job(
            order, self.phone, self.ledger, lambda: self.services, lambda: "1", MemoryRegistrar
        )
        job.retries = RetryPolicy(attempts=1)
        job.make_key = self.make
        return Runner(job, lambda _: None).run()

    def make(self, bits: int) -> object:
        self.made += 1
        return generate_rsa(bits)

    def kept(self) -> list[bytes]:
        return self.ledger.database.read(
            lambda connection: list(connection.execute(select(sealed.c.data)).scalars())
        )

    def on_disk(self) -> bytes:
        return b"".join(p.read_bytes() for p in sorted(self.path.parent.glob("ledger.sqlite3*")))

    @property
    def key_file(self) -> Path:
        return self.path.with_name("ledger.sqlite3.sealing-key")

    def interrupted_again(self) -> bytes:
        """Lose the cable in a second job, which gives the phone another key."""
        return self.interrupted_at("import_key", replace(ORDER, replace=True))

    def interrupted_at(self, what: str, order: Order = ORDER) -> bytes:
        """Lose the cable there; returns the sealed key."""
        self.phone.fail_at = what
        with pytest.raises(Interrupted):
            self.run(order)
        self.phone.fail_at = None
        (kept,) = self.kept()
        return kept


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as ledger:
        yield Bench(path, ledger)


def test_it_is_sealed_before_the_phone_gets_it_and_wiped_when_it_is_proved(bench: Bench) -> None:
    kept = bench.interrupted_at("import_key")
    assert kept in bench.on_disk()
    bench.run()
    assert bench.kept() == []
    on_disk = bench.on_disk()
    assert all(kept[at : at + 32] not in on_disk for at in range(0, len(kept) - 32, 32))
    assert bench.ledger.verify()


def test_a_repeat_gives_the_phone_the_same_key(bench: Bench) -> None:
    bench.interrupted_at("import_key")
    assert bench.phone.keys == {}
    bench.run()
    assert bench.made == 1
    assert len(bench.phone.keys) == 1
    assert [job.state for job in bench.ledger.jobs()] == [JobState.DONE]


@pytest.mark.parametrize("lost_at", ["request", "install"])
def test_a_phone_that_lost_its_pending_key_gets_it_again(bench: Bench, lost_at: str) -> None:
    bench.interrupted_at(lost_at)
    first = known(bench.phone.slot.pending_key)
    bench.phone.slot = SlotState(0)
    bench.run()
    assert known(bench.phone.slot.active_key).sha256 == first.sha256
    assert bench.services.calls.count("publish") == 1
    assert bench.kept() == []


def test_a_certificate_for_a_key_that_is_gone_for_good_is_asked_for_anew(bench: Bench) -> None:
    bench.interrupted_at("install")
    first = known(bench.phone.slot.pending_key)
    bench.phone.slot = SlotState(0)
    bench.key_file.unlink()
    bench.run()
    assert known(bench.phone.slot.active_key).sha256 != first.sha256
    assert bench.services.calls.count("publish") == 2
    assert bench.kept() == []


def test_it_is_wiped_by_the_next_run_if_a_kill_came_after_the_commit(bench: Bench) -> None:
    bench.interrupted_at("read")
    assert bench.phone.slot.active_certificate
    bench.run()
    assert bench.kept() == []


def test_it_costs_no_commit_of_its_own(bench: Bench, tmp_path: Path) -> None:
    def number(of: Bench) -> int:
        count = select(entries.c.number).order_by(entries.c.number.desc()).limit(1)
        return of.ledger.database.read(lambda connection: connection.execute(count).scalar_one())

    bench.run()
    with Ledger(tmp_path / "other" / "ledger.sqlite3") as ledger:
        other = Bench(tmp_path, ledger, MemoryPhone())
        other.run(replace(ORDER, key=KeySource.PHONE))
        assert number(bench) == number(other)
        assert not ledger.path.with_name("ledger.sqlite3.sealing-key").exists()


def test_it_stays_while_the_job_is_stuck_and_goes_when_it_is_given_up(bench: Bench) -> None:
    bench.services.errors["publish"] = [RequestRefused(URL, "key too small")]
    with pytest.raises(RequestRefused):
        bench.run()
    (first,) = bench.kept()
    bench.phone.fail_at = "import_key"
    with pytest.raises(Interrupted):
        bench.run(replace(ORDER, replace=True))
    (second,) = bench.kept()
    assert first != second
    assert first[:64] not in bench.on_disk()
    assert [job.state for job in bench.ledger.jobs()] == [JobState.OPEN, JobState.SUPERSEDED]
    assert bench.ledger.verify()


def test_the_key_that_seals_is_beside_the_ledger_and_its_owners_alone(bench: Bench) -> None:
    bench.interrupted_at("import_key")
    assert stat.S_IMODE(bench.key_file.stat().st_mode) == 0o600
    key = bench.key_file.read_bytes()
    assert len(key) == 32
    assert key not in bench.on_disk().replace(key, b"", 1)


def test_a_key_that_another_computer_sealed_is_given_up_in_words(bench: Bench) -> None:
    bench.interrupted_at("import_key")
    bench.key_file.write_bytes(os.urandom(32))
    result = bench.run()
    assert bench.made == 2
    told = next(step.learnt for step in result.steps if step.name == "key")
    assert "an earlier one is given up: it was sealed on" in told
    assert bench.kept() == []


def test_what_was_altered_in_the_ledger_is_never_given_to_a_phone(bench: Bench) -> None:
    bench.interrupted_at("import_key")

    def alter(write: object) -> None:
        write.execute(sealed.update().values(data=bytes(1300)))  # type: ignore[attr-defined]

    bench.ledger.database.write("", alter)
    result = bench.run()
    assert bench.made == 2
    told = next(step.learnt for step in result.steps if step.name == "key")
    assert "damaged" in told


def test_a_sealed_key_opens_for_its_own_job_only(bench: Bench) -> None:
    bench.interrupted_at("import_key")
    record = bench.ledger.jobs()[0]
    job = Job(ORDER, bench.phone, bench.ledger, lambda: bench.services, str, MemoryRegistrar)
    job.record = record
    assert sealing.unseal(job)
    job.record = replace(record, nonce=bytes(16))
    with pytest.raises(sealing.SealUnopened):
        sealing.unseal(job)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda file: file.chmod(0o640), id="others may read it"),
        pytest.param(lambda file: file.write_bytes(b"short"), id="damaged"),
        pytest.param(lambda file: (file.unlink(), file.mkdir()), id="a folder"),
    ],
)
def test_a_sealing_key_that_is_none(bench: Bench, spoil: object) -> None:
    bench.interrupted_at("import_key")
    spoil(bench.key_file)  # type: ignore[operator]
    with pytest.raises(SealingKeyUnusable):
        bench.run()
    assert bench.phone.keys == {}
    assert [job.state for job in bench.ledger.jobs()] == [JobState.STUCK]


def test_a_server_that_fails_keeps_it(bench: Bench) -> None:
    bench.services.errors["publish"] = [ServerUnreachable(URL, "refused")]
    with pytest.raises(ServerUnreachable):
        bench.run()
    assert len(bench.kept()) == 1
    bench.run()
    assert bench.kept() == []


def test_of_many_keys_none_is_left(bench: Bench) -> None:
    """Rows of many jobs come and go in one table, whose pages split and join."""
    job = Job(ORDER, bench.phone, bench.ledger, lambda: bench.services, str, MemoryRegistrar)
    bench.interrupted_at("import_key")
    record = bench.ledger.jobs()[0]
    new = {n: getattr(record, n) for n in ("phone_mac", "phone_model", "port_path", "slot", "user")}
    seen: list[bytes] = []
    numbers = []
    from usbprov.ledger.records import NewJob

    for at in range(60):
        opened = bench.ledger.open_job(
            NewJob(
                phone_serial=f"S{at}",
                extension=None,
                web_services_url=URL,
                registrar=None,
                key_source="host",
                nonce=record.nonce,
                **new,
            )
        )
        job.record = opened
        sealing.seal(job, os.urandom(1217))
        seen.append(known(bench.ledger.sealed(opened.id)).data)
        numbers.append(opened.id)
        if at % 3 == 2:
            bench.ledger.wipe(numbers.pop(len(numbers) // 2))
    for number in numbers:
        bench.ledger.wipe(number)
    bench.ledger.close()
    on_disk = bench.on_disk()
    assert [data for data in seen if data[:48] in on_disk or data[-48:] in on_disk] == []
    assert bench.ledger.verify()


def test_the_log_is_emptied_once_a_second_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied: list[bool] = []
    empty = Sqlite._empty_log

    def counting(of: Sqlite) -> bool:
        emptied.append(empty(of))
        return emptied[-1]

    monkeypatch.setattr(Sqlite, "_empty_log", counting)
    monkeypatch.setattr(sqlite_module, "_SCRUB_EVERY", 3600.0)
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as ledger, Ledger(path) as other:
        bench = Bench(path, ledger)
        other.jobs()  # another program has the file open, so that closing it leaves the log
        bench.run()
        assert emptied == [True]
        kept = bench.interrupted_again()
        bench.run(replace(ORDER, replace=True))
        assert emptied == [True]
        assert kept[:64] in bench.on_disk()
        ledger.close()
        assert emptied == [True, True]
        assert kept[:64] not in bench.on_disk()


def test_a_reader_that_keeps_the_log_from_being_emptied_puts_it_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "_SCRUB_SECONDS", 0.0)
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as ledger, closing(sqlite3.connect(path)) as reader:
        bench = Bench(path, ledger)
        kept = bench.interrupted_at("import_key")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM sealed").fetchall()
        bench.run()
        assert kept[:64] in bench.on_disk()
        reader.rollback()
        ledger.close()
        assert kept[:64] not in bench.on_disk()
