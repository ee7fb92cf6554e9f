"""The step ``trust`` of a job, and the refusal that comes before the user's secret is asked for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.certificates import Party, issue, server
from doubles.phone import MemoryPhone
from doubles.registrar import MemoryRegistrar
from doubles.services import HOST, KEY, ROOT, MemoryServices

from usbprov.engine.events import Event, Mark, StepEnded, StepName
from usbprov.engine.job import Job
from usbprov.engine.order import CredentialOrder, Order
from usbprov.engine.runner import Runner
from usbprov.errors import PhoneCannotVerify, PhoneDistrusts, SourceUnverified
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import JobState
from usbprov.net.credentials import Way
from usbprov.pki.certificates import thumbprint
from usbprov.pki.limits import ChainLimits, SignatureKind

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"


class Run:
    """One job of one phone, and what came of it."""

    def __init__(self, ledger: Ledger, phone: MemoryPhone, services: MemoryServices) -> None:
        self.ledger, self.phone, self.services = ledger, phone, services
        self.secrets = 0
        self.events: list[Event] = []

    def secret(self) -> str:
        self.secrets += 1
        return "7205"

    def __call__(self) -> None:
        order = Order(URL, CredentialOrder((Way.PIN,), "1001"))
        job = Job(
            order, self.phone, self.ledger, lambda: self.services, self.secret, MemoryRegistrar
        )
        Runner(job, self.events.append).run()

    def learnt(self, step: StepName) -> tuple[Mark, str]:
        ended = [e for e in self.events if isinstance(e, StepEnded) and e.step is step]
        return ended[-1].mark, ended[-1].learnt


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        yield Run(ledger, MemoryPhone(), MemoryServices())


def test_the_missing_root_comes_from_this_computer(run: Run) -> None:
    run()
    assert thumbprint(ROOT) in run.phone.roots
    mark, learnt = run.learnt(StepName.TRUST)
    assert mark is Mark.DONE
    assert learnt == "installed: CN=Memory Root from system"


def test_a_root_that_only_the_download_has_is_not_believed(run: Run) -> None:
    run.services.roots, run.services.downloaded = (), (ROOT,)
    with pytest.raises(SourceUnverified, match="http://pool"):
        run()
    assert "add_root" not in run.phone.calls


def test_without_any_source_the_root_is_named(run: Run) -> None:
    run.services.roots = ()
    with pytest.raises(PhoneDistrusts, match="Memory Root is missing"):
        run()


def test_the_download_fills_a_gap_that_this_computer_vouches_for(run: Run) -> None:
    middle = issue("Middle", Party(ROOT, KEY))
    run.services.chain = (server("leaf", middle, HOST).certificate,)
    run.services.downloaded = (ROOT, middle.certificate)
    run()
    assert run.phone.roots == {thumbprint(ROOT), thumbprint(middle.certificate)}
    assert run.learnt(StepName.TRUST)[1] == (
        "installed: CN=Memory Root from system, CN=Middle from download"
    )


@pytest.mark.parametrize(
    "limits", [ChainLimits(frozenset({SignatureKind.RSA_SHA1})), ChainLimits(rsa_bits=1024)]
)
def test_a_phone_that_can_never_verify_is_refused_before_anything(
    run: Run, limits: ChainLimits
) -> None:
    run.phone.limits = limits
    with pytest.raises(PhoneCannotVerify, match="Memory Root"):
        run()
    assert run.secrets == 0
    assert run.services.calls == ["presented_chain", "chain_download"]
    assert set(run.phone.calls) == {"info"}
    assert [job.state for job in run.ledger.jobs()] == [JobState.FAILED]
    assert run.learnt(StepName.TICKET)[0] is Mark.FAILED


def test_a_phone_with_limits_that_suffice_is_provisioned(run: Run) -> None:
    run.phone.limits = ChainLimits(frozenset({SignatureKind.RSA_SHA2}), 2048)
    run()
    assert run.secrets == 1
    assert run.services.calls.count("presented_chain") == 2


def test_a_phone_without_known_limits_costs_no_extra_handshake(run: Run) -> None:
    run()
    assert run.services.calls.count("presented_chain") == 1
