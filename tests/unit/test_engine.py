"""The engine over a phone and services in memory: order of steps, plan, resume, errors."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from doubles.bus import MemoryBus, MemoryDriver
from doubles.phone import ALL, MemoryPhone
from doubles.registrar import MemoryRegistrar
from doubles.services import ROOT, MemoryServices

from usbprov.engine.events import (
    Event,
    Mark,
    PhoneAwaited,
    StepBegun,
    StepEnded,
    StepName,
    StepProgress,
)
from usbprov.engine.job import Job, known
from usbprov.engine.order import CredentialOrder, KeySource, Order
from usbprov.engine.result import Outcome, Result
from usbprov.engine.retry import RetryPolicy
from usbprov.engine.runner import Runner
from usbprov.engine.steps.table import KNOWN_FROM_PLAN, STEPS
from usbprov.errors import (
    CertificateUnfit,
    CredentialRefused,
    Interrupted,
    PhoneChanged,
    PhoneDistrusts,
    PhoneGone,
    PhoneRefused,
    PossessionUnproved,
    ReadBackDiffers,
    RequestRefused,
    ServerUnreachable,
    SlotOccupied,
    Unsupported,
    UsageError,
    UsbprovError,
)
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState, StepState
from usbprov.net.credentials import Way
from usbprov.phone import registry
from usbprov.phone.candidates import Reach, candidates
from usbprov.phone.contract import Capability, SlotState
from usbprov.phone.holding import HeldPhone, hold
from usbprov.pki.certificates import thumbprint
from usbprov.usb.locks import PhoneLocks

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"
REGISTRAR = "fe01.contoso.test"
ORDER = Order(URL, CredentialOrder((Way.PIN,), "1001"), registrar=REGISTRAR)


@dataclass
class Bench:
    """A phone, its services and a ledger, on which jobs are run one after another."""

    ledger: Ledger
    phone: MemoryPhone = field(default_factory=MemoryPhone)
    services: MemoryServices = field(default_factory=MemoryServices)
    registrar: MemoryRegistrar = field(default_factory=MemoryRegistrar)
    events: list[Event] = field(default_factory=list)
    pins: int = 0
    bus: MemoryBus = field(default_factory=MemoryBus)

    def pin(self) -> str:
        self.pins += 1
        return "720511998364"

    def runner(self, order: Order = ORDER) -> Runner:
        job = Job(
            order, self.phone, self.ledger, lambda: self.services, self.pin, lambda: self.registrar
        )
        job.retries = RetryPolicy(attempts=1)
        return Runner(job, self.events.append)

    def run(self, order: Order = ORDER, *, dry_run: bool = False) -> Result:
        return self.runner(order).run(dry_run=dry_run)

    def states(self) -> list[JobState]:
        return [job.state for job in self.ledger.jobs()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        yield Bench(ledger)


def test_every_step_finds_what_it_needs() -> None:
    facts = set(KNOWN_FROM_PLAN)
    for step in STEPS:
        assert step.needs <= facts, step.name
        facts |= step.yields


def test_the_table_has_every_step_once() -> None:
    assert [*StepName][2:] == [step.name for step in STEPS]


def test_a_fact_that_is_missing_is_a_bug() -> None:
    with pytest.raises(RuntimeError):
        known(None)


def test_the_whole_job(bench: Bench) -> None:
    result = bench.run()
    assert result.outcome is Outcome.PROVISIONED
    assert result.user == "sip:alice@contoso.test"
    assert result.certificate is not None
    assert result.certificate.sha256 == bench.phone.slot.active_certificate
    assert (result.proof.read_back, result.proof.possession, result.proof.sign_in) == (
        True,
        True,
        True,
    )
    assert result.signed_in is not None
    assert bench.phone.settings is not None
    assert bench.phone.settings.sip_uri == result.user
    assert thumbprint(ROOT) in bench.phone.roots
    assert bench.states() == [JobState.DONE]
    assert [event.step for event in bench.events if isinstance(event, StepEnded)] == [*StepName]
    assert StepProgress(StepName.KEY, 50) in bench.events


def test_every_step_is_in_the_ledger(bench: Bench) -> None:
    result = bench.run()
    records = bench.ledger.steps(known(result.job))
    assert [record.name for record in records] == [*StepName]
    assert all(record.ms is not None for record in records)
    assert {record.state for record in records} <= {StepState.DONE, StepState.SKIPPED}


def test_a_second_run_asks_and_changes_nothing(bench: Bench) -> None:
    first = bench.run()
    bench.phone.calls.clear()
    bench.services.calls.clear()
    second = bench.run()
    assert second.outcome is Outcome.ALREADY
    assert second.job == first.job
    assert second.certificate == first.certificate
    assert second.proof.possession is True
    assert bench.services.calls == []
    assert bench.pins == 1
    assert set(bench.phone.calls) == {"info", "read", "prove"}
    assert bench.states() == [JobState.DONE]


def test_dry_run_touches_nothing(bench: Bench) -> None:
    result = bench.run(dry_run=True)
    assert result.outcome is Outcome.PLANNED
    assert known(result.plan).lines
    assert bench.phone.calls == ["info"]
    assert (bench.services.calls, bench.pins, bench.states()) == ([], 0, [])


def test_dry_run_of_a_done_phone_plans_nothing(bench: Bench) -> None:
    bench.run()
    assert known(bench.run(dry_run=True).plan).lines == ()


@pytest.mark.parametrize(
    "lost_at", ["generate_key", "request", "install", "prove", "read", "set_clock", "add_root"]
)
def test_a_lost_phone_and_a_repeat_give_one_key_and_one_certificate(
    bench: Bench, lost_at: str
) -> None:
    bench.phone.clock = datetime.now(UTC) - timedelta(days=365)
    bench.phone.fail_at = lost_at
    begun = lost_at not in {"set_clock", "add_root"}
    with pytest.raises(Interrupted if begun else PhoneGone):
        bench.run()
    bench.phone.fail_at = None
    result = bench.run()
    assert result.outcome is Outcome.PROVISIONED
    assert len(bench.phone.keys) == 1
    assert bench.services.calls.count("publish") == 1
    assert len(bench.states()) == (1 if begun else 2)


def test_a_key_whose_answer_was_lost_is_recognised_by_its_nonce(bench: Bench) -> None:
    bench.phone.fail_at = "request"
    with pytest.raises(Interrupted):
        bench.run()
    bench.phone.fail_at = None
    bench.phone.calls.clear()
    bench.run()
    assert "generate_key" not in bench.phone.calls


def test_an_answer_that_was_received_is_never_asked_for_again(bench: Bench) -> None:
    bench.phone.fail_at = "install"
    with pytest.raises(Interrupted):
        bench.run()
    bench.phone.fail_at = None
    bench.services.calls.clear()
    result = bench.run()
    assert result.outcome is Outcome.PROVISIONED
    assert bench.services.calls == []
    assert bench.pins == 1


def test_a_commit_whose_answer_was_lost_is_found(bench: Bench) -> None:
    bench.phone.fail_at = "read"
    with pytest.raises(Interrupted):
        bench.run()
    bench.phone.fail_at = None
    bench.phone.calls.clear()
    bench.run()
    assert "install" not in bench.phone.calls


def test_a_server_that_fails_after_the_key_leaves_the_job_open(bench: Bench) -> None:
    bench.services.errors["publish"] = [ServerUnreachable(URL, "refused")]
    with pytest.raises(ServerUnreachable):
        bench.run()
    assert bench.states() == [JobState.OPEN]
    assert bench.run().outcome is Outcome.PROVISIONED
    assert len(bench.phone.keys) == 1


def test_ctrl_c_is_resumable(bench: Bench) -> None:
    bench.services.errors["ticket"] = [KeyboardInterrupt()]
    with pytest.raises(Interrupted):
        bench.run()
    assert bench.states() == [JobState.OPEN]
    assert bench.run().outcome is Outcome.PROVISIONED
    assert bench.states() == [JobState.DONE]


def test_a_refused_pin_changes_nothing_and_is_not_repeated(bench: Bench) -> None:
    bench.services.errors["ticket"] = [CredentialRefused(URL, "No valid security token.", 28020)]
    runner = bench.runner()
    with pytest.raises(CredentialRefused) as caught:
        runner.run()
    assert bench.phone.calls == ["info"]
    assert (bench.services.calls, bench.pins) == (["ticket"], 1)
    assert bench.states() == [JobState.FAILED]
    result = runner.result(caught.value)
    assert result.outcome is Outcome.FAILED
    assert [(s.name, s.mark) for s in result.steps][-1] == (StepName.TICKET, Mark.FAILED)


def test_a_final_refusal_after_the_key_is_stuck_until_replaced(bench: Bench) -> None:
    bench.services.errors["publish"] = [RequestRefused(URL, "key too small")] * 2
    for _ in range(2):
        with pytest.raises(RequestRefused):
            bench.run()
    assert bench.states() == [JobState.STUCK]
    assert len(bench.phone.keys) == 1
    bench.run(replace(ORDER, replace=True))
    assert len(bench.phone.keys) == 2
    assert bench.states() == [JobState.DONE, JobState.SUPERSEDED]


def test_an_occupied_slot_is_refused_before_the_server_is_asked(bench: Bench) -> None:
    bench.run()
    other = replace(ORDER, credential=CredentialOrder((Way.PIN,), "1002"))
    with pytest.raises(SlotOccupied) as caught:
        bench.run(other)
    assert "sip:alice@contoso.test" in str(caught.value)
    assert bench.pins == 1
    bench.services.user = "sip:bob@contoso.test"
    assert bench.run(replace(other, replace=True)).user == "sip:bob@contoso.test"


def test_a_foreign_key_in_the_slot_is_not_overwritten(bench: Bench) -> None:
    bench.phone.generate_key(0, 2048, b"x" * 16, replace=False, progress=lambda _: None)
    with pytest.raises(SlotOccupied):
        bench.run()
    assert bench.run(replace(ORDER, key=KeySource.EXISTING)).outcome is Outcome.PROVISIONED
    assert len(bench.phone.keys) == 1


def test_replace_makes_a_new_credential(bench: Bench) -> None:
    first = bench.run()
    second = bench.run(replace(ORDER, replace=True))
    assert second.outcome is Outcome.PROVISIONED
    assert second.certificate != first.certificate
    assert len(bench.phone.keys) == 2


def test_existing_key_with_replace_keeps_the_key(bench: Bench) -> None:
    first = bench.run()
    second = bench.run(replace(ORDER, replace=True, key=KeySource.EXISTING))
    assert known(second.certificate).key_sha256 == known(first.certificate).key_sha256
    assert known(second.certificate).sha256 != known(first.certificate).sha256


def test_existing_key_without_one(bench: Bench) -> None:
    with pytest.raises(PhoneRefused):
        bench.run(replace(ORDER, key=KeySource.EXISTING))


def test_a_phone_without_key_generation_gets_a_host_key(bench: Bench) -> None:
    bench.phone.capabilities = ALL - {Capability.GENERATE_KEY}
    result = bench.run()
    assert result.key_source == "host"
    assert "import_key" in bench.phone.calls
    with pytest.raises(Unsupported):
        bench.run(replace(ORDER, replace=True, key=KeySource.PHONE))


@pytest.mark.parametrize("order", [replace(ORDER, bits=4096), replace(ORDER, slot=7)])
def test_what_the_phone_cannot_do(bench: Bench, order: Order) -> None:
    with pytest.raises(Unsupported):
        bench.run(order)
    assert bench.pins == 0


def test_a_clock_a_year_behind_is_set(bench: Bench) -> None:
    bench.phone.clock = datetime.now(UTC) - timedelta(days=365)
    bench.run()
    assert abs(datetime.now(UTC) - known(bench.phone.clock)) < timedelta(seconds=30)


def test_a_trusted_root_is_not_installed_again(bench: Bench) -> None:
    bench.phone.roots = frozenset({thumbprint(ROOT)})
    bench.run()
    assert "add_root" not in bench.phone.calls


def test_a_missing_root_is_named(bench: Bench) -> None:
    bench.services.roots = ()
    with pytest.raises(PhoneDistrusts, match="Memory Root"):
        bench.run()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"certify_other_key": True}, "another key"),
        ({"subject": "mallory@contoso.test"}, "mallory"),
        ({"start": timedelta(days=-365), "days": 30}, "not valid now"),
    ],
)
def test_an_unfit_certificate_is_not_installed(
    bench: Bench, fault: dict[str, object], words: str
) -> None:
    for attribute, value in fault.items():
        setattr(bench.services, attribute, value)
    with pytest.raises(CertificateUnfit, match=words):
        bench.run()
    assert "install" not in bench.phone.calls
    assert bench.phone.slot.active_certificate is None


def test_binary_subject_names_do_not_count(bench: Bench) -> None:
    bench.services.subject = "0123456789"
    assert bench.run().outcome is Outcome.PROVISIONED


def test_an_expired_answer_is_asked_for_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.services.days = 0.05
    bench.phone.fail_at = "install"
    with pytest.raises(Interrupted):
        bench.run()
    bench.phone.fail_at, bench.services.days = None, 180
    monkeypatch.setattr("usbprov.engine.fitness.LEAST_LEFT", timedelta(hours=2))
    assert bench.run().outcome is Outcome.PROVISIONED
    assert bench.services.calls.count("publish") == 2


def test_another_certificate_read_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryPhone, "read", lambda *_: b"other")
    with pytest.raises(ReadBackDiffers):
        bench.run()


def test_a_wrong_signature(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryPhone, "prove", lambda *_: b"\0" * 256)
    runner = bench.runner()
    with pytest.raises(PossessionUnproved) as caught:
        runner.run()
    assert runner.result(caught.value).proof.possession is False


def test_a_model_that_cannot_prove_says_so(bench: Bench) -> None:
    bench.phone.capabilities = ALL - {Capability.PROVE, Capability.SET_CLOCK}
    result = bench.run()
    assert result.proof.possession is None
    assert result.proof.read_back is True


def test_erased_phone_is_provisioned_again(bench: Bench) -> None:
    bench.run()
    bench.phone.slot = SlotState(0)
    assert bench.run().outcome is Outcome.PROVISIONED
    assert bench.states() == [JobState.DONE, JobState.DONE]


def test_no_secret_reaches_the_ledger(bench: Bench, tmp_path: Path) -> None:
    bench.run()
    bench.ledger.close()
    for file in tmp_path.iterdir():
        assert b"720511998364" not in file.read_bytes()


def test_a_server_down_before_the_key_leaves_nothing_to_go_on_with(bench: Bench) -> None:
    bench.services.errors["presented_chain"] = [ServerUnreachable(URL, "down")]
    with pytest.raises(ServerUnreachable):
        bench.run()
    assert bench.states() == [JobState.FAILED]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("ticket", CredentialRefused(URL, "No valid security token.", 28020)),
        ("ticket", ServerUnreachable(URL, "down")),
        ("ticket", UsageError("no PIN")),
        ("ticket", KeyboardInterrupt()),
        ("presented_chain", ServerUnreachable(URL, "down")),
    ],
)
def test_a_repeat_that_fails_early_does_not_give_up_the_key(
    bench: Bench, call: str, error: UsbprovError | KeyboardInterrupt
) -> None:
    bench.phone.fail_at = "request"
    with pytest.raises(Interrupted):
        bench.run()
    bench.phone.fail_at = None
    bench.services.errors[call] = [error]
    with pytest.raises((UsbprovError, Interrupted)):
        bench.run()
    assert bench.states() in ([JobState.OPEN], [JobState.STUCK])
    assert bench.run().outcome is Outcome.PROVISIONED
    assert len(bench.phone.keys) == 1


def test_an_unfit_answer_is_not_used_again(bench: Bench) -> None:
    bench.services.subject = "mallory@contoso.test"
    with pytest.raises(CertificateUnfit):
        bench.run()
    bench.services.subject = None
    assert bench.run().outcome is Outcome.PROVISIONED
    assert len(bench.phone.keys) == 1
    kinds = [kept.kind for kept in bench.ledger.artifacts(1)]
    assert kinds == [ArtifactKind.REQUEST, ArtifactKind.REJECTED, ArtifactKind.CERTIFICATE]


def test_a_phone_without_a_clock(bench: Bench) -> None:
    bench.phone.clock = None
    assert bench.run(dry_run=True).outcome is Outcome.PLANNED
    assert bench.run().outcome is Outcome.PROVISIONED


def test_a_phone_that_cannot_be_configured_is_refused_before_anything(bench: Bench) -> None:
    bench.phone.capabilities = ALL - {Capability.CONFIGURE}
    with pytest.raises(Unsupported):
        bench.run()
    assert (bench.services.calls, bench.pins) == ([], 0)


@pytest.mark.parametrize(
    "other",
    [
        replace(ORDER, registrar="pool.contoso.test:5061"),
        replace(ORDER, web_services_url="https://pool.contoso.test/other"),
    ],
)
def test_other_servers_are_not_done_already(bench: Bench, other: Order) -> None:
    bench.run()
    with pytest.raises(SlotOccupied, match=r"https://pool\.contoso\.test"):
        bench.run(other)
    assert bench.run(replace(other, replace=True)).outcome is Outcome.PROVISIONED
    assert known(bench.phone.settings).registrar == other.registrar


def test_an_interrupted_job_for_another_server_is_not_gone_on_with(bench: Bench) -> None:
    bench.phone.fail_at = "install"
    with pytest.raises(Interrupted):
        bench.run()
    bench.phone.fail_at = None
    other = replace(ORDER, web_services_url="https://pool.contoso.test/other", replace=True)
    bench.services.calls.clear()
    bench.run(other)
    assert "publish" in bench.services.calls


def test_the_case_of_a_user_does_not_matter(bench: Bench) -> None:
    bench.run()
    loud = replace(ORDER, user="sip:ALICE@contoso.test")
    assert bench.run(loud).outcome is Outcome.ALREADY


def test_a_resumed_job_keeps_its_kind_of_key(bench: Bench) -> None:
    first = bench.run()
    again = replace(ORDER, replace=True, key=KeySource.EXISTING)
    bench.phone.fail_at = "install"
    with pytest.raises(Interrupted):
        bench.run(again)
    bench.phone.fail_at = None
    second = bench.run(replace(ORDER, replace=True))
    assert second.key_source == "existing"
    assert known(second.certificate).key_sha256 == known(first.certificate).key_sha256
    assert bench.run().key_source == "existing"


# --- a phone that goes away and comes back


@pytest.fixture
def held(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldPhone]:
    """The bench's phone at a port, from which it can be taken."""
    monkeypatch.setattr(registry, "drivers", lambda: (MemoryDriver(),))
    bus = MemoryBus(phones={"1-1": bench.phone})
    (candidate,) = candidates([bus], Reach(locks=PhoneLocks(tmp_path / "locks")))
    with hold(candidate) as phone:
        bench.bus = bus
        yield phone


def returning(bench: Bench, held: HeldPhone, method: str, then: MemoryPhone | None) -> Runner:
    """A runner whose phone is lost once, in ``method``; then ``then`` is at the port."""
    runner = bench.runner()
    runner._job.held, runner._job.return_seconds = held, 0.1
    bench.phone.fail_at = method

    def swap(event: Event) -> None:
        bench.events.append(event)
        if isinstance(event, PhoneAwaited):
            bench.phone.fail_at = None
            bench.bus.phones = {} if then is None else {"1-1": then}

    runner._listener = swap
    return runner


@pytest.mark.parametrize(
    "method", ["generate_key", "request", "install", "read", "prove", "identity", "add_root"]
)
def test_a_job_goes_on_when_its_phone_is_back(bench: Bench, held: HeldPhone, method: str) -> None:
    bench.phone.clock = datetime.now(UTC) - timedelta(days=1)
    result = returning(bench, held, method, bench.phone).run()
    assert result.outcome is Outcome.PROVISIONED
    assert bench.services.calls.count("publish") == 1
    assert [type(e) for e in bench.events].count(PhoneAwaited) == 1
    assert bench.pins == 1


def test_a_commit_whose_answer_was_lost_is_found_done(bench: Bench, held: HeldPhone) -> None:
    """A phone that restarts with its new credential before it can answer."""
    install = bench.phone.install

    def lost(*arguments: Any) -> None:
        install(*arguments)
        raise PhoneGone(bench.phone.facts.name)

    bench.phone.install = lost  # type: ignore[method-assign]
    result = returning(bench, held, "nothing", bench.phone).run()
    marks = {step.name: step.mark for step in result.steps}
    assert marks[StepName.INSTALL] is Mark.SKIPPED
    assert result.outcome is Outcome.PROVISIONED


@pytest.mark.parametrize("method", ["generate_key", "request", "install", "prove"])
def test_a_job_stops_when_another_phone_is_there(
    bench: Bench, held: HeldPhone, method: str
) -> None:
    stranger = MemoryPhone(mac="02:00:00:00:00:02")
    with pytest.raises(PhoneChanged):
        returning(bench, held, method, stranger).run()
    assert set(stranger.calls) <= {"identity", "close"}
    assert bench.states() == [JobState.OPEN]


def test_a_phone_that_stays_away_interrupts_its_job(bench: Bench, held: HeldPhone) -> None:
    with pytest.raises(Interrupted):
        returning(bench, held, "install", None).run()
    assert bench.states() == [JobState.OPEN]


def test_a_phone_that_goes_for_ever_and_ever_is_given_up(bench: Bench, held: HeldPhone) -> None:
    runner = returning(bench, held, "install", bench.phone)
    runner._listener = bench.events.append  # it fails again each time
    with pytest.raises(Interrupted):
        runner.run()
    assert [type(e) for e in bench.events].count(PhoneAwaited) == 3


def test_nothing_is_written_to_a_phone_that_was_exchanged(bench: Bench, held: HeldPhone) -> None:
    """Behind a serial line, that is: nothing tells of it but the phone itself."""
    runner = returning(bench, held, "nothing", bench.phone)

    def exchange(event: Event) -> None:
        if event == StepBegun(StepName.KEY):
            bench.phone.calls.clear()
            bench.phone.serial = "MEM2"

    runner._listener = exchange
    with pytest.raises(PhoneChanged):
        runner.run()
    assert set(bench.phone.calls) == {"identity"}
