"""Signing in at the lab's Registrar by certificate, with a foreign TLS inside."""

import base64

import pytest
from doubles.sip_client import TLS10, TLS11, TLS12, InnerTls, sip_user
from lab_client import running_lab
from processes import wait_for
from registrar_parts import ALICE, Enrolled, enrol, last_sign_in

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def enrolled(lab) -> Enrolled:
    return enrol(lab)


@pytest.fixture
def alice(lab):
    with sip_user(lab.facts.registrar, lab.facts.ca_file, ALICE) as user:
        yield user


def test_an_unsigned_register_is_told_what_there_is(lab, alice):
    answer = alice.ask()
    assert answer.status == 401
    assert answer.schemes == ["TLS-DSK", "NTLM"]
    assert answer.challenge("TLS-DSK") == {
        "realm": "SIP Communications Service",
        "targetname": "localhost",
        "version": "4",
        "sts-uri": lab.facts.web_services_url,
    }
    assert answer.one("From") in alice.sent[-1].decode()
    assert answer.one("To").startswith(f"<{ALICE}>;tag=")


@pytest.mark.parametrize("version", [TLS10, TLS11, TLS12])
@pytest.mark.parametrize("exchange", ["rsa", "ecdhe_rsa", "dhe_rsa"])
def test_a_published_certificate_signs_in_and_out(lab, alice, enrolled, version, exchange):
    alice.handshake(InnerTls(enrolled.certificate, enrolled.key, version, exchange))
    answer = alice.signed()
    assert (answer.status, answer.one("Expires")) == (200, "7200")
    assert alice.is_signed(answer)
    assert "+sip.instance" in answer.one("Contact")
    assert last_sign_in(lab).outcome == "signed in"
    answer = alice.signed(Expires="0")
    assert (answer.status, answer.one("Expires")) == (200, "0")
    assert alice.is_signed(answer)
    last = last_sign_in(lab)
    assert (last.sip_uri, last.scheme, last.outcome) == (ALICE, "TLS-DSK", "signed out")
    assert (last.protocol, last.registrar) == (f"TLS 1.{version[1] - 1}", lab.facts.registrar)
    assert last.device_id == str(enrolled.device)


def test_each_flight_is_as_the_stock_client_needs_it(alice, enrolled):
    """One record of handshake messages, then ChangeCipherSpec before the encrypted Finished."""
    tls = InnerTls(enrolled.certificate, enrolled.key, TLS10)
    first = alice.token(tls.flight())
    data = base64.b64decode(first.challenge("TLS-DSK")["gssapi-data"])
    assert data[0] == 22
    assert int.from_bytes(data[3:5]) == len(data) - 5
    assert data[-4:] == b"\x0e\0\0\0"  # ServerHelloDone is there, and not at a beginning
    alice.opaque = first.challenge("TLS-DSK")["opaque"]
    second = alice.token(tls.flight(data))
    assert second.status == 401
    assert base64.b64decode(second.challenge("TLS-DSK")["gssapi-data"])[0] == 20


def test_lower_case_signatures_count(alice, enrolled):
    alice.handshake(InnerTls(enrolled.certificate, enrolled.key, TLS12))
    assert alice.signed(upper=False).status == 200


def test_messages_after_the_sign_in_are_signed_too(alice, enrolled):
    alice.handshake(InnerTls(enrolled.certificate, enrolled.key, TLS12))
    assert alice.signed().status == 200
    for method, status in (("OPTIONS", 200), ("SUBSCRIBE", 405), ("REGISTER", 200)):
        answer = alice.signed(method)
        assert answer.status == status
        assert alice.is_signed(answer)


def test_keep_alives_and_several_messages_at_once(alice, enrolled):
    alice.connection.send(b"\r\n\r\n")
    alice.ask()
    first, second = alice.sent[-1], alice.sent[-1].replace(b"CSeq: 1", b"CSeq: 2")
    alice.connection.send(first[:40])
    alice.connection.send(first[40:] + b"\r\n\r\n" + second)
    assert [alice.connection.read().one("CSeq")[0] for _ in range(2)] == ["1", "2"]


def test_so_long_as_the_client_wants_and_no_longer(alice, enrolled):
    alice.handshake(InnerTls(enrolled.certificate, enrolled.key, TLS12))
    assert alice.signed(Expires="600").one("Expires") == "600"
    assert alice.signed(Expires="999999").one("Expires") == "7200"


def test_a_connection_that_closes_is_told_in_the_list(lab, enrolled):
    with sip_user(lab.facts.registrar, lab.facts.ca_file, ALICE) as user:
        user.handshake(InnerTls(enrolled.certificate, enrolled.key, TLS12))
        assert user.signed().status == 200
    wait_for(lambda: last_sign_in(lab).outcome == "connection closed", "the end in the list")


def test_the_log_has_the_sign_in_and_no_secret(lab, alice, enrolled):
    alice.handshake(InnerTls(enrolled.certificate, enrolled.key, TLS12))
    alice.signed()
    log = (lab.facts.ca_file.parents[1] / "calls.log").read_text()
    assert "REGISTER <sip:alice@contoso.test> 200" in log
    assert "signed in: sip:alice@contoso.test by TLS-DSK" in log
    assert alice.client_key.hex() not in log
    assert "gssapi" not in log
