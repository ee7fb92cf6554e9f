"""Jobs in two halves: prepared with services and no phone, applied with a phone and no services."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import cycle
from pathlib import Path

import pytest
from doubles.phone import ALL, MemoryPhone
from doubles.registrar import MemoryRegistrar
from doubles.services import ROOT, MemoryServices

from usbprov.engine.events import Event, Mark, StepEnded, StepName
from usbprov.engine.job import Job
from usbprov.engine.offline import applying
from usbprov.engine.offline.applying import Carried, apply_course
from usbprov.engine.offline.asking import ASK, request_file
from usbprov.engine.offline.preparing import prepare_course
from usbprov.engine.order import CredentialOrder, KeySource, Order
from usbprov.engine.result import Outcome, Result
from usbprov.engine.retry import RetryPolicy
from usbprov.engine.runner import Runner
from usbprov.errors import (
    CarriedFileTaken,
    CertificateUnfit,
    ClockBehindFile,
    CredentialRefused,
    Interrupted,
    OfflineError,
    PhoneCannotVerify,
    PreparedExpired,
    PreparedForOther,
    PreparedKeyMissing,
    PreparedUnfinished,
    RequestRefused,
    ServerCertificateExpired,
    ServerUnreachable,
    SlotOccupied,
    Unsupported,
    UsbprovError,
)
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobState
from usbprov.net.credentials import Way
from usbprov.offline.envelope import Lock
from usbprov.offline.files import SealedFile, open_sealed
from usbprov.offline.package import Package, present
from usbprov.offline.paper import PaperPhone
from usbprov.offline.requests import RequestFile
from usbprov.offline.unseen import unseen_phone
from usbprov.phone.contract import Capability, KeyState, SlotState
from usbprov.pki.certificates import thumbprint
from usbprov.pki.keys import from_pkcs8, generate_rsa, key_digest
from usbprov.pki.limits import ChainLimits, SignatureKind
from usbprov.pki.scrypt import Cost
from usbprov.pki.vault.vault import Vault

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"
REGISTRAR = "fe01.contoso.test"
ALICE = "sip:alice@contoso.test"
PASSPHRASE = "correct horse battery"
CHEAP = Cost(1 << 12, 8, 1)
KEYS = cycle([generate_rsa() for _ in range(4)])
TAKES_KEYS = ALL - {Capability.GENERATE_KEY}


PARSED = cache(from_pkcs8)
LOCK = Lock.new(PASSPHRASE, CHEAP)


@pytest.fixture(autouse=True)
def _what_takes_long_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check each key, and derive the one of the files, once; other tests see to these."""
    monkeypatch.setattr("doubles.phone.from_pkcs8", PARSED)
    monkeypatch.setattr("usbprov.offline.paper.from_pkcs8", PARSED)
    monkeypatch.setattr(Lock, "of", lambda *_: LOCK)


class NoServer:
    """What stands for the network where there is none."""

    def __call__(self) -> None:
        raise AssertionError("a server was asked")


@dataclass
class Office:
    """The computer where the servers are: its ledger, and the file that it makes."""

    ledger: Ledger
    path: Path
    services: MemoryServices = field(default_factory=MemoryServices)
    registrar: MemoryRegistrar = field(default_factory=MemoryRegistrar)
    pins: int = 0

    def pin(self) -> str:
        self.pins += 1
        return "720511"

    def opened(self) -> tuple[SealedFile, Package]:
        return open_sealed(self.path, PASSPHRASE)

    def package(self) -> Package:
        return self.opened()[1]

    def prepare(
        self, blank: Package, *, registrar: str | None = REGISTRAR, **more: object
    ) -> Result:
        if self.path.exists():
            sealed, package = self.opened()
        else:
            sealed, package = SealedFile(self.path, LOCK), blank
        paper = PaperPhone(sealed, package)
        key = KeySource.EXISTING if package.request else KeySource.HOST
        given = {"registrar": registrar, "key": key} | more
        order = Order(URL, CredentialOrder((Way.PIN,), "1001"), **given)
        job = Job(
            order, paper, self.ledger, lambda: self.services, self.pin, lambda: self.registrar
        )
        vault = Vault(self.path.parent / "vault", lambda _: "the vault's words", cost=CHEAP)
        job.vault = lambda: vault
        job.retries, job.make_key = RetryPolicy(attempts=1), lambda _bits: next(KEYS)
        return Runner(job, lambda _event: None, prepare_course(paper)).run()


@dataclass
class Desk:
    """The computer at the phone, which reaches nobody."""

    ledger: Ledger
    phone: MemoryPhone
    events: list[Event] = field(default_factory=list)

    def job(self, order: Order, **more: object) -> Job:
        return Job(order, self.phone, self.ledger, NoServer(), NoServer(), NoServer(), **more)

    def ask(self, **options: object) -> RequestFile:
        order = Order(
            URL,
            CredentialOrder((), None),
            user=ALICE,
            registrar=REGISTRAR,
            **{"key": KeySource.PHONE} | options,
        )
        job = self.job(order)
        assert Runner(job, self.events.append, ASK).run().outcome is Outcome.REQUESTED
        return request_file(job)

    def apply(self, package: Package, **options: bool) -> Result:
        carried = Carried("alice.usbprov", package)
        order = carried.order(**{"replace": False, "sign_in": False} | options)
        runner = Runner(self.job(order), self.events.append, apply_course(carried))
        return runner.run()

    def marks(self) -> dict[StepName, Mark]:
        return {event.step: event.mark for event in self.events if isinstance(event, StepEnded)}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with Ledger(tmp_path / "office.sqlite3") as ledger:
        yield Office(ledger, tmp_path / "alice.usbprov")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Ledger(tmp_path / "desk.sqlite3") as ledger:
        yield Desk(ledger, MemoryPhone(TAKES_KEYS))


def unseen(mac: str = "02:00:00:00:00:01", serial: str | None = None) -> Package:
    return Package(present(), unseen_phone(mac, serial, None))


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def asked(request: RequestFile) -> Package:
    phone = replace(request.phone, clock=None, slots=())
    return Package(
        present(),
        phone,
        request.slot,
        request.key,
        existing=request.existing,
        request=request.request,
        clock_behind=request.clock_behind,
    )


def test_a_host_made_key_goes_in_one_round(office: Office, desk: Desk) -> None:
    desk.phone.clock = datetime.now(UTC) - timedelta(days=400)
    prepared = office.prepare(unseen())
    assert prepared.outcome is Outcome.PREPARED
    assert prepared.proof.possession is True
    assert prepared.signed_in is not None
    assert office.path.stat().st_mode & 0o777 == 0o600

    package = office.package()
    applied = desk.apply(package)
    assert applied.outcome is Outcome.PROVISIONED
    assert applied.certificate == prepared.certificate
    assert desk.phone.slot.active_key == package.key
    assert desk.phone.slot.active_certificate == prepared.certificate.sha256
    assert desk.phone.settings == package.settings
    assert desk.phone.roots == {thumbprint(ROOT)}
    assert abs(desk.phone.clock - datetime.now(UTC)) < timedelta(minutes=1)
    assert desk.ledger.artifact(applied.job, ArtifactKind.CERTIFICATE) == package.certificate
    assert desk.ledger.job(str(applied.job)).nonce == package.key.nonce


def test_a_phone_made_key_goes_in_two_rounds(office: Office, desk: Desk) -> None:
    desk.phone.capabilities = ALL
    request = desk.ask()
    (job,) = desk.ledger.jobs()
    assert (job.state, job.nonce) == (JobState.OPEN, request.key.nonce)
    assert desk.ask().key == request.key

    prepared = office.prepare(asked(request))
    assert prepared.outcome is Outcome.PREPARED
    assert office.package().pkcs8 is None
    assert prepared.certificate.key_sha256 == request.key.sha256

    applied = desk.apply(office.package())
    assert applied.job == job.id
    assert desk.phone.slot.active_key == request.key
    assert desk.phone.calls.count("generate_key") == 1
    assert [job.state for job in desk.ledger.jobs()] == [JobState.DONE]


def test_one_computer_may_be_carried_itself(office: Office, desk: Desk) -> None:
    """Then both halves are in one ledger."""
    desk.ledger = office.ledger
    office.prepare(unseen(serial="MEM1"))
    assert desk.apply(office.package()).outcome is Outcome.PROVISIONED
    assert desk.apply(office.package()).outcome is Outcome.ALREADY

    desk.phone = MemoryPhone(serial="MEM2", mac="02:00:00:00:00:02")
    office.path = office.path.with_name("second.usbprov")
    request = desk.ask()
    office.prepare(asked(request))
    assert desk.apply(office.package()).outcome is Outcome.PROVISIONED
    assert desk.phone.slot.active_key == request.key
    assert desk.phone.calls.count("generate_key") == 1
    assert not [job for job in office.ledger.jobs() if job.state is JobState.OPEN]


def test_the_phones_present_key_is_renewed(office: Office, desk: Desk) -> None:
    desk.phone.capabilities = ALL
    first = desk.ask()
    office.prepare(asked(first))
    desk.apply(office.package())

    office.path = office.path.with_name("renewal.usbprov")
    renewal = desk.ask(key=KeySource.EXISTING, replace=True)
    assert (renewal.existing, renewal.key.sha256) == (True, first.key.sha256)
    office.prepare(asked(renewal))
    before = desk.phone.slot.active_certificate
    assert desk.apply(office.package()).outcome is Outcome.PROVISIONED
    assert desk.phone.slot.active_key == first.key
    assert desk.phone.slot.active_certificate != before
    assert desk.apply(office.package()).outcome is Outcome.ALREADY


def test_a_replacement_gets_the_stored_pair_of_the_phone_that_it_replaces(
    office: Office, desk: Desk
) -> None:
    office.prepare(unseen("02:00:00:00:00:0a", "OLD"), key=KeySource.VAULT)
    stored = office.package().key
    office.path = office.path.with_name("new.usbprov")
    office.prepare(unseen(serial="MEM1"), key=KeySource.VAULT, replaces="OLD")
    assert office.package().key.sha256 == stored.sha256
    assert desk.apply(office.package()).outcome is Outcome.PROVISIONED
    assert desk.phone.slot.active_key.sha256 == stored.sha256


def test_prepared_twice_nothing_is_asked_again(office: Office) -> None:
    office.prepare(unseen())
    made = office.package()
    calls, pins = list(office.services.calls), office.pins
    assert office.prepare(unseen()).outcome is Outcome.ALREADY_PREPARED
    assert (office.services.calls, office.pins, office.package()) == (calls, pins, made)


def test_applied_twice_nothing_is_done(office: Office, desk: Desk) -> None:
    office.prepare(unseen())
    first = desk.apply(office.package())
    before = list(desk.phone.calls)
    again = desk.apply(office.package())
    assert (again.outcome, again.job) == (Outcome.ALREADY, first.job)
    assert set(desk.phone.calls[len(before) :]) <= {"info", "identity", "read", "prove"}


def test_applied_by_another_computer_all_is_found_done(
    office: Office, desk: Desk, tmp_path: Path
) -> None:
    office.prepare(unseen())
    desk.apply(office.package())
    with Ledger(tmp_path / "other.sqlite3") as ledger:
        other = Desk(ledger, desk.phone)
        imports = desk.phone.calls.count("import_key")
        assert other.apply(office.package()).outcome is Outcome.PROVISIONED
        assert desk.phone.calls.count("import_key") == imports
        assert other.marks()[StepName.INSTALL] is Mark.SKIPPED


@pytest.mark.parametrize("call", ["presented_chain", "ticket", "publish"])
@pytest.mark.parametrize(
    "error", [ServerUnreachable("pool", "no route"), KeyboardInterrupt()], ids=["failed", "stopped"]
)
def test_a_prepare_that_stopped_goes_on(
    office: Office, call: str, error: UsbprovError | KeyboardInterrupt
) -> None:
    office.services.errors[call] = [error]
    with pytest.raises((ServerUnreachable, Interrupted)):
        office.prepare(unseen())
    begun = office.package() if office.path.exists() else None
    if call == "publish":
        assert begun is not None
        with pytest.raises(PreparedUnfinished):
            Carried("alice.usbprov", begun)
    assert office.prepare(unseen()).outcome is Outcome.PREPARED
    if begun and begun.key:
        assert office.package().key == begun.key
        assert office.package().pkcs8 == begun.pkcs8


def test_a_refused_pin_leaves_no_file(office: Office) -> None:
    office.services.errors["ticket"] = [CredentialRefused("pool", "the PIN is wrong")]
    with pytest.raises(CredentialRefused):
        office.prepare(unseen())
    assert not office.path.exists()


def test_the_key_is_in_the_file_before_the_server_is_asked(office: Office) -> None:
    seen: list[Package] = []
    publish = office.services.publish

    def look_then_publish(*arguments: object) -> bytes:
        seen.append(office.package())
        return publish(*arguments)

    office.services.publish = look_then_publish
    office.prepare(unseen())
    (before,) = seen
    assert before.pkcs8 == office.package().pkcs8
    assert before.pkcs8 is not None


def test_an_answer_that_came_is_not_asked_for_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(PaperPhone, "install", interrupt)
        with pytest.raises(Interrupted):
            office.prepare(unseen())
    assert office.package().certificate is None
    pins = office.pins
    assert office.prepare(unseen()).outcome is Outcome.PREPARED
    assert office.services.calls.count("publish") == 1
    assert office.pins == pins


def test_a_begun_file_that_was_lost_is_made_again_with_the_same_key(
    office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger has the answer, and the key sealed, until a file is proved to hold it."""
    with monkeypatch.context() as patch:
        patch.setattr(PaperPhone, "install", interrupt)
        with pytest.raises(Interrupted):
            office.prepare(unseen())
    key = office.package().key
    office.path.unlink()
    assert office.prepare(unseen()).outcome is Outcome.PREPARED
    assert office.package().key == key
    assert office.services.calls.count("publish") == 1
    assert desk.apply(office.package()).outcome is Outcome.PROVISIONED
    assert thumbprint(ROOT) in desk.phone.roots


def test_without_its_ledger_a_begun_file_keeps_its_key(office: Office, tmp_path: Path) -> None:
    office.services.errors["publish"] = [ServerUnreachable("pool", "no route")]
    with pytest.raises(ServerUnreachable):
        office.prepare(unseen())
    begun = office.package()
    with Ledger(tmp_path / "new.sqlite3") as ledger:
        office.ledger = ledger
        assert office.prepare(unseen()).outcome is Outcome.PREPARED
    assert office.package().key == begun.key


def test_a_finished_file_is_not_written_over(office: Office, tmp_path: Path) -> None:
    office.prepare(unseen())
    made = office.path.read_bytes()
    with pytest.raises(CarriedFileTaken, match=r"alice@contoso\.test"):
        office.prepare(unseen(), registrar="other.contoso.test")
    with Ledger(tmp_path / "new.sqlite3") as ledger:
        office.ledger = ledger
        with pytest.raises(CarriedFileTaken):
            office.prepare(unseen())
    assert office.path.read_bytes() == made


@pytest.mark.parametrize("fail_at", ["add_root", "import_key", "install", "prove"])
def test_an_apply_that_stopped_goes_on(office: Office, desk: Desk, fail_at: str) -> None:
    office.prepare(unseen())
    desk.phone.fail_at = fail_at
    with pytest.raises(UsbprovError):
        desk.apply(office.package())
    desk.phone.fail_at = None
    result = desk.apply(office.package())
    assert result.outcome is Outcome.PROVISIONED
    assert desk.phone.slot == SlotState(0, office.package().key, result.certificate.sha256)


def test_another_phone_is_left_alone(office: Office, desk: Desk) -> None:
    office.prepare(unseen())
    desk.phone.mac = "02:00:00:00:00:02"
    with pytest.raises(PreparedForOther, match="MAC 02:00:00:00:00:01"):
        desk.apply(office.package())
    assert set(desk.phone.calls) <= {"info", "identity"}
    assert desk.ledger.jobs() == []


def test_the_serial_number_counts_where_it_was_named(office: Office, desk: Desk) -> None:
    office.prepare(unseen(serial="OTHER"))
    with pytest.raises(PreparedForOther, match="serial OTHER"):
        desk.apply(office.package())


@pytest.mark.parametrize(
    ("later", "error"),
    [
        (timedelta(days=181), PreparedExpired),
        (timedelta(days=180, minutes=-30), PreparedExpired),
        (-timedelta(days=1), ClockBehindFile),
    ],
)
def test_a_wrong_time_is_told_before_anything_is_written(
    office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch, later: timedelta, error: type
) -> None:
    office.prepare(unseen())
    then = datetime.now(UTC) + later
    for module in ("usbprov.engine.fitness", applying.__name__):
        monkeypatch.setattr(f"{module}.now", lambda: then)
    with pytest.raises(error):
        desk.apply(office.package())
    assert set(desk.phone.calls) <= {"info", "identity"}


def test_a_phone_that_cannot_take_a_key_is_left_alone(office: Office, desk: Desk) -> None:
    office.prepare(unseen())
    desk.phone.capabilities = ALL - {Capability.IMPORT_KEY}
    with pytest.raises(Unsupported):
        desk.apply(office.package())
    assert "add_root" not in desk.phone.calls


def test_a_phone_that_lost_its_key_is_left_alone(office: Office, desk: Desk) -> None:
    desk.phone.capabilities = ALL
    office.prepare(asked(desk.ask()))
    desk.phone.erase(0)
    with pytest.raises(PreparedKeyMissing) as caught:
        desk.apply(office.package())
    assert isinstance(caught.value, OfflineError)
    assert "install" not in desk.phone.calls


@pytest.mark.parametrize("done_before", [True, False])
def test_what_another_job_has_installed_stays(
    office: Office, desk: Desk, done_before: bool
) -> None:
    if done_before:  # an older file of the same user, in the ledger here
        office.prepare(unseen())
        desk.apply(office.package())
        office.path = office.path.with_name("newer.usbprov")
    else:
        key = KeyState(key_digest(generate_rsa().public_key()), b"f" * 16)
        desk.phone.slot = SlotState(0, key, "ab" * 32)
    office.prepare(unseen())
    before = desk.phone.slot
    with pytest.raises(SlotOccupied):
        desk.apply(office.package())
    assert desk.phone.slot == before
    result = desk.apply(office.package(), replace=True)
    assert desk.phone.slot.active_certificate == result.certificate.sha256


def test_a_phone_that_could_never_verify_the_server_is_told(office: Office, desk: Desk) -> None:
    office.prepare(unseen())
    desk.phone.limits = ChainLimits(frozenset({SignatureKind.RSA_SHA1}), 2048)
    with pytest.raises(PhoneCannotVerify):
        desk.apply(office.package())
    assert "import_key" not in desk.phone.calls


def test_what_the_phone_cannot_verify_is_told_where_the_servers_are(
    office: Office, desk: Desk
) -> None:
    desk.phone.capabilities = ALL
    desk.phone.limits = ChainLimits(frozenset({SignatureKind.RSA_SHA1}), 2048)
    with pytest.raises(PhoneCannotVerify):
        office.prepare(asked(desk.ask()))
    assert office.pins == 0


def test_a_phone_whose_clock_cannot_be_set_is_judged_by_it(office: Office, desk: Desk) -> None:
    desk.phone.capabilities = ALL - {Capability.SET_CLOCK}
    desk.phone.clock = datetime.now(UTC) - timedelta(days=400)
    request = desk.ask()
    assert request.clock_behind == 400 * 86400
    with pytest.raises(ServerCertificateExpired):
        office.prepare(asked(request))
    assert "publish" not in office.services.calls


def test_a_certificate_for_another_user_or_key_is_not_sealed(office: Office) -> None:
    office.services.certify_other_key = True
    with pytest.raises(CertificateUnfit):
        office.prepare(unseen())
    assert office.package().certificate is None
    office.services.certify_other_key = False
    assert office.prepare(unseen()).outcome is Outcome.PREPARED


def test_a_refused_request_is_final_and_the_file_keeps_its_key(office: Office) -> None:
    office.services.errors["publish"] = [RequestRefused("pool", "no")]
    with pytest.raises(RequestRefused):
        office.prepare(unseen())
    key = office.package().key
    office.prepare(unseen())
    assert office.package().key == key
