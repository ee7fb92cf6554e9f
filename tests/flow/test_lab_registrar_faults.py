"""Each fault of the lab's Registrar, as a correct client sees it."""

import base64
import ssl
import time

import pytest
from doubles.sip_client import (
    REALM,
    TLS10,
    TLS11,
    TLS12,
    InnerTls,
    SipConnection,
    sip_user,
    tlslite,
)
from lab_client import running_lab
from registrar_parts import ALICE, enrol, last_sign_in

from usbprov.lab.faults import FaultName, FaultSetting, parse_fault

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def enrolled(lab):
    return enrol(lab)


@pytest.fixture(autouse=True)
def _no_faults(lab):
    yield
    lab.faults.clear()


@pytest.fixture
def alice(lab):
    with sip_user(lab.facts.registrar, lab.facts.ca_file, ALICE) as user:
        yield user


@pytest.fixture
def fault(lab):
    return lambda text: lab.faults.switch_on(parse_fault(text))


def sign_in(user, enrolled, version=TLS12):
    answer = user.handshake(InnerTls(enrolled.certificate, enrolled.key, version))
    return user.signed() if user.client_key else answer


def test_down(lab, alice, enrolled, fault):
    """No connection is served; that which is open goes on."""
    fault("registrar-down")
    with pytest.raises((ConnectionError, ssl.SSLError)):
        SipConnection(lab.facts.registrar, lab.facts.ca_file)
    assert sign_in(alice, enrolled).status == 200


def test_slow(alice, fault):
    fault("registrar-slow=0.3")
    began = time.monotonic()
    assert alice.ask().status == 401
    assert time.monotonic() - began >= 0.3


def test_slow_does_not_hold_the_end_up(tmp_path):
    with running_lab(tmp_path, faults=["registrar-slow=600"]) as lab:
        connection = SipConnection(lab.facts.registrar, lab.facts.ca_file)
        connection.send(b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n")
        began = time.monotonic()
    assert time.monotonic() - began < 5
    connection.close()


def test_busy(alice, enrolled, fault):
    fault("registrar-busy=1")
    answer = alice.ask()
    assert (answer.status, answer.diagnostic, answer.one("Retry-After")) == (504, 1007, "1")
    assert sign_in(alice, enrolled).status == 200


def test_garbage(alice, fault):
    fault("sip-garbage")
    with pytest.raises(AssertionError, match=r"HTTP/1\.1 400"):
        alice.ask()


def test_dsk_off(alice, fault):
    fault("dsk-off")
    assert alice.ask().schemes == ["NTLM"]
    header = f'TLS-DSK qop="auth", realm="{REALM}", targetname="localhost", gssapi-data="FgM="'
    answer = alice.ask(header)
    assert (answer.status, answer.schemes) == (401, ["NTLM"])


@pytest.mark.parametrize("version", [TLS10, TLS11, TLS12])
def test_wrong_finished(alice, enrolled, fault, version):
    """It decrypts, its MAC is right, and what it says is wrong."""
    fault("wrong-finished=1")
    with pytest.raises(tlslite().TLSLocalAlert, match="decrypt_error"):
        sign_in(alice, enrolled, version)
    alice.client_key = b""
    assert sign_in(alice, enrolled, version).status == 200


def test_certificate_not_found(lab, alice, enrolled, fault):
    fault("certificate-not-found=1")
    answer = sign_in(alice, enrolled)
    assert (answer.status, answer.diagnostic) == (401, 1000)
    assert last_sign_in(lab).outcome == "refused 401 1000 fault certificate-not-found"
    assert sign_in(alice, enrolled).status == 200


@pytest.mark.parametrize(
    ("text", "status", "diagnostic"), [("user-disabled", 403, 4141), ("user-unknown", 404, 1003)]
)
def test_a_user_who_may_not(alice, enrolled, fault, text, status, diagnostic):
    """The refusal is signed: it comes after the proof."""
    fault(text)
    answer = sign_in(alice, enrolled)
    assert (answer.status, answer.diagnostic) == (status, diagnostic)
    assert alice.is_signed(answer)


def registrar_of(answer):
    return answer.one("Contact").removeprefix("<sip:").partition(";")[0]


def test_home_pool_moved(lab, alice, enrolled, fault):
    fault("home-pool-moved")
    answer = sign_in(alice, enrolled)
    assert answer.status == 301
    assert alice.is_signed(answer)
    there = registrar_of(answer)
    assert there != lab.facts.registrar
    with sip_user(there, lab.facts.ca_file, ALICE) as user:
        assert sign_in(user, enrolled).status == 200
    assert last_sign_in(lab).registrar == there


def test_redirect_endless(lab, enrolled, fault):
    fault("redirect-endless")
    seen = [lab.facts.registrar]
    for _ in range(3):
        with sip_user(seen[-1], lab.facts.ca_file, ALICE) as user:
            seen.append(registrar_of(sign_in(user, enrolled)))
    assert seen[0] == seen[2] != seen[1] == seen[3]


def test_registrar_wrong_key(alice, enrolled, fault):
    fault("registrar-wrong-key=1")
    answer = sign_in(alice, enrolled)
    assert answer.status == 200
    assert answer.all("Authentication-Info")
    assert not alice.is_signed(answer)
    assert alice.is_signed(alice.signed())


def test_unsigned_200(alice, enrolled, fault):
    fault("unsigned-200=1")
    answer = sign_in(alice, enrolled)
    assert answer.status == 200
    assert not answer.all("Authentication-Info")
    assert alice.is_signed(alice.signed())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("unknown-root", "unable to get|self-signed"),
        ("expired-server-cert", "expired"),
        ("wrong-name", "mismatch"),
        ("incomplete-chain", "unable to get local issuer"),
        ("tls10-only", "protocol|alert"),
    ],
)
def test_faults_of_the_handshake_act_here_too(lab, fault, text, words):
    fault(text)
    with pytest.raises(ssl.SSLError, match=f"(?i){words}"):
        SipConnection(lab.facts.registrar, lab.facts.ca_file)


def test_the_clock(lab, alice, fault):
    """The Date of the answers is that of the lab's clock."""
    before = alice.ask().one("Date")
    lab.faults.switch_on(FaultSetting(FaultName.CLOCK_SKEW, 86400.0))
    assert alice.ask().one("Date")[:16] != before[:16]


@pytest.mark.parametrize(("policy", "good"), [("1.0", TLS10), ("1.1", TLS11), ("1.2", TLS12)])
def test_which_tls_there_is_inside_is_a_policy(tmp_path, policy, good):
    with running_lab(tmp_path, policy=[f"dsk-tls={policy}", "registrar-ntlm-auth=off"]) as lab:
        enrolled = enrol(lab)
        for version in (TLS10, TLS11, TLS12):
            with sip_user(lab.facts.registrar, lab.facts.ca_file, ALICE) as user:
                if version == good:
                    assert sign_in(user, enrolled, version).status == 200
                else:
                    answer = user.token(
                        InnerTls(enrolled.certificate, enrolled.key, version).flight()
                    )
                    agreed = _agreed(answer)
                    assert agreed in {None, good}
                    assert answer.schemes == ["TLS-DSK"]


def _agreed(answer):
    """Return the version that the server chose; None where it refused the handshake."""
    data = base64.b64decode(answer.challenge("TLS-DSK").get("gssapi-data", ""))
    return tuple(data[9:11]) if data else None


def test_no_tls_dsk_by_policy(tmp_path):
    with (
        running_lab(tmp_path, policy=["registrar-certificate-auth=off"]) as lab,
        sip_user(lab.facts.registrar, lab.facts.ca_file, ALICE) as user,
    ):
        assert user.ask().schemes == ["NTLM"]
