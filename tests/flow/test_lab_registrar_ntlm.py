"""Signing in at the lab's Registrar by NTLM, with pyspnego's cryptography on the client's side."""

import base64
import contextlib

import pytest
from doubles.sip_client import SipConnection
from doubles.sip_windows import NtlmUser
from lab_client import running_lab
from registrar_parts import ALICE, last_sign_in

pytestmark = pytest.mark.timeout(60)
PASSWORD = "Lab-Alice-1"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def alice(lab):
    with contextlib.closing(SipConnection(lab.facts.registrar, lab.facts.ca_file)) as connection:
        yield NtlmUser(connection, ALICE)


@pytest.mark.parametrize(
    ("domain", "name"),
    [
        ("CONTOSO", "alice"),
        ("contoso.test", "Alice"),
        ("", "alice"),
        ("", "alice@contoso.test"),
    ],
)
@pytest.mark.parametrize("key_exchange", [True, False])
@pytest.mark.parametrize("mic", [True, False])
def test_account_and_password_sign_in_and_out(lab, alice, domain, name, key_exchange, mic):
    answer = alice.sign_in(domain, name, PASSWORD, key_exchange=key_exchange, mic=mic)
    assert answer.status == 200
    assert alice.is_signed(answer)
    assert (last_sign_in(lab).scheme, last_sign_in(lab).outcome) == ("NTLM", "signed in")
    answer = alice.signed(Expires="0")
    assert answer.status == 200
    assert alice.is_signed(answer)
    assert last_sign_in(lab).outcome == "signed out"


@pytest.mark.parametrize(
    ("domain", "name", "password"),
    [
        ("CONTOSO", "alice", "wrong"),
        ("CONTOSO", "nobody", PASSWORD),
        ("FABRIKAM", "alice", PASSWORD),
    ],
)
def test_account_or_password_are_wrong(alice, domain, name, password):
    answer = alice.sign_in(domain, name, password)
    assert (answer.status, answer.diagnostic) == (401, 1000)


def test_another_account_than_that_of_the_user(alice):
    answer = alice.sign_in("CONTOSO", "bob", "Lab-Bob-2")
    assert (answer.status, answer.diagnostic) == (403, 4004)


def test_a_mic_that_is_wrong(alice, monkeypatch):
    authenticate = alice.authenticate

    def changed(*arguments, **more):
        made = bytearray(authenticate(*arguments, **more))
        made[75] ^= 1
        return bytes(made)

    monkeypatch.setattr(alice, "authenticate", changed)
    answer = alice.sign_in("CONTOSO", "alice", PASSWORD, mic=True)
    assert (answer.status, answer.diagnostic) == (401, 1000)


@pytest.mark.parametrize("size", [0, 11, 63, 90, 160])
def test_a_message_that_breaks_off(alice, monkeypatch, size):
    authenticate = alice.authenticate
    monkeypatch.setattr(alice, "authenticate", lambda *a, **m: authenticate(*a, **m)[:size])
    answer = alice.sign_in("CONTOSO", "alice", PASSWORD)
    assert (answer.status, answer.diagnostic) == (401, 1000)


def test_a_wrong_signature(alice):
    asked = alice.token(b"")
    alice.opaque = asked.challenge("NTLM")["opaque"]
    alice.flags = 0x60888255 | 0x00080000
    sent = base64.b64decode(asked.challenge("NTLM")["gssapi-data"])
    token = alice.authenticate(sent, "CONTOSO", "alice", PASSWORD)
    answer = alice.signed(token=token, wrong=True)
    assert (answer.status, answer.diagnostic) == (401, 1000)


def test_the_log_says_nothing_of_the_password(lab, alice):
    alice.sign_in("CONTOSO", "alice", PASSWORD)
    log = (lab.facts.ca_file.parents[1] / "calls.log").read_text()
    assert "signed in: sip:alice@contoso.test by NTLM" in log
    assert PASSWORD not in log
