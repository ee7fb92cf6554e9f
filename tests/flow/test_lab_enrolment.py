"""A whole enrolment against the lab: metadata, PIN ticket, certificate, published."""

import re
import subprocess
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from lab_client import (
    WSU,
    Client,
    certificate,
    first,
    request,
    running_lab,
    shared_key,
    text,
    uri_claim,
)
from lxml import etree

from usbprov.lab.store import published, revoke

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab"), synthetic_users=20) as lab:
        yield lab


@pytest.fixture
def client(lab):
    with Client(lab) as client:
        yield client


@pytest.fixture(scope="module")
def fresh(lab):
    """Users whom no other test has."""
    return iter(lab.facts.users)


@pytest.fixture
def user(fresh):
    return next(fresh)


def folder(lab):
    return lab.facts.ca_file.parent.parent


def test_a_phone_enrols(lab, client, user):
    ticket = client.ticket(user)
    assert ticket.user == user.sip_uri
    found = certificate(client.publish(ticket))
    assert found.public_key() == shared_key().public_key()
    (row,) = [p for p in published(folder(lab)) if p.sip_uri == user.sip_uri]
    assert row.sha256 == found.fingerprint(hashes.SHA256()).hex()
    assert row.device_id == "124841e4-264d-52e8-96c5-d22aa8cdc316"
    assert row.serial == f"{found.serial_number:x}"
    assert row.pool == user.home_pool
    assert row.not_after == found.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_certificate_has_the_profile_of_the_web_services(lab, client, user):
    found = certificate(client.publish(client.ticket(user)))
    assert found.subject.rfc4514_string() == f"CN={user.sip_uri.removeprefix('sip:')}"
    assert found.issuer.rfc4514_string() == "CN=Communications Server"
    life = found.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=179, hours=23) < life <= timedelta(days=180)
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_openssl_accepts_the_certificate_strictly(lab, client, user, tmp_path):
    found = certificate(client.publish(client.ticket(user)))
    pem = tmp_path / "user.pem"
    pem.write_bytes(found.public_bytes(Encoding.PEM))
    ca = lab.facts.ca_file.with_name("web-services-ca.pem")
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", ca, pem]
    assert (
        subprocess.run(command, check=True, capture_output=True, text=True).stdout == f"{pem}: OK\n"
    )


def test_the_request_id_is_echoed(client, user):
    identifier = str(uuid.uuid4())
    assert (
        text(client.publish(client.ticket(user), request_id=identifier).body, "RequestID")
        == identifier
    )


def test_a_second_certificate_for_the_device_replaces_the_first(lab, client, user):
    ticket = client.ticket(user)
    certificate(client.publish(ticket))
    second = certificate(client.publish(ticket))
    other = certificate(client.publish(ticket, device=f"{{{uuid.uuid4()}}}".upper()))
    rows = [p.sha256 for p in published(folder(lab)) if p.sip_uri == user.sip_uri]
    assert set(rows) == {c.fingerprint(hashes.SHA256()).hex() for c in (second, other)}


def test_revoking_removes_all_certificates_of_the_user(lab, client, user):
    ticket = client.ticket(user)
    client.publish(ticket)
    client.publish(ticket, device=f"{{{uuid.uuid4()}}}")
    assert revoke(folder(lab), user.sip_uri) == 2
    assert revoke(folder(lab), user.sip_uri) == 0
    assert user.sip_uri not in {p.sip_uri for p in published(folder(lab))}


def test_credentials_are_taken_in_base64_as_well(client, user):
    import base64

    encoded = [base64.b64encode(v.encode()).decode() for v in (user.extension, user.pin)]
    assert client.ask_ticket(*encoded).status == 200


def test_the_uri_claim_may_be_sent_if_it_is_true(client, user):
    assert client.ticket(user, claims=uri_claim(user.sip_uri)).user == user.sip_uri


def test_a_request_with_version_2_as_stock_clients_write_it(client, user):
    der = bytearray(request(shared_key(), "alice@contoso.test"))
    version = der.index(b"\x02\x01\x00") + 2
    der[version] = 2
    # the field is under the signature: sign what is sent
    inner = bytes(der[4 : 4 + int.from_bytes(der[6:8], "big") + 4])
    from cryptography.hazmat.primitives.asymmetric import padding

    signed = shared_key().sign(inner, padding.PKCS1v15(), hashes.SHA256())
    whole = bytes(der[: -len(signed)]) + signed
    assert certificate(client.publish(client.ticket(user), csr=whole))


def test_the_answer_follows_the_textual_rules_of_stock_clients(client, user):
    document = client.ask_ticket(user.extension, user.pin).body.decode()
    assert document.count("<BinarySecret") == 1
    assert re.search(
        r'<saml:Assertion [^>]*AssertionID="SamlSecurityToken-[0-9a-f-]{36}"', document
    )
    created = rf'<Created xmlns="{re.escape(WSU)}">[-0-9T:]+Z</Created>'
    expires = created.replace("Created", "Expires")
    assert re.search(rf"<Lifetime>{created}{expires}</Lifetime>", document)
    assertion = re.search(r"<saml:Assertion.*</saml:Assertion>", document, re.DOTALL).group(0)
    etree.fromstring(assertion)  # declares every namespace that it uses
    assert "Expires>" not in assertion


def test_context_is_echoed_and_the_ticket_lasts_8_hours(client, user):
    answer = client.ask_ticket(user.extension, user.pin, context="a&lt;b")
    assert first(answer.body, "RequestSecurityTokenResponse").get("Context") == "a<b"
    created, expires = (
        datetime.fromisoformat(text(answer.body, n)) for n in ("Created", "Expires")
    )
    assert expires - created == timedelta(hours=8)
    conditions = first(answer.body, "Conditions")
    assert conditions.get("NotOnOrAfter") == text(answer.body, "Expires")


def test_metadata_is_found_where_stock_clients_look(client, lab):
    root = etree.fromstring(client.ask("GET", lab.facts.web_services_url + "/mex").body)
    (policy,) = root.findall("{*}Policy")
    assert policy.get(f"{{{WSU}}}Id") == "CertProvisioningServiceWebTicketProof_SHA1_policy"
    path = (
        "{*}ExactlyOne/{*}All/{*}EndorsingSupportingTokens/{*}Policy/{*}IssuedToken/{*}Issuer/"
        "{http://www.w3.org/2005/08/addressing}Address"
    )
    assert policy.findtext(path) == lab.facts.web_ticket_url
    assert client.proof_port == lab.facts.web_services_url + "/WebTicket_Proof_SHA1"
    assert client.pin_port.startswith(lab.facts.web_ticket_url + "/")


def test_one_connection_serves_a_whole_enrolment(client, user):
    client.ask("GET", "/CertProv/CertProvisioningService.svc/mex")
    before = client.connection.sock.getsockname()
    client.publish(client.ticket(user))
    assert client.connection.sock.getsockname() == before


def test_paths_are_compared_without_case_and_headers_are_those_of_the_product(client):
    answer = client.ask("GET", "/certprov/certprovisioningservice.SVC/mex")
    assert answer.status == 200
    assert answer.headers["X-MS-Server-Fqdn"] == "localhost"
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private"
    assert "Server" not in answer.headers


def test_reading_a_port_is_a_bad_request_and_other_paths_are_not_found(client):
    assert client.ask("GET", client.pin_port).status == 400
    assert client.ask("GET", "/elsewhere").status == 404
