"""``check publication``: why a home pool does not know a phone's certificate, and what says so."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from doubles.network import REGISTRAR, MemoryNetwork
from doubles.phone import MemoryPhone
from doubles.services import HOST, KEY, certify

from usbprov.checks import CheckResult, Verdict, first_error
from usbprov.engine.checks.kept import KEPT, KEPT_FACTS, KeptCheck
from usbprov.engine.checks.publication import (
    PUBLICATION,
    PUBLICATION_FACTS,
    PhoneInquiry,
    examined,
)
from usbprov.engine.checks.sequence import run_steps
from usbprov.engine.diagnosis.examining import diagnosis_of
from usbprov.engine.diagnosis.table.registrar import CERTIFICATE_NOT_PUBLISHED, USER_MOVED
from usbprov.errors import CertificateNotAccepted
from usbprov.ledger.ledger import Ledger
from usbprov.ledger.records import ArtifactKind, NewJob
from usbprov.phone.contract import Capability, Credential, KeyState, PhoneSettings
from usbprov.phone.endpoint import endpoint_of
from usbprov.pki.certificates import to_der
from usbprov.pki.keys import key_digest

ALICE = "sip:alice@contoso.test"
SETTINGS = PhoneSettings(ALICE, f"https://{HOST}/x", REGISTRAR)
JOB = NewJob(
    phone_serial="MEM2",
    phone_mac="02:00:00:00:00:01",
    phone_model="Memory M1",
    port_path="1-1",
    slot=0,
    user=ALICE,
    extension="1001",
    web_services_url=SETTINGS.web_services_url,
    registrar=None,
    key_source="phone",
    nonce=bytes(16),
)


def issued(**more: object) -> bytes:
    subject = "alice@contoso.test"
    return to_der(certify("Services", KEY, subject, KEY.public_key(), **more))  # type: ignore[arg-type]


def provisioned(certificate: bytes) -> MemoryPhone:
    phone = MemoryPhone()
    digest = key_digest(KEY.public_key())
    phone.keys[digest] = KEY
    phone.slot = replace(phone.slot, pending_key=KeyState(digest, bytes(16)))
    phone.install(0, Credential(certificate), SETTINGS, lambda _: None)
    return phone


class Desk:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.network = MemoryNetwork()
        self.phone = provisioned(issued(days=180))

    def run(self, **more: object) -> dict[str, CheckResult]:
        inquiry = PhoneInquiry(
            self.network,
            phone=self.phone,
            ledger=self.ledger,
            **more,  # type: ignore[arg-type]
        )
        looks = examined(inquiry)
        results = run_steps(PUBLICATION, inquiry, PUBLICATION_FACTS, lambda _: None, looks)
        return {result.name: result for result in results}

    def refuse(self, server: str = HOST) -> None:
        error = CertificateNotAccepted(server, "Final handshake failed.")
        self.network.sip.errors["sign_in"] = [error]

    def note(self, certificate: bytes, job: NewJob = JOB) -> None:
        self.ledger.keep(self.ledger.open_job(job).id, ArtifactKind.CERTIFICATE, certificate)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        yield Desk(ledger)


def test_the_published_one(desk: Desk) -> None:
    seen = desk.run()
    assert {result.verdict for result in seen.values()} == {Verdict.GOOD}
    assert desk.network.sip.calls == ["challenge", "sign_in"]
    assert set(desk.network.sip.endpoints) == {endpoint_of(desk.phone.mac)}
    assert {"install", "generate_key", "set_clock"}.isdisjoint(desk.phone.calls[1:])


def test_an_expired_one_is_found_without_a_sign_in(desk: Desk) -> None:
    desk.phone = provisioned(issued(start=timedelta(days=-9), days=8))
    seen = desk.run()
    assert seen["validity"].code == "CHK-06"
    assert "expired on" in seen["validity"].seen
    assert seen["sign-in"].verdict is Verdict.UNKNOWN
    assert "sign_in" not in desk.network.sip.calls


def test_a_moved_user_is_known_by_who_refuses(desk: Desk) -> None:
    desk.refuse("newpool.contoso.test")
    seen = desk.run()
    assert seen["sign-in"].code == "SIP-05"
    assert "was moved" in seen["sign-in"].cause
    assert "newpool.contoso.test" in seen["sign-in"].cause
    error = first_error(seen.values())
    assert error is not None
    assert diagnosis_of(error).first is USER_MOVED


def test_a_certificate_that_moved_with_its_user_is_a_note(desk: Desk) -> None:
    desk.network.sip.redirects = (HOST,)
    result = desk.run()["sign-in"]
    assert result.verdict is Verdict.NOTE
    assert "moved" in result.cause
    assert result.detail[0] == f"sent on by {HOST}"


def test_a_replaced_one_is_known_by_the_ledger(desk: Desk) -> None:
    desk.note(issued(start=timedelta(minutes=1)))
    desk.refuse()
    seen = desk.run()["sign-in"]
    assert "was replaced" in seen.cause
    assert "MEM2" in seen.detail[0]
    assert seen.error is not None
    assert diagnosis_of(seen.error).first is CERTIFICATE_NOT_PUBLISHED
    assert "MEM2" in diagnosis_of(seen.error).evidence[0].seen


@pytest.mark.parametrize(
    ("start", "job"),
    [
        (timedelta(days=-1), JOB),
        (timedelta(minutes=1), replace(JOB, user="sip:bob@contoso.test")),
        (timedelta(minutes=1), replace(JOB, phone_mac="02:00:00:00:00:99")),
    ],
    ids=["earlier", "another user's", "another device's"],
)
def test_other_certificates_explain_nothing(desk: Desk, start: timedelta, job: NewJob) -> None:
    desk.note(desk.phone.certificate)
    desk.note(issued(start=start), job)
    desk.refuse()
    result = desk.run()["sign-in"]
    assert "revoked; or" in result.cause
    assert "Get-CsClientCertificate" in result.detail[1]


def test_the_registrar_that_is_given_counts_more_than_the_phones(desk: Desk) -> None:
    desk.run(given_registrar="other.contoso.test")
    assert "other.contoso.test:5061" in desk.network.asked


def test_an_empty_slot(desk: Desk) -> None:
    desk.phone = MemoryPhone()
    seen = desk.run(given_registrar=REGISTRAR)
    assert "holds no certificate" in seen["certificate"].seen
    assert seen["challenge"].seen == "not done: there is no user: the phone is set for none"


def test_a_certificate_for_another_key(desk: Desk) -> None:
    desk.phone.slot = replace(desk.phone.slot, active_key=KeyState("0" * 64, bytes(16)))
    assert "another key" in desk.run()["certificate"].seen


def test_a_phone_that_cannot_sign(desk: Desk) -> None:
    desk.phone.capabilities -= {Capability.SIGN}
    seen = desk.run()
    assert seen["validity"].verdict is Verdict.GOOD
    assert "can sign with" in seen["sign-in"].seen


# --- without the phone


def kept(desk: Desk) -> dict[str, CheckResult]:
    results = run_steps(KEPT, KeptCheck(desk.ledger, ALICE), KEPT_FACTS, lambda _: None)
    return {result.name: result for result in results}


def test_the_ledger_tells_dates_and_that_it_cannot_tell_more(desk: Desk) -> None:
    desk.note(issued(start=timedelta(days=-100)))
    desk.note(issued(start=timedelta(days=-170)))  # the newest is the one that came last
    seen = kept(desk)
    assert seen["renewal"].verdict is Verdict.NOTE
    assert seen["sign-in"].verdict is Verdict.UNKNOWN
    assert "MEM2" in seen["sign-in"].seen


def test_an_expired_one_of_the_ledger(desk: Desk) -> None:
    desk.note(issued(start=timedelta(days=-9), days=8))
    assert kept(desk)["validity"].code == "CHK-06"


def test_a_user_of_whom_the_ledger_knows_nothing(desk: Desk) -> None:
    seen = kept(desk)
    assert seen["certificate"].code == "LED-03"
    assert seen["sign-in"].verdict is Verdict.UNKNOWN
