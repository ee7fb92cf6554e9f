"""Each named fault, as a client sees it."""

import http.client
import socket
import ssl
import time
from datetime import UTC, datetime, timedelta

import pytest
from lab_client import Client, certificate, running_lab, seed, shared_key, text

from usbprov.errors import LabUnusable
from usbprov.lab.faults import FAULTS, FaultName, parse_fault
from usbprov.lab.store import published
from usbprov.lab.up import Lab, LabOptions
from usbprov.lab.users import write_users

pytestmark = pytest.mark.timeout(60)
RESET = (ConnectionResetError, http.client.RemoteDisconnected, ssl.SSLError, BrokenPipeError)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab"), synthetic_users=30) as lab:
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
    for name in FaultName:
        lab.faults.switch_off(name)


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


def test_expired_cert(tmp_path):
    with (
        running_lab(tmp_path, faults=["expired-cert"]) as lab,
        Client(lab) as client,
        pytest.raises(ssl.SSLCertVerificationError, match="expired"),
    ):
        client.ask("GET", "/CertProv/CertProvisioningService.svc/mex")
    with running_lab(tmp_path) as lab, Client(lab) as client:
        assert client.ask("GET", "/CertProv/CertProvisioningService.svc/mex").status == 200


def test_a_slow_answer_does_not_hold_up_the_end(tmp_path):
    with running_lab(tmp_path, faults=["slow=60"]) as lab, Client(lab) as client:
        client.proof_port  # noqa: B018
        client.connection.request(
            "POST", "/WebTicket/WebTicketService.svc/pin", b"x", {"Content-Type": "text/xml"}
        )
        deadline = time.monotonic() + 10
        while not lab._server._server.server_state.tasks and time.monotonic() < deadline:
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
    """The table has no entry that nothing here switches on."""
    with open(__file__, encoding="utf-8") as source:  # noqa: PTH123
        written = source.read()
    assert all(f'"{name.value}' in written for name in FAULTS)


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
