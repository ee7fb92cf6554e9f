"""What is seen of a phone and its ledger, without any server."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from doubles.phone import ALL, MemoryPhone
from doubles.registrar import MemoryRegistrar
from doubles.services import MemoryServices

from usbprov.engine.job import Job
from usbprov.engine.order import CredentialOrder, Order
from usbprov.engine.recovery.actions import Action
from usbprov.engine.recovery.facts import Begun, Held, Owner, Reach, Settings
from usbprov.engine.recovery.look import look
from usbprov.engine.recovery.remembered import Wish
from usbprov.engine.recovery.repair import Aim, repair_of
from usbprov.engine.recovery.sight import Inquest, Sight, StoredPair
from usbprov.engine.recovery.walk import recovery_of
from usbprov.engine.runner import Runner
from usbprov.errors import Interrupted
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, JobRecord, JobState, NewJob
from usbprov.net.credentials import Way
from usbprov.phone.contract import Capability, PhoneSettings, SlotState
from usbprov.pki.keys import generate_rsa

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"
OTHER = "https://pool.contoso.test:4443/CertProv/CertProvisioningService.svc"
REGISTRAR = "fe01.contoso.test"
ALICE = "sip:alice@contoso.test"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite3") as opened:
        yield opened


def provisioned(ledger: Ledger, phone: MemoryPhone | None = None, url: str = URL) -> MemoryPhone:
    phone = phone or MemoryPhone()
    order = Order(url, CredentialOrder((Way.PIN,), "1001"), registrar=REGISTRAR, replace=True)
    Runner(job_for(ledger, phone, order, MemoryServices()), lambda _: None).run()
    return phone


def job_for(ledger: Ledger, phone: MemoryPhone, order: Order, services: MemoryServices) -> Job:
    registrar = MemoryRegistrar()
    return Job(order, phone, ledger, lambda: services, lambda: "720511", lambda: registrar)


def seen(ledger: Ledger, phone: MemoryPhone, wish: Wish | None = None) -> Sight:
    return look(Inquest(phone, ledger, wish=wish or Wish()))


def test_a_phone_that_this_ledger_provisioned(ledger: Ledger) -> None:
    phone = provisioned(ledger)
    phone.calls.clear()
    sight = seen(ledger, phone)
    facts = sight.facts
    assert (facts.held, facts.owner, facts.settings) == (Held.GOOD, Owner.EXPECTED, Settings.RIGHT)
    assert (facts.recorded, facts.begun, facts.kept) == (True, Begun.NOTHING, False)
    assert (facts.reach, facts.published, facts.clock_off) == (Reach.OFFLINE, None, False)
    assert sight.wish == Wish(ALICE, None, URL, REGISTRAR)
    assert phone.calls == ["info", "read"]  # nothing is written


def test_a_phone_that_nobody_knows(ledger: Ledger, tmp_path: Path) -> None:
    phone = provisioned(ledger)
    with Ledger(tmp_path / "another") as another:
        facts = seen(another, phone).facts
    assert (facts.owner, facts.recorded, facts.settings) == (
        Owner.UNKNOWN,
        False,
        Settings.RIGHT,
    )


def test_what_another_computer_gave_it_later_is_not_taken_for_wrong(
    ledger: Ledger, tmp_path: Path
) -> None:
    phone = provisioned(ledger)
    with Ledger(tmp_path / "another") as another:
        provisioned(another, phone, OTHER)
    sight = seen(ledger, phone)
    assert sight.facts.settings is Settings.RIGHT
    assert sight.wish.web_services_url == OTHER


def test_what_somebody_changed_by_hand_is_wrong(ledger: Ledger) -> None:
    phone = provisioned(ledger)
    phone.settings = PhoneSettings(ALICE, OTHER, REGISTRAR)
    sight = seen(ledger, phone)
    assert sight.facts.settings is Settings.WRONG
    assert ("settings", f"Web Services {OTHER}, not {URL}") in sight.lines
    assert seen(ledger, phone, Wish(web_services_url=OTHER)).facts.settings is Settings.RIGHT


@pytest.mark.parametrize(
    ("wish", "owner"),
    [
        (Wish("sip:bob@contoso.test"), Owner.OTHER),
        (Wish("sip:ALICE@contoso.test"), Owner.EXPECTED),
        (Wish(name="1001"), Owner.EXPECTED),
        (Wish(name="1002"), Owner.UNKNOWN),
    ],
)
def test_whose_it_is_to_be(ledger: Ledger, wish: Wish, owner: Owner) -> None:
    phone = provisioned(ledger)
    assert seen(ledger, phone, wish).facts.owner is owner


def test_a_certificate_without_its_key(ledger: Ledger) -> None:
    phone = provisioned(ledger)
    phone.slot = replace(phone.slot, active_key=None)
    assert seen(ledger, phone).facts.held is Held.OTHER_KEY


def test_the_vault_may_have_the_key_that_the_phone_lost(ledger: Ledger) -> None:
    phone = provisioned(ledger)
    assert phone.slot.active_key is not None
    pairs = [
        StoredPair("sip:bob@contoso.test", "0" * 64),
        StoredPair(ALICE, phone.slot.active_key.sha256),
    ]
    phone.slot, phone.settings = SlotState(0), None
    sight = look(Inquest(phone, ledger, stored=lambda _: pairs))
    assert (sight.facts.is_empty, sight.facts.stored, sight.facts.restorable) == (True,) * 3
    assert sight.stored == pairs[1]


def test_what_was_before_a_retirement_is_forgotten(ledger: Ledger) -> None:
    phone = provisioned(ledger)
    (job,) = ledger.jobs()
    ledger.retire(job)
    assert ledger.jobs()[0].state is JobState.RETIRED
    facts = seen(ledger, phone).facts
    assert (facts.recorded, facts.owner) == (False, Owner.UNKNOWN)


def test_a_host_made_key_that_the_phone_lost_is_given_once_more(ledger: Ledger) -> None:
    """The job was interrupted after its answer, then the phone was reset: nothing is asked anew."""
    phone = MemoryPhone(capabilities=ALL - {Capability.GENERATE_KEY}, fail_at="install")
    order = Order(URL, CredentialOrder((Way.PIN,), "1001"), registrar=REGISTRAR)
    with pytest.raises(Interrupted):
        Runner(job_for(ledger, phone, order, MemoryServices()), lambda _: None).run()
    assert phone.slot.pending_key is not None
    key = phone.slot.pending_key.sha256
    phone.slot, phone.fail_at = SlotState(0), None

    sight = seen(ledger, phone)
    assert sight.facts.begun is Begun.WRITING
    recovery = recovery_of(sight.facts)
    assert (recovery.actions, recovery.needs) == ((Action.FINISH,), ())
    services = MemoryServices()
    repair = repair_of(sight, recovery, order, Aim())
    assert repair is not None
    job = job_for(ledger, phone, repair.order, services)
    Runner(job, lambda _: None, repair.course).run()
    assert services.calls == []
    assert phone.slot.active_key is not None
    assert phone.slot.active_key.sha256 == key
    assert seen(ledger, phone).facts.begun is Begun.NOTHING


@pytest.mark.parametrize("later", [True, False])
def test_of_two_certificates_of_one_second_the_later_jobs_counts(
    ledger: Ledger, later: bool
) -> None:
    """Certificates tell no fractions of a second."""
    phone = provisioned(ledger)
    second, again = ledger.open_job(like(ledger.jobs()[0])), issued_again(phone.certificate)
    ledger.keep(second.id, ArtifactKind.CERTIFICATE, again)
    ledger.finish(second.id, JobState.FAILED)
    if not later:
        phone.certificate = again
        phone.slot = replace(phone.slot, active_certificate=sha256(again).hexdigest())
    assert seen(ledger, phone).facts.kept is later


def like(of: JobRecord) -> NewJob:
    """Return a job like another."""
    return NewJob(**{name: getattr(of, name) for name in NewJob.__dataclass_fields__})


def issued_again(der: bytes) -> bytes:
    """Return a certificate that differs in nothing but its number and signature."""
    old = x509.load_der_x509_certificate(der)
    again = (
        x509.CertificateBuilder(old.issuer, old.subject, old.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(old.not_valid_after_utc)
    )
    for extension in old.extensions:
        again = again.add_extension(extension.value, extension.critical)
    return again.sign(generate_rsa(), hashes.SHA256()).public_bytes(Encoding.DER)
