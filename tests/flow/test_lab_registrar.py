"""Signing in at the lab's Registrar by certificate, with a client that is not ours inside."""

import pytest
from doubles.sip_client import TLS10, TLS11, TLS12, InnerTls, sip_user
from lab_client import running_lab
from registrar_parts import ALICE, Enrolled, enrol

from usbprov.lab.registrar.signins import sign_ins

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
    assert answer.challenge("TLS-DSK") == {
        "realm": "SIP Communications Service",
        "targetname": "localhost",
        "version": "4",
        "sts-uri": lab.facts.web_services_url,
    }


@pytest.mark.parametrize("version", [TLS10, TLS11, TLS12])
@pytest.mark.parametrize("exchange", ["rsa", "ecdhe_rsa", "dhe_rsa"])
def test_a_published_certificate_signs_in_and_out(lab, alice, enrolled, version, exchange):
    alice.handshake(InnerTls(enrolled.certificate, enrolled.key, version, exchange))
    answer = alice.signed()
    assert (answer.status, answer.one("Expires")) == (200, "7200")
    assert alice.is_signed(answer)
    assert sign_ins(lab.facts.ca_file.parents[1])[-1].outcome == "signed in"
    answer = alice.signed(Expires="0")
    assert (answer.status, answer.one("Expires")) == (200, "0")
    assert alice.is_signed(answer)
    last = sign_ins(lab.facts.ca_file.parents[1])[-1]
    assert (last.sip_uri, last.scheme, last.outcome) == (ALICE, "TLS-DSK", "signed out")
    assert last.device_id == str(enrolled.device)
