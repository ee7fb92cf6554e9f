"""Signing in at the lab's Registrar with a certificate that its Web Services have issued."""

import functools
from collections.abc import Iterator

import pytest
from doubles.dsk_server import HeldKey
from lab_client import running_lab

from usbprov.errors import (
    AccountNotAccepted,
    CertificateNotAccepted,
    RedirectsEndless,
    RegistrarAnswerInvalid,
    RegistrarError,
    RegistrarFailed,
    RegistrarTimeout,
    RegistrarUnproved,
    RegistrarUnreachable,
    SchemeNotOffered,
    UserNotAllowed,
    UserUnknown,
)
from usbprov.lab.faults import FaultName, parse_fault
from usbprov.lab.registrar.signins import sign_ins
from usbprov.lab.store import revoke
from usbprov.lab.up import Lab
from usbprov.net.credentials import CertificateCredential, PinCredential, Way, WindowsCredential
from usbprov.net.deadline import TimeLimits
from usbprov.phone.endpoint import Endpoint, endpoint_of
from usbprov.pki.keys import generate_rsa
from usbprov.pki.requests import build_request
from usbprov.registrar.client import Registrar, RegistrarAddress, SignIn
from usbprov.webservices.client import WebServices

ALICE, BOB = "sip:alice@contoso.test", "sip:bob@contoso.test"
ENDPOINT = endpoint_of("02:00:00:00:00:01")
pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    yield running
    for name in FaultName:
        running.faults.switch_off(name)


@functools.cache
def key():
    return generate_rsa()


def enrol(lab: Lab, sip_uri: str = ALICE, endpoint: Endpoint = ENDPOINT) -> bytes:
    """Get and publish a certificate, by our own client and by PIN."""
    user = next(user for user in lab.facts.users if user.sip_uri == sip_uri)
    request = build_request(key(), sip_uri.removeprefix("sip:"))
    with WebServices(lab.facts.web_services_url, ca_file=lab.facts.ca_file) as services:
        ticket = services.ticket(PinCredential(user.extension, user.pin), endpoint, sip_uri)
        return services.publish(ticket, request, endpoint)


def registrar(lab: Lab, seconds: float = 10) -> Registrar:
    address = RegistrarAddress.parse(lab.facts.registrar)
    return Registrar(address, ca_file=lab.facts.ca_file, timeout=TimeLimits(seconds, seconds))


def sign_in(
    lab: Lab, certificate: bytes, *, user: str = ALICE, endpoint: Endpoint = ENDPOINT, **more: float
) -> SignIn:
    holder = HeldKey(other_key=key())
    with registrar(lab, **more) as client:
        return client.sign_in(user, CertificateCredential(certificate, holder.sign), endpoint)


def test_the_challenge_names_the_certificate_service(lab: Lab) -> None:
    with registrar(lab) as client:
        challenge = client.challenge(ALICE, ENDPOINT)
    assert "TLS-DSK" in challenge.schemes
    assert challenge.target == "localhost"
    assert challenge.certificate_service == lab.facts.web_services_url


def test_what_was_published_signs_in_and_out(lab: Lab) -> None:
    done = sign_in(lab, enrol(lab))
    assert (done.scheme, done.protocol, done.signed_out) == ("TLS-DSK", "TLS 1.2", True)
    assert done.expires == 7200
    last = sign_ins(lab.facts.ca_file.parents[1])[-1]
    assert (last.sip_uri, last.outcome) == (ALICE, "signed out")
    assert last.device_id == str(ENDPOINT.instance)


def test_a_revoked_certificate_is_found(lab: Lab) -> None:
    certificate = enrol(lab)
    revoke(lab.facts.ca_file.parents[1], ALICE)
    with pytest.raises(CertificateNotAccepted) as caught:
        sign_in(lab, certificate)
    assert caught.value.diagnostic == 1000


def test_a_replaced_certificate_is_found(lab: Lab) -> None:
    old = enrol(lab)
    assert sign_in(lab, enrol(lab)).signed_out
    with pytest.raises(CertificateNotAccepted):
        sign_in(lab, old)


def test_another_users_certificate_is_found(lab: Lab) -> None:
    enrol(lab, BOB)
    with pytest.raises((CertificateNotAccepted, UserNotAllowed)):
        sign_in(lab, enrol(lab), user=BOB)


def test_the_pool_a_user_was_moved_to_is_found_by_its_redirect(lab: Lab) -> None:
    certificate = enrol(lab)
    lab.faults.switch_on(parse_fault("home-pool-moved"))
    done = sign_in(lab, certificate)
    assert done.redirects == (lab.facts.registrar,)
    assert done.server != lab.facts.registrar


@pytest.mark.parametrize(
    ("fault", "error", "facts"),
    [
        ("registrar-down", RegistrarUnreachable, {}),
        ("registrar-busy", RegistrarFailed, {"status": 504, "diagnostic": 1007}),
        ("registrar-wrong-key", RegistrarUnproved, {"check": "signature"}),
        ("unsigned-200", RegistrarUnproved, {"check": "unsigned"}),
        ("wrong-finished", RegistrarUnproved, {"check": "finished"}),
        ("redirect-endless", RedirectsEndless, {}),
        ("certificate-not-found", CertificateNotAccepted, {"diagnostic": 1000}),
        ("dsk-off", SchemeNotOffered, {"scheme": "TLS-DSK"}),
        ("user-disabled", UserNotAllowed, {"diagnostic": 4141}),
        ("user-unknown", UserUnknown, {"diagnostic": 1003}),
        ("sip-garbage", RegistrarAnswerInvalid, {}),
    ],
)
def test_each_fault_has_its_error(
    lab: Lab, fault: str, error: type[RegistrarError], facts: dict[str, object]
) -> None:
    certificate = enrol(lab)
    lab.faults.switch_on(parse_fault(fault))
    with pytest.raises(error) as caught:
        sign_in(lab, certificate)
    assert {name: getattr(caught.value, name) for name in facts} == facts


def account(lab: Lab, way: Way = Way.NTLM, password: str | None = None) -> WindowsCredential:
    user = next(user for user in lab.facts.users if user.sip_uri == ALICE)
    login = f"{user.domain}\\{user.user_name}"
    return WindowsCredential(way, login, password or user.password)


@pytest.mark.parametrize("way", [Way.NTLM, Way.NEGOTIATE])
def test_an_account_signs_in_and_out(lab: Lab, way: Way) -> None:
    with registrar(lab) as client:
        done = client.sign_in(ALICE, account(lab, way), ENDPOINT)
    assert (done.scheme, done.signed_out) == ("NTLM", True)


def test_a_wrong_password_is_told(lab: Lab) -> None:
    with registrar(lab) as client, pytest.raises(AccountNotAccepted):
        client.sign_in(ALICE, account(lab, password="wrong"), ENDPOINT)


def test_an_account_is_not_another_users(lab: Lab) -> None:
    with registrar(lab) as client, pytest.raises(UserNotAllowed) as caught:
        client.sign_in(BOB, account(lab), ENDPOINT)
    assert caught.value.diagnostic == 4004


@pytest.mark.parametrize(
    ("fault", "check"), [("registrar-wrong-key", "signature"), ("unsigned-200", "unsigned")]
)
def test_the_proof_is_asked_of_the_server_for_accounts_too(
    lab: Lab, fault: str, check: str
) -> None:
    lab.faults.switch_on(parse_fault(fault))
    with registrar(lab) as client, pytest.raises(RegistrarUnproved) as caught:
        client.sign_in(ALICE, account(lab), ENDPOINT)
    assert caught.value.check == check


def test_a_slow_registrar_is_given_up_in_time(lab: Lab) -> None:
    certificate = enrol(lab)
    lab.faults.switch_on(parse_fault("registrar-slow=5"))
    with pytest.raises(RegistrarTimeout):
        sign_in(lab, certificate, seconds=0.5)
