"""Kerberos at the lab's Registrar, against MIT's KDC and with MIT's client."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles.sip_client import SipConnection
from doubles.sip_windows import KerberosUser
from kdc import Realm, realm

from usbprov.errors import LabUnusable
from usbprov.lab.registrar.signins import sign_ins
from usbprov.lab.up import Lab, LabOptions

ALICE = "sip:alice@contoso.test"
PASSWORD = "Canary-of-the-KDC"


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    with realm(tmp_path_factory.mktemp("realm")) as served:
        served.add_user("alice", PASSWORD)
        served.add_user("bob", PASSWORD)
        yield served


@pytest.fixture(autouse=True)
def _in_the_realm(kdc: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in kdc.variables.items():
        monkeypatch.setenv(name, value)
    kdc.sign_out()


@contextlib.contextmanager
def lab_with(keytab: Path, folder: Path) -> Iterator[Lab]:
    with Lab(LabOptions(dir=folder, keytab=keytab)) as lab:
        yield lab


@pytest.fixture
def lab(kdc: Realm, tmp_path: Path) -> Iterator[Lab]:
    with lab_with(kdc.keytab("sip/localhost"), tmp_path) as lab:
        yield lab


@pytest.fixture
def alice(lab: Lab) -> Iterator[KerberosUser]:
    with contextlib.closing(SipConnection(lab.facts.registrar, lab.facts.ca_file)) as connection:
        yield KerberosUser(connection, ALICE)


@pytest.mark.parametrize("mutual", [True, False])
def test_a_ticket_signs_in_and_out(
    kdc: Realm, lab: Lab, alice: KerberosUser, tmp_path: Path, mutual: bool
) -> None:
    assert alice.ask().schemes == ["TLS-DSK", "NTLM", "Kerberos"]
    kdc.sign_in("alice", PASSWORD)
    answer = alice.sign_in("localhost", mutual=mutual)
    assert answer.status == 200
    assert alice.is_signed(answer)
    answer = alice.signed(Expires="0")
    assert alice.is_signed(answer)
    last = sign_ins(tmp_path)[-1]
    assert (last.scheme, last.outcome) == ("Kerberos", "signed out")


def test_a_ticket_of_another_user(kdc: Realm, alice: KerberosUser) -> None:
    kdc.sign_in("bob", PASSWORD)
    answer = alice.sign_in("localhost", mutual=False)
    assert (answer.status, answer.diagnostic) == (403, 4004)


def test_a_token_that_is_none(alice: KerberosUser) -> None:
    answer = alice.token(b"no token")
    assert (answer.status, answer.diagnostic) == (401, 1000)


def test_a_wrong_signature(kdc: Realm, alice: KerberosUser) -> None:
    kdc.sign_in("alice", PASSWORD)
    assert alice.sign_in("localhost", mutual=False).status == 200
    answer = alice.signed(wrong=True)
    assert (answer.status, answer.diagnostic) == (401, 1000)


def test_a_keytab_for_http_alone_offers_none(kdc: Realm, tmp_path: Path) -> None:
    with (
        lab_with(kdc.keytab("HTTP/localhost"), tmp_path) as lab,
        contextlib.closing(SipConnection(lab.facts.registrar, lab.facts.ca_file)) as connection,
    ):
        assert KerberosUser(connection, ALICE).ask().schemes == ["TLS-DSK", "NTLM"]


def test_a_keytab_that_is_none_is_told(tmp_path: Path) -> None:
    keytab = tmp_path / "keytab"
    keytab.write_bytes(b"garbage")
    with pytest.raises(LabUnusable, match="keytab"), lab_with(keytab, tmp_path / "lab"):
        pass
