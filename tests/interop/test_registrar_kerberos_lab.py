"""Signing in by Kerberos: our client at the lab's Registrar, MIT's KDC between them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kdc import Realm, realm

from usbprov.errors import UserNotAllowed
from usbprov.lab.up import Lab, LabOptions
from usbprov.net.credentials import Way, WindowsCredential
from usbprov.net.deadline import TimeLimits
from usbprov.phone.endpoint import Endpoint
from usbprov.registrar.client import Registrar, RegistrarAddress, SignIn

ALICE, BOB = "sip:alice@contoso.test", "sip:bob@contoso.test"
PASSWORD = "Canary-of-the-KDC"


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    with realm(tmp_path_factory.mktemp("realm")) as served:
        served.add_user("alice", PASSWORD)
        yield served


@pytest.fixture(autouse=True)
def _in_the_realm(kdc: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in kdc.variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def lab(kdc: Realm, tmp_path: Path) -> Iterator[Lab]:
    with Lab(LabOptions(dir=tmp_path, keytab=kdc.keytab("sip/localhost"))) as lab:
        yield lab


def sign_in(lab: Lab, way: Way, user: str) -> SignIn:
    address = RegistrarAddress.parse(lab.facts.registrar)
    with Registrar(address, ca_file=lab.facts.ca_file, timeout=TimeLimits(10, 10)) as registrar:
        credential = WindowsCredential(way, "alice@CONTOSO.TEST", PASSWORD)
        return registrar.sign_in(user, credential, Endpoint("2ebb6f264f"))


def test_account_and_password_sign_in_and_out_or_not_as_another(lab: Lab) -> None:
    for way in (Way.KERBEROS, Way.NEGOTIATE):
        done = sign_in(lab, way, ALICE)
        assert (done.scheme, done.signed_out) == ("Kerberos", True)
    with pytest.raises(UserNotAllowed):
        sign_in(lab, Way.KERBEROS, BOB)
