"""Signing in at a Registrar by Kerberos, against MIT's KDC and MIT's acceptor."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import gssapi
import pytest
from doubles.signing_registrar import SigningRegistrar, parameter
from doubles.sip_server import HOST, Asked, SipServer
from kdc import Realm, realm

from usbprov.errors import CredentialRefused, NotOffered, RegistrarUnproved, UsageError
from usbprov.net.credentials import Way, WindowsCredential
from usbprov.net.deadline import TimeLimits
from usbprov.phone.endpoint import Endpoint
from usbprov.registrar.client import Registrar, RegistrarAddress, SignIn

USER = "sip:alice@contoso.test"
PASSWORD = "Canary-of-the-KDC"
PRINCIPAL = "sip/localhost"


@dataclass
class KerberosRegistrar(SigningRegistrar):
    """The server's side: the token and the first signature come in one request."""

    scheme: ClassVar[str] = "Kerberos"
    target: str = PRINCIPAL
    keytab: Path = Path()
    own_mic: bool = True
    client: str = ""
    context: Any = field(default=None, repr=False)

    def __call__(self, asked: Asked) -> bytes:
        proof = asked.headers.get("authorization", "")
        if not proof:
            self.begin()
            return asked.answer("401 Unauthorized", self.demand())
        data = parameter(proof, "gssapi-data")
        if data:
            held = gssapi.Credentials(usage="accept", store={"keytab": str(self.keytab)})
            self.context = gssapi.SecurityContext(creds=held, usage="accept")
            assert not self.context.step(base64.b64decode(data))
            self.client = str(self.context.initiator_name)
        else:
            assert parameter(proof, "opaque") == self.opaque
        self._mic = bytes.fromhex(parameter(proof, "response"))
        return self.registered(asked, proof)

    def clients_signature(self, text: str) -> str:
        """Verify it: a signature of this kind cannot be made anew."""
        self.context.verify_signature(text.encode(), self._mic)
        return self._mic.hex()

    def own_signature(self, text: str) -> str:
        return self.context.get_signature(text.encode()).hex() if self.own_mic else self._mic.hex()


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    with realm(tmp_path_factory.mktemp("realm")) as served:
        served.add_user("alice", PASSWORD)
        yield served


@pytest.fixture(scope="module")
def keytab(kdc: Realm) -> Path:
    return kdc.keytab(PRINCIPAL)


@pytest.fixture(autouse=True)
def _in_the_realm(kdc: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in kdc.variables.items():
        monkeypatch.setenv(name, value)
    kdc.sign_out()


def sign_in(server: SipServer, credential: WindowsCredential) -> SignIn:
    address = RegistrarAddress(HOST, server.port)
    with Registrar(address, ca_file=server.ca_file, timeout=TimeLimits(10, 10)) as registrar:
        return registrar.sign_in(USER, credential, Endpoint("2ebb6f264f"))


@pytest.mark.parametrize("way", [Way.KERBEROS, Way.NEGOTIATE])
def test_account_and_password_sign_in_and_out(keytab: Path, way: Way) -> None:
    registrar = KerberosRegistrar(keytab=keytab)
    with SipServer(registrar) as server:
        done = sign_in(server, WindowsCredential(way, "alice@contoso.test", PASSWORD))
    assert (done.scheme, done.expires, done.signed_out) == ("Kerberos", 7200, True)
    assert registrar.client == "alice@CONTOSO.TEST"
    assert registrar.accepted == ["2 REGISTER", "3 REGISTER"]


def test_the_ticket_of_who_has_signed_in_needs_no_password(kdc: Realm, keytab: Path) -> None:
    kdc.sign_in("alice", PASSWORD)
    with SipServer(KerberosRegistrar(keytab=keytab)) as server:
        assert sign_in(server, WindowsCredential(Way.NEGOTIATE)).scheme == "Kerberos"


def test_without_a_ticket_nothing_is_sent(keytab: Path) -> None:
    with SipServer(KerberosRegistrar(keytab=keytab)) as server:
        with pytest.raises(UsageError):
            sign_in(server, WindowsCredential(Way.KERBEROS))
        assert len(server.asked) == 1


def test_a_wrong_password_is_the_kdcs_to_refuse(keytab: Path) -> None:
    with SipServer(KerberosRegistrar(keytab=keytab)) as server:
        with pytest.raises(CredentialRefused):
            sign_in(server, WindowsCredential(Way.NEGOTIATE, "alice@contoso.test", "wrong"))
        assert len(server.asked) == 1


def test_a_registrar_that_the_kdc_does_not_know(keytab: Path) -> None:
    registrar = KerberosRegistrar(keytab=keytab, target="sip/other.contoso.test")
    with SipServer(registrar) as server, pytest.raises(NotOffered, match="sip/other"):
        sign_in(server, WindowsCredential(Way.KERBEROS, "alice@contoso.test", PASSWORD))


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"signs": False}, "unsigned"),
        ({"own_mic": False}, "signature"),
        ({"signature": lambda right: right[:-1] + "01"[right[-1] == "0"]}, "signature"),
        ({"signature": lambda right: "no hex"}, "signature"),
    ],
)
def test_the_registrar_must_prove_itself(keytab: Path, changes, check: str) -> None:
    with (
        SipServer(KerberosRegistrar(keytab=keytab, **changes)) as server,
        pytest.raises(RegistrarUnproved) as caught,
    ):
        sign_in(server, WindowsCredential(Way.KERBEROS, "alice@contoso.test", PASSWORD))
    assert caught.value.check == check
