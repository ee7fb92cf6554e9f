"""Every way to a ticket beside the PIN: Windows account, password, certificate."""

import base64
import hashlib
import os
import re
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import spnego
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lab_client import (
    RST_ACTION,
    WSSE,
    WSU,
    Answer,
    Client,
    bare_rst,
    certificate,
    first,
    hold,
    rst,
    running_lab,
    shared_key,
    text,
    uri_claim,
)

from usbprov.errors import LabDependencyMissing, LabUnusable
from usbprov.lab.faults import FaultName, parse_fault
from usbprov.lab.store import revoke
from usbprov.lab.up import Lab, LabOptions

pytestmark = pytest.mark.timeout(60)
ENTROPY = bytes(range(32))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab"), synthetic_users=150) as lab:
        yield lab


@pytest.fixture
def client(lab):
    with Client(lab) as client:
        yield client


@pytest.fixture(scope="module")
def fresh(lab):
    return iter(lab.facts.users)


@pytest.fixture
def user(fresh):
    return next(fresh)


@pytest.fixture
def other(fresh):
    return next(fresh)


def folder(lab):
    return lab.facts.ca_file.parent.parent


def assert_no_token(answer):
    assert answer.status == 500, answer.body
    assert text(answer.body, "ErrorId") == "28020"


# --- Windows accounts ---


def post(client: Client, authorization: str | None, body: str | None = None) -> Answer:
    headers = {"Content-Type": "text/xml", "SOAPAction": f'"{RST_ACTION}"'}
    if authorization:
        headers["Authorization"] = authorization
    content = bare_rst(ENTROPY, client.proof_port) if body is None else body
    return client.ask("POST", client.lab.facts.web_ticket_url, content.encode(), **headers)


def sign_in(
    client: Client,
    name: str,
    password: str,
    scheme: str = "NTLM",
    protocol: str = "ntlm",
    body: str | None = None,
) -> Answer:
    """Do a handshake to its end; at most three legs, as nothing needs more."""
    context = spnego.client(name, password, hostname="localhost", protocol=protocol)
    token = context.step(None)
    for _ in range(3):
        answer = post(client, f"{scheme} {base64.b64encode(token).decode()}", body)
        kind, _, challenge = (answer.headers["WWW-Authenticate"] or "").partition(" ")
        if answer.status != 401 or not challenge:
            return answer
        assert kind == scheme
        token = context.step(base64.b64decode(challenge))
    raise AssertionError("no end of legs")


def test_without_a_sign_in_both_schemes_are_offered(client):
    answer = post(client, None)
    assert answer.status == 401
    assert answer.headers.get_all("WWW-Authenticate") == ["Negotiate", "NTLM"]
    assert answer.body == b""


@pytest.mark.parametrize(
    ("scheme", "protocol"),
    [("NTLM", "ntlm"), ("Negotiate", "ntlm"), ("Negotiate", "negotiate")],
)
def test_ntlm_raw_and_wrapped_under_either_scheme(lab, client, user, scheme, protocol):
    name = f"{user.domain}\\{user.user_name}"
    answer = sign_in(client, name, user.password, scheme, protocol)
    assert answer.status == 200, answer.body
    ticket = hold(answer.body, ENTROPY)
    assert ticket.user == user.sip_uri
    assert certificate(client.publish(ticket)).public_key() == shared_key().public_key()


@pytest.mark.parametrize(
    "form", ["{0.domain}\\{0.user_name}", "{0.user_name}", "{0.user_name}@contoso.test",
             "contoso.test\\{0.user_name}", "{0.user_name}@{0.domain}"],
)  # fmt: skip
def test_every_form_of_an_account_name(client, user, form):
    assert sign_in(client, form.format(user).upper(), user.password).status == 200


@pytest.mark.parametrize("name", ["{0.domain}\\{0.user_name}", "nobody", "OTHER\\{0.user_name}"])
def test_a_refused_sign_in_ends_without_a_token(client, user, name):
    answer = sign_in(client, name.format(user), user.password + "x")
    assert answer.status == 401
    assert answer.headers.get_all("WWW-Authenticate") == ["Negotiate", "NTLM"]
    assert answer.headers["X-Ms-diagnostics"] == (
        '28020;"localhost";"No valid security token.";"wsse:FailedAuthentication"'
    )
    assert sign_in(client, f"{user.domain}\\{user.user_name}", user.password).status == 200


def test_the_claimed_user_must_be_the_account(client, user, other):
    for claimed, status in ((user, 200), (other, 500)):
        body = bare_rst(ENTROPY, client.proof_port, uri_claim(claimed.sip_uri))
        answer = sign_in(client, user.user_name, user.password, body=body)
        assert answer.status == status


def test_the_legs_belong_to_one_connection(lab, user):
    context = spnego.client(user.user_name, user.password, hostname="localhost", protocol="ntlm")
    with Client(lab) as one, Client(lab) as another:
        answer = post(one, f"NTLM {base64.b64encode(context.step(None)).decode()}")
        challenge = base64.b64decode(answer.headers["WWW-Authenticate"].partition(" ")[2])
        proof = f"NTLM {base64.b64encode(context.step(challenge)).decode()}"
        assert post(another, proof).status == 401
        assert post(one, proof).status == 200
        assert post(one, proof).status == 401


def test_ntlm_version_1_is_refused(client, user, monkeypatch):
    monkeypatch.setenv("LM_COMPAT_LEVEL", "1")
    assert sign_in(client, f"{user.domain}\\{user.user_name}", user.password).status == 401


@pytest.mark.parametrize(
    "token", ["", "!", "AAAA", base64.b64encode(b"NTLMSSP\x00" + b"\xff" * 60).decode(),
              base64.b64encode(b"\x60\x84\xff\xff\xff\xff" + b"\xff" * 9).decode()],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate", "Basic"])
def test_garbage_for_a_token(client, user, token, scheme):
    assert post(client, f"{scheme} {token}").status == 401
    assert sign_in(client, user.user_name, user.password).status == 200


def test_many_sign_ins_at_once_do_not_mix(lab, fresh):
    users = [next(fresh) for _ in range(6)]
    clients = [Client(lab) for _ in users]
    contexts = [
        spnego.client(u.user_name, u.password, hostname="localhost", protocol="ntlm") for u in users
    ]
    answers = [
        post(c, f"NTLM {base64.b64encode(x.step(None)).decode()}")
        for c, x in zip(clients, contexts, strict=True)
    ]
    for who, one, context, answer in zip(users, clients, contexts, answers, strict=True):
        challenge = base64.b64decode(answer.headers["WWW-Authenticate"].partition(" ")[2])
        token = base64.b64encode(context.step(challenge)).decode()
        assert hold(post(one, f"NTLM {token}").body, ENTROPY).user == who.sip_uri
    for one in clients:
        one.connection.close()


# --- user name and password ---


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def ask_with_password(client: Client, name: str, password: str, **changes: str) -> Answer:
    parts = {"audience": client.proof_port} | changes
    body = rst(encoded(name), encoded(password), ENTROPY, **parts)
    return client.post(client.ticket_port("Auth"), RST_ACTION, body)


@pytest.mark.parametrize("form", ["{0.domain}\\{0.user_name}", "{0.user_name}@contoso.test"])
def test_a_ticket_by_password(client, user, form):
    answer = ask_with_password(client, form.format(user), user.password)
    ticket = hold(answer.body, ENTROPY)
    assert ticket.user == user.sip_uri
    assert certificate(client.publish(ticket))


def test_a_wrong_password_and_an_unknown_account_are_answered_alike(client, user):
    wrong = ask_with_password(client, user.user_name, "wrong")
    assert_no_token(wrong)
    assert wrong.body == ask_with_password(client, "nobody", user.password).body


def test_name_and_password_must_be_base64(client, user):
    parts = {"audience": client.proof_port}
    body = rst(f"{user.domain}\\{user.user_name}", user.password, ENTROPY, **parts)
    assert_no_token(client.post(client.ticket_port("Auth"), RST_ACTION, body))


def test_a_password_digest_is_no_password(client, user):
    token = (
        "<wsse:UsernameToken><wsse:Username>{0}</wsse:Username><wsse:Password Type='http://docs."
        "oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest'>"
        "{1}</wsse:Password></wsse:UsernameToken>"
    )
    answer = ask_with_password(client, user.user_name, user.password, token=token)
    assert_no_token(answer)
    assert text(answer.body, "faultcode").endswith(":InvalidSecurity")


COMPACT = "urn:component:Microsoft.Rtc.WebAuthentication.2010:user-cwt-1"


def test_a_compact_ticket_for_a_client_that_asks_for_it(client, user):
    port = client.ticket_port("Auth")
    answer = ask_with_password(
        client, user.user_name, user.password, token_type=COMPACT, audience=port
    )
    assert answer.status == 200, answer.body
    assert text(answer.body, "UserToken").startswith("cwt=")
    assert first(answer.body, "Assertion") is None


def test_the_pin_port_has_no_compact_tickets(client, user):
    answer = client.ask_ticket(user.extension, user.pin, token_type=COMPACT)
    assert text(answer.body, "faultcode").endswith(":InvalidRequest")


# --- a published certificate ---

EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
DS = "http://www.w3.org/2000/09/xmldsig#"
X509 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"


def stamp(offset: timedelta = timedelta(0), life: timedelta = timedelta(minutes=5)) -> str:
    created = datetime.now(UTC) + offset
    times = "".join(
        f"<wsu:{name}>{moment.strftime('%Y-%m-%dT%H:%M:%SZ')}</wsu:{name}>"
        for name, moment in (("Created", created), ("Expires", created + life))
    )
    return f'<wsu:Timestamp xmlns:wsu="{WSU}" wsu:Id="ts">{times}</wsu:Timestamp>'


def x509_header(
    der: bytes,
    key: rsa.RSAPrivateKey,
    *,
    timestamp: str | None = None,
    method: str = RSA_SHA256,
    digest: str = SHA256,
    reference: str = "#ts",
) -> str:
    """Certificate, timestamp and signature; what is hashed is canonical as it is written."""
    timestamp = timestamp or stamp()
    name = "sha256" if digest == SHA256 else "sha1"
    value = base64.b64encode(hashlib.new(name, timestamp.encode()).digest()).decode()
    info = (
        f'<SignedInfo xmlns="{DS}"><CanonicalizationMethod Algorithm="{EXC}">'
        f'</CanonicalizationMethod><SignatureMethod Algorithm="{method}"></SignatureMethod>'
        f'<Reference URI="{reference}"><Transforms><Transform Algorithm="{EXC}"></Transform>'
        f'</Transforms><DigestMethod Algorithm="{digest}"></DigestMethod>'
        f"<DigestValue>{value}</DigestValue></Reference></SignedInfo>"
    )
    algorithm = hashes.SHA256() if method == RSA_SHA256 else hashes.SHA1()  # noqa: S303
    signed = base64.b64encode(key.sign(info.encode(), padding.PKCS1v15(), algorithm)).decode()
    return (
        f'{timestamp}<wsse:BinarySecurityToken wsu:Id="bst" ValueType="{X509}" '
        f'EncodingType="{WSSE}#Base64Binary">{base64.b64encode(der).decode()}'
        f'</wsse:BinarySecurityToken><Signature xmlns="{DS}">{info}<SignatureValue>{signed}'
        "</SignatureValue><KeyInfo><wsse:SecurityTokenReference>"
        f'<wsse:Reference URI="#bst" ValueType="{X509}"/></wsse:SecurityTokenReference></KeyInfo>'
        "</Signature>"
    )


def ask_with_certificate(client: Client, header: str) -> Answer:
    body = rst("", "", ENTROPY, audience=client.proof_port, token=header.replace("{", "{{"))
    return client.post(client.ticket_port("Cert"), RST_ACTION, body)


def enrol(client: Client, user: object) -> bytes:
    found = certificate(client.publish(client.ticket(user)))
    return found.public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("method", "digest"),
    [(RSA_SHA256, SHA256), (DS + "rsa-sha1", DS + "sha1"), (RSA_SHA256, DS + "sha1")],
)
def test_a_ticket_by_the_published_certificate(client, user, method, digest):
    header = x509_header(enrol(client, user), shared_key(), method=method, digest=digest)
    ticket = hold(ask_with_certificate(client, header).body, ENTROPY)
    assert ticket.user == user.sip_uri
    assert certificate(client.publish(ticket))


def assert_certificate_refused(answer: Answer) -> None:
    assert_no_token(answer)
    assert re.fullmatch(
        r'28020;"localhost";"No valid security token\.";"wsse:\w+"',
        answer.headers["X-Ms-diagnostics"],
    )


def test_a_certificate_that_was_revoked(lab, client, user):
    header = x509_header(enrol(client, user), shared_key())
    assert revoke(folder(lab), user.sip_uri) == 1
    assert_certificate_refused(ask_with_certificate(client, header))


def test_a_certificate_that_another_replaced(client, user):
    old, _ = enrol(client, user), enrol(client, user)
    assert_certificate_refused(ask_with_certificate(client, x509_header(old, shared_key())))


def test_a_certificate_of_the_same_ca_that_is_not_published(lab, client, user):
    """It is looked up, whoever signed it."""
    from usbprov.lab.authority import UserIssuer, open_authority

    services = open_authority(folder(lab) / "authority", ["localhost"]).services
    made = UserIssuer(services).issue(
        shared_key().public_key(), user.sip_uri.removeprefix("sip:"), datetime.now(UTC)
    )
    header = x509_header(made.public_bytes(Encoding.DER), shared_key())
    assert_certificate_refused(ask_with_certificate(client, header))


def test_a_certificate_that_has_expired(lab, client, user):
    lab.faults.switch_on(parse_fault("expired-cert=1"))
    header = x509_header(enrol(client, user), shared_key())
    assert_certificate_refused(ask_with_certificate(client, header))


def test_the_key_must_be_that_of_the_certificate(client, user):
    other_key = rsa.generate_private_key(65537, 2048)
    header = x509_header(enrol(client, user), other_key)
    assert_certificate_refused(ask_with_certificate(client, header))


@pytest.mark.parametrize(
    "timestamp",
    [
        stamp(timedelta(hours=-1)),
        stamp(timedelta(hours=1)),
        stamp(life=timedelta(days=1)),
        stamp(life=timedelta(0)),
        f'<wsu:Timestamp xmlns:wsu="{WSU}" wsu:Id="ts"></wsu:Timestamp>',
    ],
    ids=["past", "future", "long", "empty", "without times"],
)
def test_a_timestamp_that_is_not_right(client, user, timestamp):
    header = x509_header(enrol(client, user), shared_key(), timestamp=timestamp)
    assert_certificate_refused(ask_with_certificate(client, header))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('URI="#ts"', 'URI="#none"'),
        ('URI="#ts"', 'URI=""'),
        ('URI="#bst"', 'URI="#ts"'),
        ("rsa-sha256", "hmac-sha1"),
        ("xmlenc#sha256", "xmldsig#md5"),
        ("xml-exc-c14n#", "xml-exc-c14n#WithComments"),
        ("<SignatureValue>", "<SignatureValue>AAAA"),
        ("<DigestValue>", "<DigestValue>AAAA"),
        ("#X509v3", "#X509PKIPathv1"),
        ('wsu:Id="bst"', 'wsu:Id="ts"'),
        ("<wsse:BinarySecurityToken", "<wsse:BinarySecurityToken/><wsse:BinarySecurityToken"),
    ],
)
def test_a_signature_of_another_kind(client, user, old, new):
    header = x509_header(enrol(client, user), shared_key())
    assert old in header
    assert_certificate_refused(ask_with_certificate(client, header.replace(old, new)))


def test_another_timestamp_than_the_signed_one(client, user):
    """Signature wrapping: the signed timestamp is there, and is not the one that is used."""
    signed = stamp()
    header = x509_header(enrol(client, user), shared_key(), timestamp=signed)
    forged = stamp(timedelta(minutes=1)).replace('"ts"', '"other"')
    aside = f"<x:a xmlns:x='urn:x'>{signed}</x:a>"
    for changed in (
        header.replace(signed, forged + aside),
        header.replace(signed, forged + signed),
    ):
        assert_certificate_refused(ask_with_certificate(client, changed))


def test_no_certificate_at_all(client):
    assert_certificate_refused(ask_with_certificate(client, ""))


# --- what is offered ---

WAYS = {
    "pin": "WebTicketServicePin",
    "windows": "WebTicketServiceWinNegotiate",
    "password": "WebTicketServiceAuth",
    "certificate": "WebTicketServiceCert",
}


def offered(client: Client) -> set[str]:
    document = client.ask("GET", client.lab.facts.web_ticket_url + "/mex").body.decode()
    return set(re.findall(r'<wsdl:port name="(\w+)"', document))


def test_metadata_names_every_way(client):
    assert offered(client) == set(WAYS.values())


@pytest.mark.parametrize("way", WAYS)
def test_a_way_that_is_switched_off(lab, client, way):
    port = client.ticket_port(WAYS[way].removeprefix("WebTicketService"))
    lab.faults.switch_on(parse_fault(f"auth-off={way}"))
    try:
        assert offered(client) == set(WAYS.values()) - {WAYS[way]}
        answer = client.post(port, RST_ACTION, bare_rst(ENTROPY, client.proof_port))
    finally:
        lab.faults.switch_off(FaultName.AUTH_OFF)
    assert answer.status == 403
    assert answer.headers["X-Ms-diagnostics"].startswith("28905;")


def test_ntlm_only_by_policy(tmp_path):
    policy = ["windows-auth=ntlm", "pin-auth=off", "certificate-auth=off", "ticket-hours=1"]
    with running_lab(tmp_path, policy=policy) as lab, Client(lab) as client:
        assert offered(client) == {"WebTicketServiceWinNtlm", "WebTicketServiceAuth"}
        assert post(client, None).headers.get_all("WWW-Authenticate") == ["NTLM"]
        user = lab.facts.users[0]
        answer = sign_in(client, user.user_name, user.password)
        lifetime = re.findall(r">([^<]+)Z<", hold(answer.body, ENTROPY).lifetime)
        begin, end = (datetime.fromisoformat(moment) for moment in lifetime)
        assert end - begin == timedelta(hours=1)
        negotiate = sign_in(client, user.user_name, user.password, "Negotiate")
        assert negotiate.status == 401
    with running_lab(tmp_path) as lab, Client(lab) as client:
        assert "WebTicketServicePin" not in offered(client), "the policy is kept for the next start"


@pytest.mark.parametrize("way", ["Pin", "Auth", "Cert", "WinNegotiate"])
def test_reading_a_port_is_a_bad_request(client, way):
    answer = client.ask("GET", client.ticket_port(way))
    assert (answer.status, answer.body) == (400, b"")
    assert answer.headers["Content-Length"] == "0"


def test_the_acceptor_is_gone_with_the_lab(tmp_path):
    before = children()
    with running_lab(tmp_path) as lab, Client(lab) as client:
        user = lab.facts.users[0]
        assert sign_in(client, user.user_name, user.password).status == 200
        (child,) = children() - before
    assert child not in children()


def test_an_acceptor_that_died_comes_back(tmp_path):
    before = children()
    with running_lab(tmp_path) as lab, Client(lab) as client:
        user = lab.facts.users[0]
        assert sign_in(client, user.user_name, user.password).status == 200
        (child,) = children() - before
        os.kill(int(child), signal.SIGKILL)
        deadline = datetime.now(UTC) + timedelta(seconds=20)
        while sign_in(client, user.user_name, user.password).status != 200:
            assert datetime.now(UTC) < deadline
        assert children() - before != {child}


def test_a_keytab_that_is_not_there(tmp_path):
    with pytest.raises(LabUnusable, match=r"keytab .* cannot be read"):
        Lab(LabOptions(tmp_path, keytab=tmp_path / "none")).start()


def test_a_keytab_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gssapi", None)
    with pytest.raises(LabDependencyMissing):
        Lab(LabOptions(tmp_path, keytab=tmp_path)).start()


def children() -> set[str]:
    """Return the acceptors among this process's children."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if b"usbprov.lab.acceptor" in command and parent == str(os.getpid()):
            found.add(process.name)
    return found


def test_a_sign_in_over_a_broken_connection_leaves_nothing(lab, user):
    for _ in range(3):
        with Client(lab) as one:
            context = spnego.client(user.user_name, "x", hostname="localhost", protocol="ntlm")
            answer = post(one, f"NTLM {base64.b64encode(context.step(None)).decode()}")
            assert answer.status == 401
    with Client(lab) as one:
        assert sign_in(one, user.user_name, user.password).status == 200
