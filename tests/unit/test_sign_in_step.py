"""The step `sign in`: when it is left out, what it proves, and what its failure leaves behind."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from doubles.phone import ALL, MemoryPhone
from doubles.registrar import MemoryRegistrar
from doubles.services import MemoryServices

from usbprov.engine.events import Mark, StepName
from usbprov.engine.job import Job
from usbprov.engine.order import CredentialOrder, Order
from usbprov.engine.result import Outcome, Result
from usbprov.engine.retry import RetryPolicy
from usbprov.engine.runner import Runner
from usbprov.errors import (
    CertificateNotAccepted,
    ChainUntrusted,
    RegistrarFailed,
    RegistrarUnproved,
    UsbprovError,
)
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState
from usbprov.net.credentials import Way
from usbprov.phone.contract import Capability
from usbprov.phone.endpoint import endpoint_of

SERVER = "fe01.contoso.test"
ORDER = Order(
    "https://pool.contoso.test/CertProv/CertProvisioningService.svc",
    CredentialOrder((Way.PIN,), "1001"),
    registrar=SERVER,
)
BUSY = RegistrarFailed(SERVER, 504, "server time-out")


@dataclass
class Desk:
    """A phone with its servers, in memory."""

    ledger: Ledger
    phone: MemoryPhone = field(default_factory=MemoryPhone)
    services: MemoryServices = field(default_factory=MemoryServices)
    registrar: MemoryRegistrar = field(default_factory=MemoryRegistrar)

    def runner(self, order: Order) -> Runner:
        job = Job(
            order,
            self.phone,
            self.ledger,
            lambda: self.services,
            lambda: "7205",
            lambda: self.registrar,
        )
        job.retries = RetryPolicy(attempts=3, first_wait=0.0)
        return Runner(job, lambda _event: None)

    def run(self, order: Order = ORDER) -> Result:
        return self.runner(order).run()

    def fail(self, order: Order = ORDER) -> Result:
        runner = self.runner(order)
        with pytest.raises(UsbprovError) as raised:
            runner.run()
        return runner.result(raised.value)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        yield Desk(ledger)


def last(result: Result) -> tuple[StepName, Mark]:
    report = result.steps[-1]
    return report.name, report.mark


def test_the_phones_own_key_signs_in_as_the_published_device(desk: Desk) -> None:
    result = desk.run()
    assert desk.registrar.signed_in == [("sip:alice@contoso.test", endpoint_of(desk.phone.mac))]
    assert "sign" in desk.phone.calls
    assert result.proof.sign_in is True
    assert "TLS-DSK TLS 1.2" in result.steps[-1].learnt
    assert SERVER in result.steps[-1].learnt


@pytest.mark.parametrize(
    ("order", "missing", "words"),
    [
        (replace(ORDER, sign_in=False), None, "not wanted"),
        (replace(ORDER, registrar=None), None, "--registrar"),
        (ORDER, Capability.SIGN, "cannot sign"),
    ],
)
def test_it_is_left_out_and_says_why(
    desk: Desk, order: Order, missing: Capability | None, words: str
) -> None:
    desk.phone.capabilities = ALL - {missing}
    result = desk.run(order)
    assert result.outcome is Outcome.PROVISIONED
    assert last(result) == (StepName.SIGN_IN, Mark.SKIPPED)
    assert words in result.steps[-1].learnt
    assert result.proof.sign_in is None
    assert desk.registrar.calls == 0


def test_a_dry_run_says_where_and_asks_nobody(desk: Desk) -> None:
    plan = desk.runner(ORDER).run(dry_run=True).plan
    assert plan is not None
    assert (StepName.SIGN_IN, f"at {SERVER} with the phone's key, then out again") in plan.lines
    left_out = desk.runner(replace(ORDER, sign_in=False)).run(dry_run=True).plan
    assert left_out is not None
    assert (StepName.SIGN_IN, "left out: it was not wanted") in left_out.lines
    assert desk.registrar.calls == 0


def test_what_may_pass_is_tried_again(desk: Desk) -> None:
    desk.registrar.fails = [BUSY, BUSY]
    assert desk.run().proof.sign_in is True
    assert desk.registrar.calls == 3


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (CertificateNotAccepted(SERVER, "Final handshake failed."), JobState.STUCK),
        (RegistrarUnproved(SERVER, "the 200 is not signed", check="unsigned"), JobState.STUCK),
        (ChainUntrusted(SERVER, "self-signed"), JobState.STUCK),
        (BUSY, JobState.OPEN),
    ],
)
def test_a_failure_is_told_and_a_repeat_signs_in_alone(
    desk: Desk, error: UsbprovError, state: JobState
) -> None:
    desk.registrar.fails = [error] * 3
    failed = desk.fail()
    assert failed.error is error
    assert failed.proof.sign_in is False
    assert [job.state for job in desk.ledger.jobs()] == [state]
    assert desk.phone.slot.active_certificate is not None

    desk.registrar.fails = []
    published = desk.services.calls.count("publish")
    again = desk.run()
    assert again.job == failed.job
    assert again.proof.sign_in is True
    assert desk.services.calls.count("publish") == published
    assert [job.state for job in desk.ledger.jobs()] == [JobState.DONE]


def test_a_finished_job_asks_no_registrar(desk: Desk) -> None:
    desk.run()
    again = desk.run()
    assert again.outcome is Outcome.ALREADY
    assert (again.proof.sign_in, desk.registrar.calls) == (None, 1)
