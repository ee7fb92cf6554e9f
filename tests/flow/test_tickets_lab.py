"""Every way to a ticket against the lab, which checks what a correct server checks."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from doubles.services import certify
from lab_client import running_lab
from processes import wait_for
from test_webservices_canned import ENDPOINT, phone_key, phone_request

from usbprov.errors import CredentialRefused, NotOffered, PhoneRefused, WrongUser
from usbprov.lab.faults import FaultName, parse_fault
from usbprov.lab.up import Lab, LabOptions
from usbprov.lab.users import LabUser
from usbprov.net.credentials import (
    CertificateCredential,
    Credential,
    PasswordCredential,
    PinCredential,
    Way,
    WindowsCredential,
)
from usbprov.pki.certificates import load_certificate, to_der
from usbprov.pki.keys import generate_rsa, key_digest
from usbprov.pki.requests import build_request
from usbprov.webservices.client import WebServices
from usbprov.webservices.metadata import TicketMethod
from usbprov.webservices.ticket import TicketCache


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(LabOptions(dir=tmp_path_factory.mktemp("lab"))) as lab:
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


def client_of(lab: Lab, tickets: TicketCache | None = None) -> WebServices:
    return WebServices(lab.facts.web_services_url, ca_file=lab.facts.ca_file, tickets=tickets)


def user_of(lab: Lab, name: str = "alice") -> LabUser:
    return next(user for user in lab.facts.users if user.user_name == name)


def account(user: LabUser) -> str:
    return f"{user.domain}\\{user.user_name}"


def pin(user: LabUser) -> Credential:
    return PinCredential(user.extension, user.pin)


def password(user: LabUser) -> Credential:
    return PasswordCredential(account(user), user.password)


def ntlm(user: LabUser) -> Credential:
    return WindowsCredential(Way.NTLM, account(user), user.password)


def negotiate(user: LabUser) -> Credential:
    return WindowsCredential(Way.NEGOTIATE, account(user), user.password)


Maker = Callable[[LabUser], Credential]

WAYS: list[Maker] = [pin, password, ntlm, negotiate]


def signer(key: rsa.RSAPrivateKey) -> CertificateCredential:
    """Sign as a phone does: with a key that the program never sees."""
    return CertificateCredential(
        b"", lambda block: key.sign(block, padding.PKCS1v15(), utils.NoDigestInfo())
    )


def certified(lab: Lab, name: str = "alice", key: rsa.RSAPrivateKey | None = None) -> Credential:
    """Return a certificate that was published for the user."""
    user, key = user_of(lab, name), key or phone_key()
    with client_of(lab) as services:
        ticket = services.ticket(pin(user), ENDPOINT, None)
        der = services.publish(ticket, build_request(key, user.entity), ENDPOINT)
    return CertificateCredential(der, signer(key).sign)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("credential", WAYS)
def test_each_way_ends_in_a_certificate(
    lab: Lab, services: WebServices, credential: Maker, named: bool
) -> None:
    user = user_of(lab)
    ticket = services.ticket(credential(user), ENDPOINT, user.sip_uri if named else None)
    assert ticket.sip_uri == user.sip_uri
    certificate = load_certificate(services.publish(ticket, phone_request(), ENDPOINT))
    assert key_digest(certificate.public_key()) == key_digest(phone_key().public_key())


@pytest.mark.parametrize("credential", WAYS)
def test_each_way_tells_another_users_credential(
    lab: Lab, services: WebServices, credential: Maker
) -> None:
    alice, bob = user_of(lab), user_of(lab, "bob")
    # Where the request claims to be bob, the server refuses; else the client does.
    with pytest.raises((WrongUser, CredentialRefused)):
        services.ticket(credential(alice), ENDPOINT, bob.sip_uri)


@pytest.mark.parametrize("login", ["alice@contoso.test", "CONTOSO\\alice", "contoso\\Alice"])
@pytest.mark.parametrize("way", [Way.NTLM, Way.PASSWORD])
def test_account_may_be_written_in_several_ways(
    lab: Lab, services: WebServices, login: str, way: Way
) -> None:
    secret = user_of(lab).password
    credential: Credential = (
        PasswordCredential(login, secret)
        if way is Way.PASSWORD
        else WindowsCredential(way, login, secret)
    )
    assert services.ticket(credential, ENDPOINT, None).sip_uri == user_of(lab).sip_uri


@pytest.mark.parametrize(
    "wrong",
    [
        PasswordCredential("CONTOSO\\alice", "Wrong-Canary"),
        PasswordCredential("CONTOSO\\nobody", "Wrong-Canary"),
        WindowsCredential(Way.NTLM, "CONTOSO\\alice", "Wrong-Canary"),
        WindowsCredential(Way.NEGOTIATE, "CONTOSO\\alice", "Wrong-Canary"),
        WindowsCredential(Way.NTLM, "CONTOSO\\nobody", "Wrong-Canary"),
    ],
)
def test_wrong_account_is_refused_and_not_sent_again(
    services: WebServices, wrong: Credential
) -> None:
    with pytest.raises(CredentialRefused) as caught:
        services.ticket(wrong, ENDPOINT, None)
    assert caught.value.error_id == 28020
    assert "Canary" not in str(caught.value)
    with pytest.raises(CredentialRefused, match="not sent again"):
        services.ticket(wrong, ENDPOINT, None)


@pytest.mark.parametrize("credential", [password, ntlm])
def test_way_that_is_switched_off_is_told_and_not_tried(lab: Lab, credential: Maker) -> None:
    lab.faults.switch_on(parse_fault("auth-off=windows,password"))
    with client_of(lab) as services, pytest.raises(NotOffered, match="sign-in by"):
        services.ticket(credential(user_of(lab)), ENDPOINT, None)


@pytest.mark.parametrize(
    ("off", "chosen"),
    [("", Way.NEGOTIATE), ("windows", Way.PASSWORD), ("windows,pin", Way.PASSWORD)],
)
def test_first_way_that_is_offered_is_chosen(lab: Lab, off: str, chosen: Way) -> None:
    if off:
        lab.faults.switch_on(parse_fault(f"auth-off={off}"))
    with client_of(lab) as services:
        assert services.choose((Way.NEGOTIATE, Way.NTLM, Way.PASSWORD)) is chosen


def test_no_way_that_is_offered_is_told(lab: Lab) -> None:
    lab.faults.switch_on(parse_fault("auth-off=windows,password"))
    with client_of(lab) as services:
        assert TicketMethod.PASSWORD not in services.offer().methods
        with pytest.raises(NotOffered, match="negotiate or ntlm or password"):
            services.choose((Way.NEGOTIATE, Way.NTLM, Way.PASSWORD))


# --- by certificate


def test_published_certificate_earns_a_ticket_and_a_new_certificate(
    lab: Lab, services: WebServices
) -> None:
    ticket = services.ticket(certified(lab), ENDPOINT, None)
    assert ticket.sip_uri == user_of(lab).sip_uri
    assert services.publish(ticket, phone_request(), ENDPOINT)


def test_replaced_certificate_is_refused(lab: Lab, services: WebServices) -> None:
    old = certified(lab, key=generate_rsa())
    certified(lab)
    with pytest.raises(CredentialRefused):
        services.ticket(old, ENDPOINT, None)


def test_certificate_of_another_authority_is_refused(lab: Lab, services: WebServices) -> None:
    key = generate_rsa()
    made = certify("Communications Server", key, "alice@contoso.test", key.public_key())
    forged = CertificateCredential(to_der(made), signer(key).sign)
    with pytest.raises(CredentialRefused):
        services.ticket(forged, ENDPOINT, None)


def test_certificate_without_its_key_is_refused(lab: Lab, services: WebServices) -> None:
    published = certified(lab)
    assert isinstance(published, CertificateCredential)
    stolen = CertificateCredential(published.certificate, signer(generate_rsa()).sign)
    with pytest.raises(CredentialRefused):
        services.ticket(stolen, ENDPOINT, None)


def test_phone_that_does_not_sign_costs_no_request(lab: Lab) -> None:
    published = certified(lab)
    assert isinstance(published, CertificateCredential)

    def refusing(_block: bytes) -> bytes:
        raise PhoneRefused("phone", "signing", "no")

    with client_of(lab) as services:
        with pytest.raises(PhoneRefused):
            services.ticket(CertificateCredential(published.certificate, refusing), ENDPOINT, None)
        assert services.ticket(published, ENDPOINT, None).usable()


# --- tickets are kept


def test_tickets_are_kept_for_all_who_share_the_cache(lab: Lab) -> None:
    tickets, user = TicketCache(), user_of(lab)
    with client_of(lab, tickets) as services:
        assert services.kept_ticket(user.sip_uri) is None
        ticket = services.ticket(ntlm(user), ENDPOINT, None)
    with client_of(lab, tickets) as other:
        assert other.kept_ticket(user.entity) is ticket
        assert other.kept_ticket(user_of(lab, "bob").sip_uri) is None
        assert other.publish(ticket, phone_request(), ENDPOINT)
    with client_of(lab) as stranger:
        assert stranger.kept_ticket(user.sip_uri) is None


def test_ticket_that_is_refused_is_kept_no_longer(lab: Lab, services: WebServices) -> None:
    user = user_of(lab)
    ticket = services.ticket(pin(user), ENDPOINT, None)
    lab.faults.switch_on(parse_fault("ticket-expired"))
    with pytest.raises(CredentialRefused):
        services.publish(ticket, phone_request(), ENDPOINT)
    assert services.kept_ticket(user.sip_uri) is None


def test_ticket_of_the_wrong_user_is_not_kept(lab: Lab, services: WebServices) -> None:
    alice, bob = user_of(lab), user_of(lab, "bob")
    with pytest.raises(WrongUser):
        services.ticket(pin(alice), ENDPOINT, bob.sip_uri)
    assert services.kept_ticket(alice.sip_uri) is None
    assert services.kept_ticket(bob.sip_uri) is None


@pytest.mark.parametrize(
    ("wrong", "posts"),
    [
        (PinCredential("1003", "00000001"), 1),
        (PasswordCredential("CONTOSO\\carol", "Wrong"), 1),
        (WindowsCredential(Way.NTLM, "CONTOSO\\carol", "Wrong"), 3),
        (WindowsCredential(Way.NEGOTIATE, "CONTOSO\\carol", "Wrong"), 3),
    ],
)
def test_servers_log_shows_one_sign_in(tmp_path: Path, wrong: Credential, posts: int) -> None:
    with running_lab(tmp_path / "lab") as lab:  # whose log has no late lines of other tests
        with client_of(lab) as services, pytest.raises(CredentialRefused):
            services.ticket(wrong, ENDPOINT, None)
        with client_of(lab) as services:
            services.offer()
        log = lab.facts.ca_file.parents[1] / "calls.log"

        def calls(method: str) -> list[str]:
            return [line for line in log.read_text().splitlines() if f" {method} " in line]

        wait_for(lambda: len(calls("GET")) == 4 and len(calls("POST")) >= posts, "the log")
        assert len(calls("POST")) == posts
