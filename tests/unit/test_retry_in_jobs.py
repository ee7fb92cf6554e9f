"""Repeats within a job: which steps do it, what the ledger and the screen have of it."""

import io
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.phone import MemoryPhone
from doubles.registrar import MemoryRegistrar
from doubles.services import MemoryServices
from rich.console import Console

from usbprov.cli.progress import PlainProgress, TerminalProgress
from usbprov.engine.events import Event, Listener, StepBegun, StepName, StepRetry
from usbprov.engine.job import Job
from usbprov.engine.order import CredentialOrder, Order
from usbprov.engine.result import Outcome
from usbprov.engine.retry import Retry, RetryPolicy
from usbprov.engine.runner import Runner
from usbprov.errors import (
    CertificateUnfit,
    Interrupted,
    RequestRefused,
    ServerBusy,
    ServerFailed,
    ServerUnreachable,
    StoreUnreachable,
)
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState, StepState
from usbprov.net.credentials import Way

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"
QUICK = RetryPolicy(attempts=4, seconds=30, first_wait=0.001, longest_wait=0.001)


class Bench:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.phone = MemoryPhone()
        self.services = MemoryServices()
        self.events: list[Event] = []

    def run(self, listener: Listener | None = None) -> Outcome:
        order = Order(URL, CredentialOrder((Way.PIN,), "1001"))
        job = Job(
            order, self.phone, self.ledger, lambda: self.services, lambda: "7205", MemoryRegistrar
        )
        job.retries = QUICK
        return Runner(job, listener or self.events.append).run().outcome

    def retries(self) -> list[StepRetry]:
        return [event for event in self.events if isinstance(event, StepRetry)]

    def attempts(self, name: StepName) -> list[tuple[StepState, str | None]]:
        steps = self.ledger.steps(self.ledger.jobs()[0].id)
        return [(step.state, step.error_code) for step in steps if step.name == name]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        yield Bench(ledger)


def store_down() -> StoreUnreachable:
    return StoreUnreachable("pool", "The data store is unavailable.", 28911)


def test_publishing_is_repeated_with_the_same_request(bench: Bench) -> None:
    bench.services.errors["publish"] = [store_down(), ServerUnreachable("pool", "broke")]
    assert bench.run() is Outcome.PROVISIONED
    assert bench.services.calls.count("publish") == 3
    assert bench.services.calls.count("ticket") == 1
    assert len(bench.phone.keys) == 1
    assert bench.phone.calls.count("request") == 1


def test_every_attempt_is_in_the_ledger(bench: Bench) -> None:
    bench.services.errors["publish"] = [store_down()]
    bench.run()
    assert bench.attempts(StepName.PUBLISH) == [
        (StepState.FAILED, "WEB-09"),
        (StepState.DONE, None),
    ]
    told = [s.learnt for s in bench.ledger.steps(1) if s.state is StepState.FAILED]
    assert "again (2 of 4)" in str(told)


def test_the_screen_shows_each_repeat(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.services.errors["publish"] = [store_down()]
    bench.run()
    (retry,) = bench.retries()
    assert retry.step is StepName.PUBLISH
    PlainProgress()(retry)
    assert "publish" in (line := capsys.readouterr().out)
    assert "s again (2 of 4): pool cannot publish" in line


def test_trouble_that_lasts_leaves_the_job_open(bench: Bench) -> None:
    bench.services.errors["publish"] = [store_down() for _ in range(9)]
    with pytest.raises(StoreUnreachable) as caught:
        bench.run()
    assert caught.value.attempts == bench.services.calls.count("publish") == 4
    assert [job.state for job in bench.ledger.jobs()] == [JobState.OPEN]
    assert "install" not in bench.phone.calls
    bench.services.errors.clear()
    assert bench.run() is Outcome.PROVISIONED
    assert len(bench.phone.keys) == 1


def test_a_final_refusal_is_not_repeated(bench: Bench) -> None:
    bench.services.errors["publish"] = [RequestRefused("pool", "No.")]
    with pytest.raises(RequestRefused):
        bench.run()
    assert bench.services.calls.count("publish") == 1


def test_an_answer_that_cannot_be_used_is_asked_for_again(bench: Bench) -> None:
    bench.services.subject = "mallory@contoso.test"
    with pytest.raises(CertificateUnfit):
        bench.run()
    bench.services.subject = None
    assert bench.run() is Outcome.PROVISIONED
    assert bench.services.calls.count("publish") == 2
    assert len(bench.phone.keys) == 1


def test_what_sends_the_pin_is_never_repeated(bench: Bench) -> None:
    bench.services.errors["ticket"] = [ServerFailed("pool", 500)]
    with pytest.raises(ServerFailed) as caught:
        bench.run()
    assert bench.services.calls.count("ticket") == 1
    assert caught.value.attempts == 1
    assert bench.retries() == []


def test_looking_at_the_chain_is_repeated(bench: Bench) -> None:
    bench.services.errors["presented_chain"] = [ServerUnreachable("pool", "refused")]
    assert bench.run() is Outcome.PROVISIONED
    assert [retry.step for retry in bench.retries()] == [StepName.TRUST]


@pytest.fixture
def _ctrl_c_works() -> Iterator[None]:
    """A shell starts background jobs with SIGINT ignored, and Python then leaves it so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_works")
def test_ctrl_c_ends_a_wait_at_once_and_leaves_the_job_open(bench: Bench) -> None:
    def press(event: Event) -> None:
        if isinstance(event, StepRetry):
            assert event.retry.wait > 15
            main = threading.main_thread().ident
            threading.Timer(0.1, signal.pthread_kill, [main, signal.SIGINT]).start()

    bench.services.errors["publish"] = [ServerBusy("pool", "busy", 20.0)]
    began = time.monotonic()
    with pytest.raises(Interrupted):
        bench.run(press)
    assert time.monotonic() - began < 10
    assert [job.state for job in bench.ledger.jobs()] == [JobState.OPEN]
    assert bench.attempts(StepName.PUBLISH)[-1] == (StepState.FAILED, "JOB-01")
    assert bench.run() is Outcome.PROVISIONED


def test_a_terminal_shows_each_repeat_above_the_spinner() -> None:
    screen = io.StringIO()
    shown = TerminalProgress(Console(file=screen, force_terminal=True, width=120))
    shown(StepBegun(StepName.PUBLISH))
    shown(StepRetry(StepName.PUBLISH, Retry(3.2, 2, 5, store_down())))
    shown.close()
    assert "publish" in screen.getvalue()
    assert "in 3 s again (2 of 5): pool cannot publish" in screen.getvalue()
