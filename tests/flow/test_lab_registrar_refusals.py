"""Everything that the lab's Registrar must refuse, and how it says it."""

import sqlite3
import uuid
from datetime import timedelta

import pytest
from doubles.sip_client import TLS10, TLS12, InnerTls, SipConnection, SipUser, sip_user
from lab_client import running_lab
from registrar_parts import ALICE, BOB, EPID, enrol, last_sign_in, user_key

from usbprov.lab.faults import FaultName, FaultSetting
from usbprov.lab.layout import Layout
from usbprov.lab.moves import move
from usbprov.lab.registrar.signins import sign_ins
from usbprov.lab.store import revoke

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def folder(lab):
    return lab.facts.ca_file.parents[1]


@pytest.fixture(autouse=True)
def _nothing_published(lab, folder):
    for user in lab.facts.users:
        revoke(folder, user.sip_uri)
    yield
    lab.faults.clear()


@pytest.fixture
def alice(lab):
    with sip_user(lab.facts.registrar, lab.facts.ca_file, ALICE) as user:
        yield user


def handshake(user, enrolled, version=TLS12):
    return user.handshake(InnerTls(enrolled.certificate, enrolled.key, version))


def assert_failed(answer):
    """401, 1000, and a challenge to begin anew."""
    assert (answer.status, answer.diagnostic) == (401, 1000)
    assert "Final handshake failed." in answer.one("ms-diagnostics")
    assert "sts-uri" in answer.challenge("TLS-DSK")


# --- the certificate ---------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS10, TLS12])
def test_a_certificate_that_is_not_published(lab, alice, version):
    assert_failed(handshake(alice, enrol(lab, publish=False), version))
    assert "not published" in last_sign_in(lab).outcome


def test_a_revoked_certificate_is_refused_at_the_next_sign_in(lab, folder):
    enrolled = enrol(lab)
    for revoked in (False, True):
        if revoked:
            revoke(folder, ALICE)
        with sip_user(lab.facts.registrar, lab.facts.ca_file, ALICE) as user:
            answer = handshake(user, enrolled)
            assert answer.diagnostic == (1000 if revoked else None)


def test_a_certificate_that_a_new_one_replaced(lab, alice):
    old = enrol(lab)
    new = enrol(lab, key=user_key(1))
    assert_failed(handshake(alice, old))
    handshake(alice, new)
    assert alice.signed().status == 200


def test_a_certificate_that_is_published_for_another_device(lab, alice):
    assert_failed(handshake(alice, enrol(lab, epid="0102030405")))
    assert "another device" in last_sign_in(lab).outcome


def test_another_users_certificate(lab, alice):
    answer = handshake(alice, enrol(lab, BOB))
    assert (answer.status, answer.diagnostic) == (403, 4004)


def test_an_expired_certificate(lab, alice):
    assert_failed(handshake(alice, enrol(lab, life=timedelta(seconds=-5))))
    assert "not valid now" in last_sign_in(lab).outcome


def test_the_labs_clock_counts(lab, alice):
    enrolled = enrol(lab, life=timedelta(hours=1))
    lab.faults.switch_on(FaultSetting(FaultName.CLOCK_SKEW, 7200.0))
    assert_failed(handshake(alice, enrolled))


def test_a_certificate_whose_key_the_client_has_not(lab, alice):
    enrolled = enrol(lab)
    answer = alice.handshake(InnerTls(enrolled.certificate, user_key(1), TLS12))
    assert_failed(answer)


def test_no_certificate(lab, alice):
    answer = alice.handshake(InnerTls(None, None, TLS12))
    assert_failed(answer)


def test_no_tls_at_all(alice):
    assert_failed(alice.token(b"no records"))


def test_a_store_that_cannot_be_read(lab, folder, alice, monkeypatch):
    enrolled = enrol(lab)

    def unreachable(*_):
        raise sqlite3.OperationalError

    monkeypatch.setattr("usbprov.lab.store.PoolStore.device_of", unreachable)
    answer = handshake(alice, enrolled)
    assert (answer.status, answer.diagnostic) == (504, 1007)


# --- the endpoint ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "diagnostic"),
    [
        ({"epid": "0123456789abcdef0"}, 400, 4012),
        ({"instance": uuid.uuid4()}, 400, None),
    ],
)
def test_an_endpoint_that_cannot_be(lab, changes, status, diagnostic):
    with sip_user(lab.facts.registrar, lab.facts.ca_file, ALICE, **changes) as user:
        answer = user.ask()
    assert (answer.status, answer.diagnostic) == (status, diagnostic)


def test_an_epid_without_value(alice):
    alice.epid, alice.told = "", ("epid",)
    answer = alice.ask()
    assert (answer.status, answer.diagnostic) == (400, 4011)


@pytest.mark.parametrize(
    ("receiver", "status", "diagnostic"),
    [(BOB, 403, 4004), ("sip:nobody@contoso.test", 404, 4005)],
)
def test_somebody_else_is_registered(alice, receiver, status, diagnostic):
    answer = alice.ask(To=f"<{receiver}>")
    assert (answer.status, answer.diagnostic) == (status, diagnostic)


def test_no_endpoint(alice):
    alice.told = ()
    answer = alice.ask()
    assert (answer.status, answer.diagnostic) == (400, 4010)


@pytest.mark.parametrize("told", ["epid", "instance"])
def test_the_device_may_be_named_by_either(lab, told):
    enrolled = enrol(lab)
    with sip_user(lab.facts.registrar, lab.facts.ca_file, ALICE, told=(told,)) as user:
        handshake(user, enrolled)
        assert user.signed().status == 200


# --- signatures --------------------------------------------------------------------------------


def signed_in(user, lab):
    handshake(user, enrol(lab))
    assert user.signed().status == 200


def test_a_wrong_signature(lab, alice):
    handshake(alice, enrol(lab))
    assert_failed(alice.signed(wrong=True))
    assert "signature is wrong" in last_sign_in(lab).outcome


def test_no_signature_after_the_handshake(lab, alice):
    handshake(alice, enrol(lab))
    answer = alice.ask(alice.token_header(b"").replace('gssapi-data="", ', ""))
    assert_failed(answer)


def test_a_message_that_is_sent_again(lab, alice):
    signed_in(alice, lab)
    answer = alice.exchange(alice.sent[-1])
    assert_failed(answer)
    assert_failed_association(alice)


def assert_failed_association(user):
    """The association is gone: the next message, good as it is, begins anew."""
    answer = user.signed()
    assert (answer.status, answer.diagnostic) == (401, None)


def test_a_count_that_goes_back(lab, alice):
    handshake(alice, enrol(lab))
    assert alice.signed(cnum=7).status == 200
    assert_failed(alice.signed(cnum=6))


def test_a_changed_header(lab, alice):
    handshake(alice, enrol(lab))
    alice.cseq += 1
    alice.last = {"uri": ALICE, "tag": "1", "method": "REGISTER"}
    message = alice._with("sign", "REGISTER", {"Expires": "600"})
    assert_failed(alice.exchange(message.replace(b"Expires: 600", b"Expires: 6000")))


def test_another_user_over_the_same_association(lab, alice):
    signed_in(alice, lab)
    alice.uri = BOB
    answer = alice.signed()
    assert (answer.status, answer.diagnostic) == (403, 4004)


def test_what_is_refused_of_a_signed_in_user_is_listed_beside_him(lab, folder, alice):
    signed_in(alice, lab)
    alice.uri = BOB
    alice.signed()
    alice.uri = ALICE
    assert alice.signed(Expires="0").status == 200
    signed, refused = sign_ins(folder)[-2:]
    assert (signed.sip_uri, signed.outcome) == (ALICE, "signed out")
    assert refused.sip_uri == BOB
    assert refused.outcome.startswith("refused 403 4004")


def test_a_replay_ends_the_sign_in_on_the_list(lab, alice):
    signed_in(alice, lab)
    alice.exchange(alice.sent[-1])
    assert last_sign_in(lab).outcome.startswith("refused 401 1000 cnum 1 after 1")


def test_signing_in_again_over_one_association_is_another_row(lab, folder, alice):
    signed_in(alice, lab)
    before = len(sign_ins(folder))
    assert alice.signed().status == 200  # a refresh
    assert len(sign_ins(folder)) == before
    alice.signed(Expires="0")
    assert alice.signed().status == 200
    assert [one.outcome for one in sign_ins(folder)[-2:]] == ["signed out", "signed in"]


def test_an_association_of_another_connection(lab, alice):
    signed_in(alice, lab)
    with SipConnection(lab.facts.registrar, lab.facts.ca_file) as connection:
        other = SipUser(
            connection, ALICE, opaque=alice.opaque, client_key=alice.client_key, cnum=alice.cnum
        )
        answer = other.signed()
    assert (answer.status, answer.diagnostic) == (401, None)


def test_a_handshake_that_goes_on_under_another_call_id(lab, alice):
    enrolled = enrol(lab)
    tls = InnerTls(enrolled.certificate, enrolled.key, TLS12)
    alice.opaque = alice.token(tls.flight()).challenge("TLS-DSK")["opaque"]
    answer = alice.token(b"anything", Call_ID="another")
    assert (answer.status, answer.diagnostic) == (401, None)


def test_an_association_ends(lab, alice):
    signed_in(alice, lab)
    lab.faults.switch_on(FaultSetting(FaultName.CLOCK_SKEW, 8 * 3600 + 1.0))
    answer = alice.signed()
    assert (answer.status, answer.diagnostic) == (401, None)


def test_the_association_does_not_outlive_the_certificate(lab, alice):
    handshake(alice, enrol(lab, life=timedelta(hours=1)))
    assert 3400 < int(alice.signed().one("Expires")) <= 3600


@pytest.mark.parametrize("name", ["realm", "targetname"])
def test_credentials_for_another_server(alice, name):
    value = alice.token_header(b"x").replace(f'{name}="', f'{name}="other ')
    answer = alice.ask(value)
    assert (answer.status, answer.diagnostic) == (401, None)


# --- moved users -------------------------------------------------------------------------------


def test_a_moved_user_is_sent_on_and_served_there(lab, folder, alice):
    enrolled = enrol(lab)
    move(folder, ALICE, "pool02.contoso.test")
    try:
        handshake(alice, enrolled)
        answer = alice.signed()
        assert answer.status == 301
        assert alice.is_signed(answer)
        uri = answer.one("Contact").strip("<>")
        assert uri.endswith(";transport=tls")
        there = uri.removeprefix("sip:").partition(";")[0]
        assert last_sign_in(lab).outcome == f"sent to {there}"
        with sip_user(there, lab.facts.ca_file, ALICE) as moved:
            handshake(moved, enrolled)
            assert moved.is_signed(moved.signed())
        with sip_user(there, lab.facts.ca_file, BOB) as stays:
            handshake(stays, enrol(lab, BOB))
            assert stays.signed().one("Contact") == f"<sip:{lab.facts.registrar};transport=tls>"
    finally:
        move(folder, ALICE, "pool01.contoso.test")


def test_a_move_that_left_the_certificates_behind(lab, folder, alice):
    enrolled = enrol(lab)
    move(folder, ALICE, "pool02.contoso.test", with_certificates=False)
    try:
        assert_failed(handshake(alice, enrolled))
    finally:
        move(folder, ALICE, "pool01.contoso.test")


# --- what is no SIP ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"REGISTER sip:contoso.test SIP/2.0\r\nVia: x\r\n\r\n",
        b"REGISTER sip:contoso.test SIP/2.0\r\nContent-Length: 99999999\r\n\r\n",
        b"A" * 40000,
        b"\x16\x03\x01\x00\x05hello\r\n\r\n",
    ],
)
def test_what_is_no_sip_ends_the_connection(lab, data):
    with SipConnection(lab.facts.registrar, lab.facts.ca_file) as connection:
        connection.send(data)
        assert connection.receive() == b""
    with sip_user(lab.facts.registrar, lab.facts.ca_file, ALICE, epid=EPID) as user:
        assert user.ask().status == 401


def test_files_of_the_registrar_are_private(lab, folder):
    assert Layout(folder).sign_ins.stat().st_mode & 0o777 == 0o600
