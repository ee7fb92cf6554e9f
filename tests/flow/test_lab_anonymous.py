"""What the lab tells anybody: the chain over plain HTTP, and LyncDiscover."""

import base64
import http.client
import ssl
import subprocess
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7
from lab_client import (
    NAMESPACES,
    PUBLISH_ACTION,
    RST_ACTION,
    WST,
    Answer,
    Client,
    rst,
    running_lab,
    text,
    uri_claim,
)
from lxml import etree

from usbprov.lab.faults import FaultName, parse_fault

pytestmark = pytest.mark.timeout(60)
CHAIN_ACTION = "http://schemas.microsoft.com/OCS/AuthWebServices/GetCertChain"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab"), sip_port=45061) as lab:
        yield lab


@pytest.fixture
def client(lab):
    with Client(lab) as client:
        yield client


@pytest.fixture
def switch_on(lab):
    yield lambda name: lab.faults.switch_on(parse_fault(name))
    for name in FaultName:
        lab.faults.switch_off(name)


def plain(method: str, url: str, body: str | None = None, **headers: str) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=15)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    found = Answer(response.status, response.headers, response.read())
    connection.close()
    return found


def chain_of(content: bytes) -> list[str]:
    der = base64.b64decode(content)
    return [c.subject.rfc4514_string() for c in pkcs7.load_der_pkcs7_certificates(der)]


ISSUERS = {"CN=usbprov lab issuing CA", "CN=usbprov lab root CA"}


def test_the_chain_is_there_for_anybody(lab):
    answer = plain("GET", lab.facts.chain_url)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/x-pkcs7-certificates"
    assert set(chain_of(answer.body)) == ISSUERS
    assert lab.facts.chain_url.startswith("http://localhost:")


def test_openssl_reads_the_chain(lab, tmp_path):
    der = tmp_path / "chain.p7b"
    der.write_bytes(base64.b64decode(plain("GET", lab.facts.chain_url).body))
    done = subprocess.run(
        ["openssl", "pkcs7", "-inform", "DER", "-in", der, "-print_certs"],
        check=True,
        capture_output=True,
    )
    assert len(x509.load_pem_x509_certificates(done.stdout)) == 2


def soap(name: str) -> str:
    body = f'<{name} xmlns="http://schemas.microsoft.com/OCS/AuthWebServices/"/>'
    return f"<soap:Envelope {NAMESPACES}><soap:Body>{body}</soap:Body></soap:Envelope>"


def test_the_chain_in_soap(lab):
    headers = {"Content-Type": "text/xml", "SOAPAction": f'"{CHAIN_ACTION}"'}
    answer = plain("POST", lab.facts.chain_url, soap("GetCertChain"), **headers)
    assert answer.status == 200
    assert set(chain_of(text(answer.body, "CertChain").encode())) == ISSUERS
    other = plain("POST", lab.facts.chain_url, soap("Other"), **headers)
    assert other.status == 500
    headers["SOAPAction"] = f'"{PUBLISH_ACTION}"'
    assert plain("POST", lab.facts.chain_url, soap("GetCertChain"), **headers).status == 500


def test_the_chain_is_that_of_the_certificate_in_use(lab, switch_on):
    switch_on("unknown-root")
    names = chain_of(plain("GET", lab.facts.chain_url).body)
    assert "CN=Unknown root CA" in names
    assert "CN=usbprov lab root CA" not in names


def test_an_incomplete_chain_is_complete_here(lab, switch_on):
    switch_on("incomplete-chain")
    assert set(chain_of(plain("GET", lab.facts.chain_url).body)) == ISSUERS


def assert_refused(answer: Answer) -> None:
    assert (answer.status, answer.body) == (403, b"")
    assert answer.headers["X-Ms-diagnostics"].startswith("28906;")


def test_the_download_can_be_switched_off(lab, switch_on, tmp_path):
    switch_on("chain-download-off")
    assert_refused(plain("GET", lab.facts.chain_url))
    assert_refused(plain("POST", lab.facts.chain_url, soap("GetCertChain")))
    with running_lab(tmp_path, policy=["chain-download=off"]) as other:
        assert_refused(plain("GET", other.facts.chain_url))


def test_nothing_else_is_served_without_tls(lab, client):
    base = lab.facts.chain_url.partition("/CertProv")[0]
    for path in (
        "/WebTicket/WebTicketService.svc/pin",
        "/WebTicket/WebTicketService.svc/mex",
        "/WebTicket/WebTicketService.svc",
        "/CertProv/CertProvisioningService.svc/mex",
        "/CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1",
        "/Autodiscover/AutodiscoverService.svc/root/user",
    ):
        for method in ("GET", "POST"):
            assert plain(method, base + path).status in {404, 405}, path


# --- LyncDiscover ---

ACCEPT = {"Accept": "application/vnd.microsoft.rtc.autodiscover+xml;v=1"}
WHO = "?sipuri=sip:alice@contoso.test"


def link(answer: Answer) -> tuple[str, str]:
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith(
        "application/vnd.microsoft.rtc.autodiscover+xml"
    )
    found = etree.fromstring(answer.body).find("{*}Root/{*}Link")
    return found.get("token"), found.get("href")


def ask(client: Client, url: str, **headers: str) -> Answer:
    parts = urlsplit(url)
    client.connection.request("GET", f"{parts.path}?{parts.query}", headers=ACCEPT | headers)
    response = client.connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def bearer(client: Client, user: object, url: str) -> str:
    """Get a ticket without proof key, and write it as the header wants it."""
    body = rst(user.extension, user.pin, b"", audience=url)
    body = body.replace("<wst:Entropy><wst:BinarySecret></wst:BinarySecret></wst:Entropy>", "")
    body = body.replace("/SymmetricKey<", "/Bearer<")
    answer = client.post(client.pin_port, RST_ACTION, body)
    assert answer.status == 200, answer.body
    begin, end = answer.body.index(b"<saml:Assertion"), answer.body.index(b"</saml:Assertion>")
    assertion = answer.body[begin : end + len(b"</saml:Assertion>")]
    assert b"BinarySecret" not in answer.body
    return f"opaque={base64.b64encode(assertion).decode()}"


def test_the_whole_way_from_http_to_the_registrar(lab, client):
    base = lab.facts.chain_url.partition("/CertProv")[0]
    token, url = link(plain("GET", f"{base}/{WHO}", **ACCEPT))
    assert (token, url) == (
        "Redirect",
        f"{lab.facts.autodiscover_url}?sipuri=sip%3Aalice@contoso.test",
    )
    token, url = link(ask(client, url))
    assert token == "User"
    refused = ask(client, url)
    assert refused.status == 401
    assert refused.headers["X-MS-WebTicketURL"] == lab.facts.web_ticket_url
    alice = lab.facts.users[0]
    told = ask(client, url, **{"X-MS-WebTicket": bearer(client, alice, url)})
    assert told.status == 200
    access = etree.fromstring(told.body).find("{*}User/{*}SipClientInternalAccess")
    assert (access.get("fqdn"), access.get("port")) == ("localhost", "45061")
    assert etree.fromstring(told.body).get("AccessLocation") == "Internal"


def test_the_root_is_at_the_root_too(lab, client):
    token, url = link(ask(client, f"/{WHO}"))
    assert token == "User"
    assert url.endswith("/root/user?sipuri=sip%3Aalice@contoso.test")


@pytest.mark.parametrize("who", ["", "?sipuri=", "?sipuri=%22%3E%3Cx/%3E", "?sipuri=a", "?x=y"])
def test_what_is_no_user_is_not_repeated(client, who):
    assert "?" not in link(ask(client, f"/{who}"))[1]


def tickets(client: Client, alice: object, url: str) -> dict[str, str]:
    good = bearer(client, alice, url)
    proof = client.ticket(alice).assertion
    changed = base64.b64decode(good.removeprefix("opaque=")).replace(b"alice", b"carol")
    return {
        "none": "",
        "no opaque": good.removeprefix("opaque="),
        "no base64": "opaque=*",
        "no XML": "opaque=AAAA",
        "for another service": f"opaque={base64.b64encode(proof.encode()).decode()}",
        "changed": f"opaque={base64.b64encode(changed).decode()}",
    }


def test_a_ticket_that_is_none(lab, client):
    alice = lab.facts.users[0]
    _, url = link(ask(client, f"/{WHO}"))
    for name, header in tickets(client, alice, url).items():
        assert ask(client, url, **{"X-MS-WebTicket": header}).status == 401, name


def test_a_bearer_ticket_gets_no_certificate(lab, client):
    alice = lab.facts.users[0]
    _, url = link(ask(client, f"/{WHO}"))
    assertion = base64.b64decode(bearer(client, alice, url)[7:]).decode()
    held = client.ticket(alice)
    from dataclasses import replace

    answer = client.publish(replace(held, assertion=assertion))
    assert answer.status == 500
    assert text(answer.body, "ErrorId") == "28020"


def test_the_names_of_lyncdiscover_are_in_the_certificate(lab):
    port = urlsplit(lab.facts.web_services_url).port
    context = ssl.create_default_context(cafile=lab.facts.ca_file)
    import socket

    for name in ("lyncdiscoverinternal.contoso.test", "lyncdiscover.contoso.test"):
        with (
            socket.create_connection(("127.0.0.1", port), 5) as raw,
            context.wrap_socket(raw, server_hostname=name) as tls,
        ):
            assert tls.version()


def test_the_claim_is_looked_at_for_a_bearer_ticket_too(lab, client):
    alice, bob, _ = lab.facts.users
    wanted = {"audience": lab.facts.autodiscover_url, "key_type": WST + "/Bearer"}
    for claimed, status in ((alice, 200), (bob, 500)):
        claims = uri_claim(claimed.sip_uri)
        answer = client.ask_ticket(alice.extension, alice.pin, claims=claims, **wanted)
        assert answer.status == status


def test_a_ticket_for_autodiscover_has_no_proof_key(lab, client):
    alice = lab.facts.users[0]
    answer = client.ask_ticket(alice.extension, alice.pin, audience=lab.facts.autodiscover_url)
    assert text(answer.body, "faultcode").endswith(":InvalidRequest")
