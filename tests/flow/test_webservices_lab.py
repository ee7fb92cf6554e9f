"""The client against the lab, which checks all that a correct server checks."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from test_webservices_canned import ENDPOINT, phone_key, phone_request

from usbprov.errors import (
    AnswerInvalid,
    ChainUntrusted,
    CredentialRefused,
    RequestRefused,
    ServerCertificateExpired,
    ServerFailed,
    ServerTimeout,
    ServerUnreachable,
    StoreUnreachable,
    UsbprovError,
    WrongUser,
)
from usbprov.lab.faults import FaultName, FaultSetting, parse_fault
from usbprov.lab.store import published
from usbprov.lab.up import Lab, LabOptions
from usbprov.net.credentials import PinCredential
from usbprov.net.deadline import TimeLimits
from usbprov.pki.certificates import common_names, load_certificate, thumbprint
from usbprov.pki.keys import generate_rsa, key_digest
from usbprov.pki.requests import build_request
from usbprov.pki.validation import Verifier
from usbprov.webservices.client import WebServices
from usbprov.webservices.metadata import TicketMethod
from usbprov.webservices.ticket import Ticket

ALICE, BOB, CAROL = (f"sip:{name}@contoso.test" for name in ("alice", "bob", "carol"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Lab]:
    with Lab(LabOptions(dir=folder)) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    yield running
    for name in FaultName:
        running.faults.switch_off(name)


@pytest.fixture
def services(lab: Lab) -> Iterator[WebServices]:
    with client_of(lab) as services:
        yield services


def client_of(lab: Lab, limits: TimeLimits | None = None) -> WebServices:
    facts = lab.facts
    return WebServices(
        facts.web_services_url, ca_file=facts.ca_file, timeout=limits or TimeLimits()
    )


def credential(lab: Lab, sip_uri: str = ALICE) -> PinCredential:
    user = next(user for user in lab.facts.users if user.sip_uri == sip_uri)
    return PinCredential(user.extension, user.pin)


def ticket_of(lab: Lab, services: WebServices, sip_uri: str = ALICE) -> Ticket:
    return services.ticket(credential(lab, sip_uri), ENDPOINT, sip_uri)


def test_whole_enrolment(lab: Lab, folder: Path, services: WebServices) -> None:
    ticket = services.ticket(credential(lab), ENDPOINT, None)
    certificate = load_certificate(services.publish(ticket, phone_request(), ENDPOINT))
    assert ticket.sip_uri == ALICE
    assert ticket.usable()
    assert common_names(certificate) == ["alice@contoso.test"]
    assert key_digest(certificate.public_key()) == key_digest(phone_key().public_key())
    rows = [row for row in published(folder) if row.sip_uri == ALICE]
    assert [row.sha256 for row in rows] == [thumbprint(certificate)]
    assert str(ENDPOINT.instance) in rows[0].device_id


def test_offer_is_what_the_metadata_says(services: WebServices) -> None:
    offer = services.offer()
    assert TicketMethod.PIN in offer.methods
    assert offer.publish_location.startswith(services.url)


def test_chain_is_presented_up_to_the_known_root(services: WebServices) -> None:
    presented = [load_certificate(der) for der in services.presented_chain()]
    anchors = [load_certificate(der) for der in services.trusted_roots()]
    verdict = Verifier(frozenset(anchors), datetime.now(UTC)).judge(tuple(presented))
    assert len(verdict.path) == 3
    assert verdict.findings == ()


def test_openssl_reads_what_was_issued(lab: Lab, services: WebServices) -> None:
    certificate = services.publish(ticket_of(lab, services), phone_request(), ENDPOINT)
    done = subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-noout", "-subject"],
        input=certificate,
        capture_output=True,
        check=True,
    )
    assert b"alice@contoso.test" in done.stdout


def test_wrong_pin_costs_one_try(lab: Lab, services: WebServices) -> None:
    extension = credential(lab, BOB).extension
    for wrong in range(4):
        with pytest.raises(CredentialRefused) as caught:
            services.ticket(PinCredential(extension, f"0000000{wrong}"), ENDPOINT, None)
        assert caught.value.error_id == 28020
    # The fifth wrong try would lock it: had any been sent twice, this would fail.
    assert ticket_of(lab, services, BOB).sip_uri == BOB


def test_unknown_extension_is_refused(services: WebServices) -> None:
    with pytest.raises(CredentialRefused):
        services.ticket(PinCredential("9999", "1234"), ENDPOINT, None)


def test_extension_of_another_user_is_told(lab: Lab, services: WebServices) -> None:
    with pytest.raises(WrongUser) as caught:
        services.ticket(credential(lab, CAROL), ENDPOINT, ALICE)
    assert (caught.value.asked, caught.value.got) == (ALICE, CAROL)


def test_altered_ticket_is_refused(lab: Lab, services: WebServices) -> None:
    ticket = ticket_of(lab, services)
    forged = Ticket(
        ticket.sip_uri,
        ticket.expires,
        ticket.assertion_id,
        ticket.assertion.replace(b"alice@", b"carol@"),
        ticket.key,
        ticket.lifetime,
    )
    with pytest.raises(CredentialRefused):
        services.publish(forged, phone_request(), ENDPOINT)


def test_ticket_without_its_key_is_refused(lab: Lab, services: WebServices) -> None:
    ticket = ticket_of(lab, services)
    stolen = Ticket(
        ticket.sip_uri,
        ticket.expires,
        ticket.assertion_id,
        ticket.assertion,
        bytes(32),
        ticket.lifetime,
    )
    with pytest.raises(CredentialRefused):
        services.publish(stolen, phone_request(), ENDPOINT)


def test_ticket_is_for_its_user_only(lab: Lab, services: WebServices) -> None:
    ticket = ticket_of(lab, services)
    other = Ticket(
        CAROL,
        ticket.expires,
        ticket.assertion_id,
        ticket.assertion,
        ticket.key,
        ticket.lifetime,
    )
    with pytest.raises(RequestRefused, match="entity"):
        services.publish(other, phone_request(), ENDPOINT)


def test_short_key_and_bad_request_are_refused(lab: Lab, services: WebServices) -> None:
    ticket = ticket_of(lab, services)
    with pytest.raises(RequestRefused, match="key"):
        services.publish(ticket, build_request(generate_rsa(1024), "alice"), ENDPOINT)
    damaged = phone_request()[:-1] + bytes([phone_request()[-1] ^ 1])
    with pytest.raises(RequestRefused):
        services.publish(ticket, damaged, ENDPOINT)


def test_new_certificate_of_a_phone_replaces_its_old_one(
    lab: Lab, folder: Path, services: WebServices
) -> None:
    ticket = ticket_of(lab, services, CAROL)
    for _ in range(2):
        certificate = services.publish(ticket, phone_request(), ENDPOINT)
    rows = [row for row in published(folder) if row.sip_uri == CAROL]
    assert [row.sha256 for row in rows] == [thumbprint(load_certificate(certificate))]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("store-unreachable", StoreUnreachable),
        ("html-500", ServerFailed),
        ("drop-connection", ServerUnreachable),
        ("drop-answer", ServerUnreachable),
        ("huge-answer", AnswerInvalid),
        ("dtd", AnswerInvalid),
        ("ticket-expired", CredentialRefused),
    ],
)
def test_each_fault_becomes_its_error(
    lab: Lab, services: WebServices, fault: str, kind: type[UsbprovError]
) -> None:
    ticket = ticket_of(lab, services)
    lab.faults.switch_on(parse_fault(fault))
    with pytest.raises(kind) as caught:
        services.publish(ticket, phone_request(), ENDPOINT)
    assert type(caught.value) is kind


def test_slow_server_is_left_in_time(lab: Lab) -> None:
    with client_of(lab, TimeLimits(connect=5, answer=0.3)) as services:
        services.offer()
        lab.faults.switch_on(FaultSetting(FaultName.SLOW, 0.8))
        with pytest.raises(ServerTimeout):
            ticket_of(lab, services)


def test_passing_trouble_passes(lab: Lab, services: WebServices) -> None:
    ticket = ticket_of(lab, services)
    lab.faults.switch_on(parse_fault("store-unreachable=1"))
    with pytest.raises(StoreUnreachable) as caught:
        services.publish(ticket, phone_request(), ENDPOINT)
    assert caught.value.retryable
    assert services.publish(ticket, phone_request(), ENDPOINT)


def test_ticket_serves_several_certificates_and_sessions(lab: Lab, services: WebServices) -> None:
    ticket = ticket_of(lab, services)
    with client_of(lab) as other:
        assert other.publish(ticket, phone_request(), ENDPOINT)
    assert ticket.expires - datetime.now(UTC) > timedelta(minutes=30)


def test_lab_of_an_unknown_authority_is_not_talked_to(lab: Lab) -> None:
    with WebServices(lab.facts.web_services_url) as services, pytest.raises(ChainUntrusted):
        services.offer()


def test_lab_with_an_expired_certificate_is_not_talked_to(tmp_path: Path) -> None:
    with (
        Lab(LabOptions(dir=tmp_path, faults=["expired-server-cert"])) as lab,
        client_of(lab) as services,
        pytest.raises(ServerCertificateExpired),
    ):
        services.offer()
