"""Each named fault, as a client sees it."""

import base64
import binascii
import http.client
import socket
import ssl
import subprocess
import sys
import time
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import spnego
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import SignatureAlgorithmOID
from lab_client import Client, certificate, first, running_lab, seed, shared_key, text
from lxml import etree

from usbprov.errors import LabUnusable
from usbprov.lab.faults import FAULTS, FaultName, faults_of, parse_fault
from usbprov.lab.store import published
from usbprov.lab.up import Lab, LabOptions
from usbprov.lab.users import write_users

pytestmark = pytest.mark.timeout(60)
RESET = (ConnectionResetError, http.client.RemoteDisconnected, ssl.SSLError, BrokenPipeError)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab"), synthetic_users=80) as lab:
        yield lab


@pytest.fixture(scope="module")
def fresh(lab):
    return iter(lab.facts.users)


@pytest.fixture
def user(fresh):
    return next(fresh)


@pytest.fixture
def client(lab):
    with Client(lab) as client:
        yield client


@pytest.fixture
def switch_on(lab):
    yield lambda name: lab.faults.switch_on(parse_fault(name))
    lab.faults.clear()


def rows(lab, user):
    return [p for p in published(lab.facts.ca_file.parent.parent) if p.sip_uri == user.sip_uri]


def test_store_unreachable_twice(lab, client, user, switch_on):
    ticket = client.ticket(user)
    switch_on("store-unreachable=2")
    for _ in range(2):
        answer = client.publish(ticket)
        assert answer.status == 200
        assert "data store" in text(answer.body, "Reason")
    assert rows(lab, user) == []
    assert certificate(client.publish(ticket))
    assert len(rows(lab, user)) == 1


def test_html_500(client, user, switch_on):
    switch_on("html-500=1")
    answer = client.ask_ticket(user.extension, user.pin)
    assert answer.status == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert client.ask_ticket(user.extension, user.pin).status == 200


def test_slow(client, user, switch_on):
    switch_on("slow=0.3")
    client.proof_port  # noqa: B018 - metadata come without delay
    began = time.monotonic()
    assert client.ask_ticket(user.extension, user.pin).status == 200
    assert time.monotonic() - began >= 0.3


def test_drop_connection_before_the_work(lab, client, user, switch_on):
    body = client.rst(user.extension, "000000")
    switch_on("drop-connection")
    for _ in range(6):
        with pytest.raises(RESET):
            client.post(client.pin_port, "x", body)
        client.connection.close()
    lab.faults.switch_off(FaultName.DROP_CONNECTION)
    assert client.ask_ticket(user.extension, user.pin).status == 200


def test_drop_answer_after_the_work(lab, client, user, switch_on):
    ticket = client.ticket(user)
    switch_on("drop-answer=1")
    with pytest.raises(RESET):
        client.publish(ticket)
    client.connection.close()
    assert len(rows(lab, user)) == 1
    assert certificate(client.publish(ticket))


def test_huge_answer(client, user, switch_on):
    body = client.rst(user.extension, user.pin)
    switch_on("huge-answer=1")
    assert len(client.post(client.pin_port, "x", body).body) == 64 << 20


def test_a_client_may_leave_in_the_middle_of_a_huge_answer(client, user, switch_on, caplog):
    body = client.rst(user.extension, user.pin)
    switch_on("huge-answer=1")
    client.connection.request("POST", "/webticket/webticketservice.svc/pin", body)
    client.connection.getresponse().read(1 << 20)
    client.connection.close()
    assert client.ask_ticket(user.extension, user.pin).status == 200
    assert [r for r in caplog.records if r.levelname != "DEBUG" and r.name != "uvicorn.error"] == []


def test_dtd(client, user, switch_on):
    switch_on("dtd=1")
    answer = client.ask_ticket(user.extension, user.pin)
    assert answer.status == 200
    assert b"<!DOCTYPE" in answer.body


def test_ticket_expired(client, user, switch_on):
    ticket = client.ticket(user)
    switch_on("ticket-expired")
    answer = client.publish(ticket)
    assert answer.status == 500
    assert text(answer.body, "ErrorId") == "28020"


def test_wrong_key(client, user, switch_on):
    ticket = client.ticket(user)
    switch_on("wrong-key=1")
    assert certificate(client.publish(ticket)).public_key() != shared_key().public_key()
    assert certificate(client.publish(ticket)).public_key() == shared_key().public_key()


def test_wrong_user(client, user, switch_on):
    ticket = client.ticket(user)
    switch_on("wrong-user=1")
    right = f"CN={user.sip_uri.removeprefix('sip:')}"
    assert certificate(client.publish(ticket)).subject.rfc4514_string() != right
    assert certificate(client.publish(ticket)).subject.rfc4514_string() == right


def test_short_validity(client, user, switch_on):
    ticket = client.ticket(user)
    switch_on("short-validity=30")
    ends = certificate(client.publish(ticket)).not_valid_after_utc
    assert ends - datetime.now(UTC) < timedelta(minutes=31)


def test_store_flapping(lab, client, user, switch_on):
    ticket = client.ticket(user)
    switch_on("store-flapping")
    ended = [first(client.publish(ticket).body, "ErrorInfo") is not None for _ in range(4)]
    assert ended == [True, False, True, False]


def test_registrar_down(client, user, switch_on):
    ticket = client.ticket(user)
    switch_on("registrar-down=1")
    answer = client.publish(ticket)
    assert answer.status == 200
    assert text(answer.body, "ErrorId") == "28912"
    assert "Registrar" in text(answer.body, "Reason")
    assert certificate(client.publish(ticket))


def test_expired_cert(client, user, switch_on):
    ticket = client.ticket(user)
    switch_on("expired-cert=1")
    found = certificate(client.publish(ticket))
    assert found.not_valid_before_utc < found.not_valid_after_utc < datetime.now(UTC)
    assert certificate(client.publish(ticket)).not_valid_after_utc > datetime.now(UTC)


def test_two_certs(client, user, switch_on):
    ticket = client.ticket(user)
    switch_on("two-certs=1")
    document = etree.fromstring(client.publish(ticket).body)
    found = [
        x509.load_der_x509_certificate(base64.b64decode(token.text))
        for token in document.iter("{*}BinarySecurityToken")
    ]
    assert len({one.subject.rfc4514_string() for one in found}) == 2


def test_bad_base64(client, user, switch_on):
    ticket = client.ticket(user)
    switch_on("bad-base64=1")
    with pytest.raises(binascii.Error):
        base64.b64decode(text(client.publish(ticket).body, "BinarySecurityToken"), validate=True)


def test_wrong_request_id(client, user, switch_on):
    ticket = client.ticket(user)
    switch_on("wrong-request-id=1")
    ids = [text(client.publish(ticket, request_id="mine").body, "RequestID") for _ in "ab"]
    assert ids[0] != ids[1] == "mine"


def test_wrong_context(client, user, switch_on):
    switch_on("wrong-context=1")
    answers = [client.ask_ticket(user.extension, user.pin) for _ in "ab"]
    said = [first(a.body, "RequestSecurityTokenResponse").get("Context") for a in answers]
    assert said[0] != said[1] == "124841e4-264d-52e8-96c5-d22aa8cdc316"


@pytest.mark.parametrize(
    ("fault", "error_id", "word"),
    [
        ("pin-locked", "28901", "locked"),
        ("pin-unset", "28902", "No PIN is set"),
        ("pin-expired", "28903", "expired"),
        ("number-shared", "28904", "share this phone number"),
    ],
)
def test_what_may_be_wrong_with_a_pin(client, user, switch_on, fault, error_id, word):
    switch_on(fault)
    for pin in (user.pin, "000000", "000000", "000000", "000000", "000000"):
        answer = client.ask_ticket(user.extension, pin)
        assert answer.status == 500
        assert text(answer.body, "faultcode").endswith(":FailedAuthentication")
        assert text(answer.body, "ErrorId") == error_id
        assert word in text(answer.body, "Reason")
        assert word in text(answer.body, "faultstring")


def test_such_a_pin_is_not_looked_at(lab, client, user, switch_on):
    switch_on("pin-locked=6")
    for _ in range(6):
        client.ask_ticket(user.extension, "000000")
    assert client.ask_ticket(user.extension, user.pin).status == 200


@pytest.mark.parametrize("seconds", [-7200, 7200])
def test_clock_skew(client, user, switch_on, seconds):
    switch_on(f"clock-skew={seconds}")
    answer = client.ask_ticket(user.extension, user.pin)
    said = parsedate_to_datetime(answer.headers["Date"])
    created = datetime.fromisoformat(text(answer.body, "Created"))
    for moment in (said, created):
        assert abs((moment - datetime.now(UTC)).total_seconds() - seconds) < 60
    found = certificate(client.publish(client.ticket(user)))
    assert abs((found.not_valid_before_utc - datetime.now(UTC)).total_seconds() - seconds) < 400


# --- HTTP ---


def test_busy(client, user, switch_on):
    switch_on("busy=2")
    answers = [client.ask_ticket(user.extension, user.pin) for _ in "abc"]
    assert [answer.status for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "1"


def test_garbage_xml(client, user, switch_on):
    switch_on("garbage-xml=1")
    answer = client.ask_ticket(user.extension, user.pin)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/xml")
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(answer.body)


def test_gzip_bomb(client, user, switch_on):
    """A little over 1 MiB on the wire: 64 members of a gzip file, each of them 16 MiB of spaces."""
    switch_on("gzip-bomb=1")
    answer = client.ask_ticket(user.extension, user.pin)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < 2 << 20
    unpacker = zlib.decompressobj(wbits=31)
    assert unpacker.decompress(answer.body) == b" " * (16 << 20)
    member = answer.body.removesuffix(unpacker.unused_data)
    assert answer.body == member * 64


def test_endless_body(client, user, switch_on):
    body = client.rst(user.extension, user.pin)
    switch_on("endless-body=1")
    client.connection.request("POST", "/webticket/webticketservice.svc/pin", body)
    response = client.connection.getresponse()
    assert response.status == 200
    assert [response.read(1) for _ in range(3)] == [b" "] * 3
    client.connection.close()
    assert client.ask_ticket(user.extension, user.pin).status == 200


def test_an_endless_body_does_not_hold_up_the_end(tmp_path, caplog):
    with running_lab(tmp_path, faults=["endless-body"]) as lab, Client(lab) as client:
        port = client.pin_port
        client.connection.request("POST", urlsplit(port).path, b"x")
        assert client.connection.getresponse().read(1) == b" "
        began = time.monotonic()
        lab.stop()
        assert time.monotonic() - began < 5
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


def test_redirect_loop(lab, client, switch_on):
    switch_on("redirect-loop")
    seen, path = set(), urlsplit(lab.facts.web_ticket_url).path + "/mex"
    for _ in range(5):
        client.connection.request("GET", path)
        response = client.connection.getresponse()
        response.read()
        assert response.status == 302
        path = response.headers["Location"]
        assert path.startswith("/")
        seen.add(path)
    assert len(seen) == 5


def test_redirect_elsewhere(lab, client, user, switch_on):
    port = client.pin_port
    switch_on("redirect-elsewhere")
    for method, url in (("GET", lab.facts.web_ticket_url + "/mex"), ("POST", port)):
        answer = client.ask(method, url, b"" if method == "POST" else None)
        assert answer.status == 302
        assert answer.headers["Location"].startswith("https://elsewhere.contoso.test/")


def test_401_loop(lab, client, user, switch_on):
    """Whatever is sent, another challenge comes: a client that goes on never ends."""
    switch_on("401-loop")
    url, context = lab.facts.web_ticket_url, spnego.client("alice", "x", protocol="ntlm")
    assert client.ask("POST", url, b"x").headers.get_all("WWW-Authenticate") == [
        "Negotiate", "NTLM",
    ]  # fmt: skip
    token = context.step(None)
    for _ in range(4):
        answer = client.ask(
            "POST", url, b"x", Authorization=f"NTLM {base64.b64encode(token).decode()}"
        )
        scheme, _, challenge = answer.headers["WWW-Authenticate"].partition(" ")
        assert (answer.status, scheme) == (401, "NTLM")
        context = spnego.client("alice", "x", protocol="ntlm")
        context.step(None)
        token = context.step(base64.b64decode(challenge))
    assert client.ask("POST", client.pin_port, b"x").status == 401


# --- TLS ---

HANDSHAKES = {
    "incomplete-chain": "unable to get local issuer certificate",
    "wrong-order": None,  # OpenSSL puts it right
    "unknown-root": "unable to get local issuer certificate",
    "expired-server-cert": "certificate has expired",
    "wrong-name": "Hostname mismatch",
    "sha1-chain": "CA signature digest algorithm too weak|CA md too weak",
    "tls10-only": "(?i)alert protocol version",
}


@pytest.mark.parametrize("fault", HANDSHAKES)
def test_handshakes(lab, switch_on, fault):
    """Switched on and off while it runs; a connection that is open stays as it is."""
    url, words = lab.facts.web_services_url + "/mex", HANDSHAKES[fault]
    with Client(lab) as before, Client(lab) as client, Client(lab) as after:
        assert before.ask("GET", url).status == 200
        switch_on(fault)
        if words is None:
            assert client.ask("GET", url).status == 200
        else:
            with pytest.raises(ssl.SSLError, match=words):
                client.ask("GET", url)
        assert before.ask("GET", url).status == 200
        lab.faults.clear()
        assert after.ask("GET", url).status == 200


def presented(lab) -> list[x509.Certificate]:
    """What the server sends, in its order, as ``openssl`` sees it."""
    port = urlsplit(lab.facts.web_services_url).port
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{port}", "-showcerts"],
        input=b"", capture_output=True, check=False,
    )  # fmt: skip
    return x509.load_pem_x509_certificates(done.stdout)


def test_what_is_sent_in_which_order(lab, switch_on):
    def names(fault: str | None) -> list[str]:
        lab.faults.clear()
        if fault:
            switch_on(fault)
        return [c.subject.rfc4514_string()[len("CN=") :] for c in presented(lab)]

    assert names(None) == ["localhost", "usbprov lab issuing CA"]
    assert names("incomplete-chain") == ["localhost"]
    assert names("wrong-order") == ["localhost", "usbprov lab root CA", "usbprov lab issuing CA"]
    assert names("wrong-name")[0] == "elsewhere.contoso.test"


def test_a_chain_signed_with_sha1_is_a_true_chain(lab, switch_on):
    """Only the algorithm is old: names, keys and signatures are right."""
    switch_on("sha1-chain")
    leaf, between = presented(lab)
    root = x509.load_pem_x509_certificate(lab.facts.ca_file.read_bytes())
    for certificate_, issuer in ((leaf, between), (between, root)):
        assert certificate_.signature_algorithm_oid == SignatureAlgorithmOID.RSA_WITH_SHA1
        assert certificate_.issuer == issuer.subject
        issuer.public_key().verify(
            certificate_.signature,
            certificate_.tbs_certificate_bytes,
            padding.PKCS1v15(),
            hashes.SHA1(),  # noqa: S303
        )


def test_tls10_is_spoken_by_who_can(lab, switch_on):
    switch_on("tls10-only")
    port = urlsplit(lab.facts.web_services_url).port
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"localhost:{port}", "-tls1",
         "-cipher", "ALL:@SECLEVEL=0", "-CAfile", lab.facts.ca_file],
        input=b"", capture_output=True, check=False,
    )  # fmt: skip
    assert b"Protocol  : TLSv1\n" in done.stdout
    assert b"Verify return code: 0 (ok)" in done.stdout


# --- switching ---


def test_another_process_switches_and_it_holds_at_once(lab, client, user):
    folder = str(lab.facts.ca_file.parent.parent)

    def command(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "usbprov", "lab", *words, "--dir", folder],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    assert command("fault", "busy=3", "on") == "fault busy=3 is on\n"
    assert client.ask_ticket(user.extension, user.pin).status == 503
    assert "busy" in command("faults")
    assert "busy" in command("faults", "--json")
    command("fault", "busy", "off")
    assert client.ask_ticket(user.extension, user.pin).status == 200
    assert command("faults") == "none\n"


def test_a_lab_that_does_not_run_has_no_faults(tmp_path):
    with pytest.raises(LabUnusable, match="no lab is running"), faults_of(tmp_path):
        pass
    with running_lab(tmp_path, faults=["busy"]), faults_of(tmp_path) as faults:
        assert faults.is_on(FaultName.BUSY)
    with pytest.raises(LabUnusable, match="no lab is running"), faults_of(tmp_path):
        pass
    with running_lab(tmp_path) as lab:
        assert lab.faults.settings() == []


def test_a_slow_answer_does_not_hold_up_the_end(tmp_path):
    with running_lab(tmp_path, faults=["slow=60"]) as lab, Client(lab) as client:
        client.proof_port  # noqa: B018
        client.connection.request(
            "POST", "/WebTicket/WebTicketService.svc/pin", b"x", {"Content-Type": "text/xml"}
        )
        deadline = time.monotonic() + 10
        server = lab._served.servers[0]._server
        while not server.server_state.tasks and time.monotonic() < deadline:
            time.sleep(0.01)
        began = time.monotonic()
        lab.stop()
        assert time.monotonic() - began < 10


def test_a_fault_is_named_on_start(tmp_path):
    with pytest.raises(LabUnusable, match="did you mean 'wrong-key'"):
        Lab(LabOptions(tmp_path, faults=["wrong-keys"]))
    with running_lab(seed(tmp_path), faults=["html-500=1"]) as lab, Client(lab) as client:
        user = lab.facts.users[0]
        assert [client.ask_ticket(user.extension, user.pin).status for _ in "ab"] == [500, 200]


def test_every_fault_has_a_test():
    """The table has no entry that nothing in these files switches on."""
    here = Path(__file__)
    names = ("test_lab_ways.py", "test_lab_anonymous.py", "test_lab_registrar_faults.py")
    files = (here, *(here.with_name(name) for name in names))
    written = "".join(file.read_text() for file in files)
    missing = [name.value for name in FAULTS if f'"{name.value}' not in written]
    assert missing == []


def test_garbage_on_the_port_does_no_harm(lab, client, user):
    port = int(lab.facts.web_services_url.split(":")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port), 5) as raw:
        raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"HTTP/1.1 200" not in raw.recv(100)
    assert client.ask_ticket(user.extension, user.pin).status == 200


# --- real trouble, not named faults ---


def test_a_store_that_has_gone(tmp_path):
    with running_lab(tmp_path) as lab, Client(lab) as client:
        alice, bob, _ = lab.facts.users
        ticket = client.ticket(alice)
        (store,) = (tmp_path / "stores").glob("*.sqlite")
        store.rename(tmp_path / "away")
        assert "data store" in text(client.publish(ticket).body, "Reason")
        answer = client.ask_ticket(bob.extension, bob.pin)
        assert answer.status == 500
        assert text(answer.body, "faultcode") == "s:Server"
        assert str(tmp_path) not in answer.body.decode()
        (tmp_path / "away").rename(store)
        assert certificate(client.publish(ticket))


def test_a_user_who_was_removed_gets_nothing_for_an_old_ticket(tmp_path):
    port = 0
    with running_lab(tmp_path) as lab, Client(lab) as client:
        port = int(lab.facts.web_services_url.split(":")[2].partition("/")[0])
        alice, *others = lab.facts.users
        ticket = client.ticket(alice)
    write_users(tmp_path / "users.toml", others)
    with running_lab(tmp_path, https_port=port) as lab, Client(lab) as client:
        assert text(client.publish(ticket).body, "Reason") == "The user does not exist."
