"""The ticket step: what it says it will do, what it chooses, and what it asks whom for."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from doubles.phone import ALL, MemoryPhone
from doubles.registrar import MemoryRegistrar
from doubles.services import MemoryServices

from usbprov.engine.job import Job, known
from usbprov.engine.order import CredentialOrder, KeySource, Order
from usbprov.engine.result import Outcome, Result
from usbprov.engine.runner import Runner
from usbprov.errors import CredentialRefused, UsageError, WrongUser
from usbprov.ledger.ledger import Ledger
from usbprov.net.credentials import (
    CertificateCredential,
    PasswordCredential,
    PinCredential,
    Way,
    WindowsCredential,
)
from usbprov.phone.contract import Capability
from usbprov.pki.certificates import load_certificate
from usbprov.webservices.proof import digest_info

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"
ALICE, BOB = "sip:alice@contoso.test", "sip:bob@contoso.test"
PIN = CredentialOrder((Way.PIN,), "1001", "--extension is given")
LOGIN = CredentialOrder(
    (Way.NEGOTIATE, Way.NTLM, Way.PASSWORD), "CONTOSO\\alice", "--login is given"
)
NOTHING = CredentialOrder((Way.CERTIFICATE, Way.KERBEROS), None, "nothing is given")
CERTIFICATE = CredentialOrder((Way.CERTIFICATE,), None, "--auth certificate is given")


@dataclass
class NotingServices(MemoryServices):
    """Keeps the credentials that it was given, and what the tickets were to be for."""

    credentials: list[Any] = field(default_factory=list)
    users: list[str | None] = field(default_factory=list)

    def ticket(self, credential: Any, endpoint: Any, user: str | None) -> Any:
        self.credentials.append(credential)
        self.users.append(user)
        if user is not None and user != self.user:
            raise WrongUser("pool", user, self.user)
        return super().ticket(credential, endpoint, user)


@dataclass
class Bench:
    ledger: Ledger
    phone: MemoryPhone = field(default_factory=MemoryPhone)
    services: NotingServices = field(default_factory=NotingServices)
    asked: int = 0

    def secret(self) -> str:
        self.asked += 1
        return "S3cret"

    def run(self, credential: CredentialOrder, *, dry_run: bool = False, **more: Any) -> Result:
        order = Order(URL, credential, **more)
        job = Job(
            order, self.phone, self.ledger, lambda: self.services, self.secret, MemoryRegistrar
        )
        return Runner(job, lambda _event: None).run(dry_run=dry_run)

    def intent(self, credential: CredentialOrder, **more: Any) -> str:
        return known(self.run(credential, dry_run=True, **more).plan).lines[0][1]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        yield Bench(ledger)


@pytest.fixture(autouse=True)
def _no_kerberos_ticket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usbprov.net.kerberos.has_ticket", lambda: False)


def learnt(result: Result) -> str:
    return next(step.learnt for step in result.steps if step.name == "ticket")


@pytest.mark.parametrize(
    ("credential", "words"),
    [
        (PIN, "by PIN for 1001, because --extension is given"),
        (
            LOGIN,
            "Kerberos or NTLM, NTLM, user name and password for CONTOSO\\alice, because --login",
        ),
    ],
)
def test_plan_says_what_will_be_tried_and_asks_nobody(
    bench: Bench, credential: CredentialOrder, words: str
) -> None:
    told = bench.intent(credential)
    assert words in told
    assert "the server names" in told
    assert bench.services.calls == []
    assert bench.asked == 0


def test_plan_says_that_the_server_chooses_among_several(bench: Bench) -> None:
    assert "by the first of these that the server offers: Kerberos" in bench.intent(LOGIN)


def test_plan_names_the_user_who_is_known(bench: Bench) -> None:
    assert f"({ALICE})" in bench.intent(PIN, user=ALICE)


def test_first_way_that_the_server_offers_is_taken_and_said(bench: Bench) -> None:
    bench.services.offered = frozenset({Way.PASSWORD, Way.NTLM})
    told = learnt(bench.run(LOGIN))
    assert told.startswith("by NTLM, because --login is given and the server offers it: user")
    assert bench.services.credentials == [WindowsCredential(Way.NTLM, "CONTOSO\\alice", "S3cret")]


def test_refused_way_is_not_followed_by_another(bench: Bench) -> None:
    bench.services.errors["ticket"] = [CredentialRefused("pool", "no")]
    with pytest.raises(CredentialRefused):
        bench.run(LOGIN)
    assert len(bench.services.credentials) == 1
    assert bench.asked == 1


@pytest.mark.parametrize(
    ("way", "name", "made", "asked"),
    [
        (Way.PIN, "1001", PinCredential("1001", "S3cret"), 1),
        (Way.PASSWORD, "alice", PasswordCredential("alice", "S3cret"), 1),
        (Way.NTLM, "alice", WindowsCredential(Way.NTLM, "alice", "S3cret"), 1),
        (Way.KERBEROS, "a@B", WindowsCredential(Way.KERBEROS, "a@B", "S3cret"), 1),
        (Way.NEGOTIATE, "alice", WindowsCredential(Way.NEGOTIATE, "alice", "S3cret"), 1),
    ],
)
def test_each_way_has_its_credential(
    bench: Bench, way: Way, name: str, made: object, asked: int
) -> None:
    bench.run(CredentialOrder((way,), name))
    assert bench.services.credentials == [made]
    assert bench.asked == asked


@pytest.mark.parametrize("way", [Way.KERBEROS, Way.NEGOTIATE])
def test_kerberos_ticket_that_is_there_needs_no_secret(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    monkeypatch.setattr("usbprov.net.kerberos.has_ticket", lambda: True)
    bench.run(CredentialOrder((way,)))
    assert bench.services.credentials == [WindowsCredential(way)]
    assert bench.asked == 0


def test_nothing_to_prove_the_user_by_is_told_in_the_plan(bench: Bench) -> None:
    with pytest.raises(UsageError, match="slot 0 holds no certificate; there is no Kerberos"):
        bench.run(NOTHING, dry_run=True)
    with pytest.raises(UsageError, match="slot 0 holds no certificate"):
        bench.run(CERTIFICATE)
    assert bench.services.calls == []


def test_phone_that_cannot_sign_is_told_in_the_plan(bench: Bench) -> None:
    bench.run(PIN)
    bench.phone.capabilities = ALL - {Capability.SIGN}
    with pytest.raises(UsageError, match="cannot sign"):
        bench.run(CERTIFICATE, replace=True, key=KeySource.EXISTING)


def test_phones_certificate_renews_itself_without_a_secret(bench: Bench) -> None:
    bench.run(PIN)
    result = bench.run(CERTIFICATE, replace=True, key=KeySource.EXISTING)
    assert result.outcome is Outcome.PROVISIONED
    assert bench.asked == 1
    credential = bench.services.credentials[1]
    assert isinstance(credential, CertificateCredential)
    key = load_certificate(credential.certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    signature = credential.sign(digest_info(b"message"))
    key.verify(signature, b"message", padding.PKCS1v15(), hashes.SHA256())
    assert bench.services.users[1] == ALICE, "the ticket must be for the phone's own user"


def test_phones_certificate_is_used_where_nothing_is_given(bench: Bench) -> None:
    bench.run(PIN)
    result = bench.run(NOTHING, replace=True, key=KeySource.EXISTING)
    assert learnt(result).startswith("by the phone's certificate, because nothing is given")


def test_expired_certificate_is_not_tried(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run(PIN)
    later = datetime.now(UTC) + timedelta(days=365)
    monkeypatch.setattr("usbprov.engine.steps.ticket.now", lambda: later)
    with pytest.raises(UsageError, match="expired on"):
        bench.run(CERTIFICATE, replace=True, key=KeySource.EXISTING)
    assert len(bench.services.credentials) == 1


def test_kept_ticket_asks_for_no_secret(bench: Bench) -> None:
    kept = SimpleNamespace(sip_uri=ALICE, expires=datetime.now(UTC) + timedelta(hours=1))
    bench.services.kept[ALICE] = kept
    result = bench.run(PIN, user=ALICE)
    assert learnt(result).startswith("kept from before: user sip:alice")
    assert bench.asked == 0
    assert bench.services.credentials == []


def test_unknown_user_is_not_given_anybodys_kept_ticket(bench: Bench) -> None:
    bench.services.kept[ALICE] = SimpleNamespace(sip_uri=ALICE, expires=datetime.now(UTC))
    bench.run(PIN)
    assert bench.asked == 1


def test_job_that_goes_on_stays_its_users(bench: Bench) -> None:
    bench.services.errors["publish"] = [CredentialRefused("pool", "no")]
    with pytest.raises(CredentialRefused):
        bench.run(PIN)
    bench.services.user = BOB
    with pytest.raises(WrongUser):
        bench.run(PIN)
    assert bench.services.users == [None, ALICE]


def test_jobs_of_different_accounts_are_different_jobs(bench: Bench) -> None:
    bench.services.errors["publish"] = [CredentialRefused("pool", "no")]
    with pytest.raises(CredentialRefused):
        bench.run(replace(LOGIN, name="CONTOSO\\alice"))
    with pytest.raises(Exception, match="slot 0"):
        bench.run(replace(LOGIN, name="CONTOSO\\bob"))
