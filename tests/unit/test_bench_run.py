"""The bench at work: every phone its user, each failure its own, nothing lost when it is pulled."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from doubles.bench import (
    NO_KEYGEN,
    PIN,
    MemoryServers,
    Table,
    make_setup,
    phone,
    roster,
    table,
)
from doubles.bus import MemoryDriver
from doubles.phone import MemoryPhone
from processes import wait_for

from usbprov.bench.again import Patience
from usbprov.bench.bench import Bench
from usbprov.bench.limits import CallLimit
from usbprov.bench.scanning import ByScan
from usbprov.bench.secrets import Secrets, read_secrets
from usbprov.bench.states import PortState
from usbprov.bench.views import PortView
from usbprov.errors import (
    BenchRuns,
    NoSuchPort,
    NotNow,
    PhoneRefused,
    RegistrarUnreachable,
    SecretsInvalid,
    ServerFailed,
    ServerTimeout,
    UsageError,
)
from usbprov.ledger.claims import ClaimKind
from usbprov.ledger.claims import Worker as Claimant
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobRecord, JobState, NewJob
from usbprov.phone import registry
from usbprov.phone.contract import KeyState, PhoneSettings, SlotState

pytestmark = pytest.mark.timeout(120)

DONE, FAILED, AWAY, EMPTY = PortState.DONE, PortState.FAILED, PortState.AWAY, PortState.EMPTY


@pytest.fixture(autouse=True)
def memory_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "drivers", lambda: (MemoryDriver(),))


def paths(count: int) -> dict[str, MemoryPhone]:
    return {f"1-{n}": phone(n) for n in range(1, count + 1)}


def users_of(at: Table) -> dict[str, str]:
    """The user whom each phone was given, by serial number, as the phones have it."""
    return {p.serial: p.settings.sip_uri for p in at.bus.phones.values() if p.settings}


def test_all_phones_are_done_each_with_a_user_of_its_own(tmp_path: Path) -> None:
    with table(tmp_path, make_setup(roster(12)), phones=paths(12), once=True) as at:
        at.running.join(60)
        (end,) = at.views
        assert (end.done, end.roster, end.failed, end.running) == (12, 12, 0, 0)
        assert at.bench.unfinished() == []
        assert len(set(users_of(at).values())) == 12
        assert set(at.servers.published.values()) == {1}
        assert {job.state for job in at.ledger.jobs()} == {JobState.DONE}
        assert {(job.bench, job.roster) for job in at.ledger.jobs()} == {("one", "shift")}
        assert at.ledger.claims.held() == []
        assert at.servers.tickets == {}, "tickets of those who are served are memory"


def test_the_board_sees_every_state_and_unplug_only_at_the_end(tmp_path: Path) -> None:
    with table(tmp_path, make_setup(roster(1))) as at:
        reader = at.bench.feed.subscribe()
        held = phone(1)
        at.plug("1-1", held)
        seen: list[PortView] = []
        while not seen or seen[-1].state is not DONE:
            seen += [view for view in reader.next(10) if isinstance(view, PortView)]
        done = seen[-1]
        assert all(not v.may_unplug for v in seen if v.state not in {DONE, EMPTY})
        assert held.calls[-1] == "close"
        assert done.user == "sip:u1001@contoso.test"
        assert done.thumbprint
        assert done.not_after is not None
        assert done.job == 1
        assert [step.name for step in done.steps][-1] == "sign in"
        at.pull("1-1")
        assert not at.wait("1-1", EMPTY).serial


def test_a_failure_stays_its_own_and_says_what_to_do(tmp_path: Path) -> None:
    servers = MemoryServers(wrong_pins={"1002"})
    with table(tmp_path, make_setup(roster(3)), phones=paths(3), servers=servers, once=True) as at:
        at.running.join(60)
        (failed,) = at.bench.unfinished()
        assert failed.state is FAILED
        assert failed.trouble is not None
        assert failed.trouble.code == "WEB-05"
        assert failed.trouble.remedy
        assert at.views[0].done == 2
        assert at.servers.calls.count(("ticket", "1002")) == 1


def test_a_refused_pin_is_tried_at_no_other_phone(tmp_path: Path) -> None:
    servers = MemoryServers(wrong_pins={"1001"})
    with table(tmp_path, make_setup(roster(2)), servers=servers) as at:
        at.plug("1-1", phone(1))
        at.wait("1-1", FAILED)
        at.pull("1-1")
        at.wait("1-1", EMPTY)
        at.plug("1-2", phone(2))
        assert at.wait("1-2", DONE).user == "sip:u1002@contoso.test"
        assert at.servers.calls.count(("ticket", "1001")) == 1


def test_retry_tries_a_refused_pin_again(tmp_path: Path) -> None:
    servers = MemoryServers(wrong_pins={"1001"})
    with table(tmp_path, make_setup(roster(1)), phones=paths(1), servers=servers) as at:
        at.wait("1-1", FAILED)
        servers.wrong_pins.clear()
        at.bench.retry("1-1")
        assert at.wait("1-1", DONE).user == "sip:u1001@contoso.test"


@pytest.mark.parametrize("call", ["publish", "ticket"])
def test_what_passes_by_itself_is_tried_again(tmp_path: Path, call: str) -> None:
    down = [ServerFailed("pool", 503) for _ in range(3)]
    servers = MemoryServers(errors={call: down})
    with table(tmp_path, make_setup(roster(1)), phones=paths(1), servers=servers) as at:
        assert at.wait("1-1", DONE).trouble is None
        assert servers.published["sip:u1001@contoso.test"] == 1
        assert at.servers.calls.count(("publish", "sip:u1001@contoso.test")) == (
            4 if call == "publish" else 1
        )


def test_a_pin_whose_fate_is_unknown_waits_for_the_operator(tmp_path: Path) -> None:
    servers = MemoryServers(errors={"ticket": [ServerTimeout("pool", 30)]})
    with table(tmp_path, make_setup(roster(1)), phones=paths(1), servers=servers) as at:
        at.wait("1-1", FAILED)
        assert servers.calls.count(("ticket", "1001")) == 1
        at.bench.retry("1-1")
        at.wait("1-1", DONE)


def test_a_bench_that_ends_leaves_no_claims(tmp_path: Path) -> None:
    servers = MemoryServers()
    servers.registrar_double.fails = [RegistrarUnreachable("fe01", "down") for _ in range(99)]
    setup = make_setup(roster(1), patience=Patience(first_wait=60, longest_wait=60))
    with table(tmp_path, setup, phones=paths(1), servers=servers) as at:
        wait_for(lambda: (v := at.view("1-1")) and v.trouble, "the first try's end")
        kinds = {claim.kind for claim in at.ledger.claims.held()}
        assert kinds == {ClaimKind.USER, ClaimKind.PHONE}
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        assert ledger.claims.held() == []


def test_a_sign_in_that_fails_keeps_the_cable_in(tmp_path: Path) -> None:
    servers = MemoryServers()
    servers.registrar_double.fails = [RegistrarUnreachable("fe01", "down") for _ in range(3)]
    with table(tmp_path, make_setup(roster(1)), phones=paths(1), servers=servers) as at:
        reader = at.bench.feed.subscribe()
        at.wait("1-1", DONE)
        states = [v for v in reader.next(0) if isinstance(v, PortView) and v.label == "1-1"]
        assert states[-1].state is DONE
        assert servers.registrar_double.calls == 4
        assert len(servers.registrar_double.signed_in) == 1


@pytest.mark.parametrize("method", ["generate_key", "request", "install", "prove", "sign"])
def test_a_phone_that_is_pulled_early_goes_on_at_any_port(tmp_path: Path, method: str) -> None:
    with table(tmp_path, make_setup(roster(2))) as at:
        held = phone(1)
        original = getattr(held, method)

        def pulled(*arguments: object, **options: object) -> object:
            setattr(held, method, original)
            at.pull("1-1")
            return original(*arguments, **options)

        setattr(held, method, pulled)
        at.plug("1-1", held)
        away = at.wait("1-1", AWAY)
        assert away.serial == "MEM1"
        assert not away.may_unplug
        at.plug("1-7", held)
        done = at.wait("1-7", DONE)
        assert done.user == away.user
        assert done.job == 1
        assert at.wait("1-1", EMPTY).serial == ""
        assert set(at.servers.published.values()) == {1}
        assert [call for call, _ in at.servers.calls].count("ticket") == 1


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Until it is set, port 1-1 does not notice its worker's end: the ledger has it wait, say."""
    go, original = threading.Event(), Bench._ended

    def ended(bench: Bench, port: Any, worker: Any) -> None:
        assert port.desk.label != "1-1" or go.wait(30)
        original(bench, port, worker)

    monkeypatch.setattr(Bench, "_ended", ended)
    yield go
    go.set()


def test_a_phone_that_is_back_before_its_old_port_has_noticed_is_away_no_more(
    tmp_path: Path, late: threading.Event
) -> None:
    with table(tmp_path, make_setup(roster(1))) as at:
        held = phone(1)
        request = held.request

        def pulled(slot: int, name: str) -> bytes:
            held.request = request  # type: ignore[method-assign]
            at.pull("1-1")
            return held.request(slot, name)

        held.request = pulled  # type: ignore[method-assign]
        at.plug("1-1", held)
        wait_for(lambda: "1-1" not in at.bus.phones, "the cable to be pulled")
        at.plug("1-2", held)
        user = at.wait("1-2", DONE).user
        late.set()
        assert at.wait("1-1", EMPTY).serial == ""
        wait_for(lambda: not at.bench.unfinished(), "nobody to be waited for")
        assert users_of(at) == {"MEM1": user}


def test_a_phone_that_is_back_before_its_old_port_has_noticed_keeps_its_user(
    tmp_path: Path, late: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = MemoryServers(errors={"ticket": [ServerTimeout("pool.contoso.test", 30.0)]})
    with table(tmp_path, make_setup(roster(2)), servers=servers) as at:
        held, go_on, has_user = phone(1), threading.Event(), threading.Event()
        at.plug("1-1", held)
        wait_for(lambda: at.ledger.jobs() and not at.ledger.claims.held()[1:], "its failure")
        at.pull("1-1")
        open_job = Ledger.open_job

        def slow(ledger: Ledger, new: NewJob) -> JobRecord:
            if new.phone_serial == held.serial and not has_user.is_set():
                has_user.set()  # its user is given, and the ledger does not know that yet
                assert go_on.wait(30)
            return open_job(ledger, new)

        monkeypatch.setattr(Ledger, "open_job", slow)
        at.plug("1-2", held)
        assert has_user.wait(30)
        late.set()
        at.wait("1-1", EMPTY)
        at.plug("1-3", phone(2))
        other = at.wait("1-3", DONE).user
        go_on.set()
        assert at.wait("1-2", DONE).user != other


def test_another_phone_does_not_get_the_user_of_one_that_is_away(tmp_path: Path) -> None:
    with table(tmp_path, make_setup(roster(2))) as at:
        held = phone(1)
        request = held.request

        def pulled(slot: int, name: str) -> bytes:
            held.request = request  # type: ignore[method-assign]
            at.pull("1-1")
            return held.request(slot, name)

        held.request = pulled  # type: ignore[method-assign]
        at.plug("1-1", held)
        away = at.wait("1-1", AWAY)
        at.plug("1-1", phone(2))
        other = at.wait("1-1", DONE)
        assert other.user != away.user
        at.plug("1-2", held)
        assert at.wait("1-2", DONE).user == away.user


def test_a_second_run_goes_on_where_the_first_was_stopped(tmp_path: Path) -> None:
    phones, setup = paths(3), make_setup(roster(3))
    servers = MemoryServers(hold=threading.Event())
    with table(tmp_path, setup, phones=phones, servers=servers) as at:
        wait_for(lambda: servers.at_once == 3, "three tickets to be asked for")
        at.bench.stop()
        assert servers.hold is not None
        servers.hold.set()
        at.stop()
        assert all(not view.may_unplug for view in at.bench.unfinished())
    again = MemoryServers()
    with table(tmp_path, setup, phones=phones, servers=again, once=True) as at:
        at.running.join(60)
        assert at.views[0].done == 3
        assert len(at.ledger.jobs()) == 3
        assert len(set(users_of(at).values())) == 3


def test_what_is_done_is_shown_as_done_and_left_alone(tmp_path: Path) -> None:
    phones, setup = paths(2), make_setup(roster(3))
    with table(tmp_path, setup, phones=phones, once=True) as at:
        at.running.join(60)
        before = users_of(at)
    again = MemoryServers()
    with table(tmp_path, setup, phones=phones, servers=again, once=True) as at:
        at.running.join(60)
        assert at.wait("1-1", DONE).user == before["MEM1"]
        assert again.calls == []
        assert len(at.ledger.jobs()) == 2


def test_a_user_who_has_a_phone_gets_no_second_one(tmp_path: Path) -> None:
    with table(tmp_path, make_setup(roster(1)), phones=paths(2), once=True) as at:
        at.running.join(60)
        (left,) = at.bench.unfinished()
        assert left.trouble is not None
        assert left.trouble.code == "BEN-03"
        assert sum(at.servers.published.values()) == 1


def test_a_foreign_credential_is_left_unless_told(tmp_path: Path) -> None:
    settings = PhoneSettings("sip:somebody@else.test", "https://other/")
    slot = SlotState(0, KeyState("ab" * 32, b"0" * 16), "cd" * 32)
    held = phone(1, slot=slot, settings=settings)
    with table(tmp_path, make_setup(roster(1)), phones={"1-1": held}, once=True) as at:
        at.running.join(60)
        (left,) = at.bench.unfinished()
        assert left.trouble is not None
        assert "somebody@else.test" in left.trouble.what
        assert held.slot == slot
        assert at.servers.calls == []


def test_skip_gives_the_user_to_another_phone(tmp_path: Path) -> None:
    with table(tmp_path, make_setup(roster(1))) as at:
        held = phone(1, clock=datetime(2001, 1, 1, tzinfo=UTC))

        def refused(_now: datetime) -> None:
            raise PhoneRefused("phone 1-1", "SET_CLOCK", "not now")

        held.set_clock = refused  # type: ignore[method-assign]
        at.plug("1-1", held)
        at.wait("1-1", FAILED)
        at.plug("1-2", phone(2))
        at.wait("1-2", FAILED)  # the only user is the first phone's, which may be retried
        at.bench.skip("1-1")
        at.bench.retry("1-2")
        assert at.wait("1-2", DONE).user == "sip:u1001@contoso.test"


def test_a_phone_that_waits_for_a_hand_lights_its_lamp(tmp_path: Path) -> None:
    users, held = roster(3), phone(1)
    with table(tmp_path, make_setup(users, ByScan(users))) as at:
        lamp: list[bool] = []
        held.identify = lambda *, on: lamp.append(on)  # type: ignore[method-assign]
        at.plug("1-1", held)
        assert "scan" in at.wait("1-1", PortState.WAITING).hand
        wait_for(lambda: lamp == [True], "the lamp")
        at.bench.scan("MEM1")
        wait_for(lambda: "badge" in at.wait("1-1", PortState.WAITING).hand, "the next request")
        at.bench.scan("1003")
        assert at.wait("1-1", DONE).user == "sip:u1003@contoso.test"
        assert lamp == [True, False]


def test_a_lost_claim_stops_the_job_before_the_phone_is_written_to(tmp_path: Path) -> None:
    servers = MemoryServers(hold=threading.Event())
    held = phone(1)
    generate, claimed_by = held.generate_key, list[str]()
    with table(tmp_path, make_setup(roster(1)), phones={"1-1": held}, servers=servers) as at:

        def tokens() -> list[str]:
            leases = at.bench._leases._held.values()
            return [lease.claim.token for lease in leases if lease.claim.kind == "user"]

        def generated(*arguments: Any, **options: Any) -> KeyState:
            claimed_by.extend(tokens())
            return generate(*arguments, **options)

        held.generate_key = generated  # type: ignore[method-assign]
        wait_for(lambda: servers.at_once == 1, "the ticket to be asked for")
        (lost,) = tokens()
        at.bench._leases._held[lost].lose()
        assert servers.hold is not None
        servers.hold.set()
        at.wait("1-1", DONE)
        assert len(claimed_by) == 1
        assert claimed_by != [lost]
        assert len(at.ledger.jobs()) == 1
        assert [call for call, _ in servers.calls].count("ticket") == 1


def test_a_bench_that_died_is_begun_again_at_once(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        dead = subprocess.Popen([sys.executable, "-c", ""])
        dead.wait()
        ledger.benches.begin("one", socket.gethostname(), dead.pid, 600)
        ledger.claims.claim(ClaimKind.USER, "sip:u1001@contoso.test", Claimant("one", "1-9", 600))
    with table(tmp_path, make_setup(roster(1)), phones=paths(1)) as at:
        assert at.wait("1-1", DONE).user == "sip:u1001@contoso.test"


def test_buttons_that_have_no_meaning_say_so(tmp_path: Path) -> None:
    with table(tmp_path, make_setup(roster(1)), phones=paths(1)) as at:
        at.wait("1-1", DONE)
        for button in (at.bench.retry, at.bench.skip):
            with pytest.raises(NotNow):
                button("1-1")
            with pytest.raises(NoSuchPort):
                button("Z9")
        with pytest.raises(UsageError):
            at.bench.scan("1001")


def test_find_lights_the_lamp_of_a_phone_that_is_done(tmp_path: Path) -> None:
    phones = paths(1)
    with table(tmp_path, make_setup(roster(1)), phones=phones) as at:
        at.wait("1-1", DONE)
        phones["1-1"].calls.clear()
        at.bench.find("1-1", on=True)
        assert "identify" in phones["1-1"].calls


def test_keys_are_made_here_for_phones_that_cannot(tmp_path: Path) -> None:
    phones = {f"1-{n}": phone(n, capabilities=NO_KEYGEN) for n in range(1, 5)}
    with table(tmp_path, make_setup(roster(4)), phones=phones, once=True) as at:
        at.running.join(60)
        assert at.views[0].done == 4
        assert {job.key_source for job in at.ledger.jobs()} == {"host"}
        keys = {p.slot.active_key.sha256 for p in phones.values() if p.slot.active_key}
        assert len(keys) == 4


def test_calls_to_the_servers_are_bounded(tmp_path: Path) -> None:
    servers = MemoryServers(limit=CallLimit(2), hold=threading.Event())
    with table(tmp_path, make_setup(roster(8)), phones=paths(8), servers=servers, once=True) as at:
        wait_for(lambda: servers.at_once == 2, "two calls")
        assert servers.hold is not None
        servers.hold.set()
        at.running.join(60)
        assert servers.most_at_once == 2
        assert at.views[0].done == 8


def test_until_ends_when_so_many_are_done(tmp_path: Path) -> None:
    with table(tmp_path, make_setup(roster(5)), until=2) as at:
        at.plug("1-1", phone(1))
        at.wait("1-1", DONE)
        assert at.running.is_alive()
        at.plug("1-2", phone(2))
        at.running.join(60)
        assert at.views[0].done == 2


def test_one_program_a_bench(tmp_path: Path) -> None:
    setup = make_setup(roster(1))
    with table(tmp_path, setup), pytest.raises(BenchRuns), table(tmp_path, setup):
        pass


def test_two_benches_share_a_roster_and_claim_nobody_twice(tmp_path: Path) -> None:
    users = roster(8)
    here = {f"1-{n}": phone(n) for n in range(1, 5)}
    there = {f"1-{n}": phone(n) for n in range(5, 9)}
    one, two = make_setup(users), replace(make_setup(users), name="two")
    servers = MemoryServers()
    with (
        table(tmp_path, one, phones=here, servers=servers, once=True) as first,
        table(tmp_path, two, phones=there, servers=servers, once=True) as second,
    ):
        first.running.join(60)
        second.running.join(60)
        assert len(servers.published) == 8
        assert set(servers.published.values()) == {1}
        assert {job.bench for job in first.ledger.jobs()} == {"one", "two"}


def test_retry_takes_the_pin_that_the_secrets_file_has_now(tmp_path: Path) -> None:
    path = tmp_path / "pins.csv"
    path.write_text("extension,pin\n1001,999999\n")
    path.chmod(0o600)
    secrets = Secrets((read_secrets(path),))
    setup = replace(make_setup(replace(roster(1), _pins={})), secrets=secrets)
    servers = MemoryServers(wrong_pins={"1001"})
    with table(tmp_path, setup, phones=paths(1), servers=servers) as at:
        at.wait("1-1", FAILED)
        path.write_text("extension,pin\n1001,no PIN\n")
        with pytest.raises(SecretsInvalid):
            at.bench.retry("1-1")
        at.wait("1-1", FAILED)
        path.write_text(f"extension,pin\n1001,{PIN}\n")
        servers.wrong_pins.clear()
        at.bench.retry("1-1")
        at.wait("1-1", DONE)
    assert [pin for _, pin in servers.pins] == ["999999", PIN]
