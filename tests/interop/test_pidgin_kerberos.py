"""Debian's pidgin-sipe with a Kerberos ticket. MIT's KDC has passwords that the lab has not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kdc import Realm, realm
from pidgin import VERIFIED, Account, Program, build, client
from processes import Station, station

from usbprov.lab.registrar.signins import sign_ins

PASSWORD = "Canary-of-the-KDC"
ALICE = Account("alice@contoso.test", "")
"""No login and no password: the client takes the ticket that its user has."""


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    with realm(tmp_path_factory.mktemp("realm")) as served:
        served.add_user("alice", PASSWORD)
        served.sign_in("alice", PASSWORD)
        yield served


@pytest.fixture(scope="module")
def at(kdc: Realm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    keytab = kdc.keytab("HTTP/localhost", "sip/localhost")
    folder = tmp_path_factory.mktemp("station")
    with station(folder, phones=0, options=["--keytab", str(keytab)]) as running:
        yield running


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return build(tmp_path_factory.mktemp("pidgin"))


@pytest.mark.parametrize(
    ("authentication", "scheme", "service"),
    [("tls-dsk", "TLS-DSK", "HTTP/localhost"), ("krb5", "Kerberos", "sip/localhost")],
)
def test_it_signs_in(
    kdc: Realm,
    at: Station,
    program: Program,
    tmp_path: Path,
    authentication: str,
    scheme: str,
    service: str,
) -> None:
    before = len(sign_ins(at.folder / "lab"))
    at_lab = {"server": at.facts["registrar"], "ca_file": at.facts["ca_file"]}
    home = tmp_path / "client"
    with client(program, home, ALICE, authentication, **at_lab, **kdc.variables) as pidgin:
        assert pidgin.outcome() == "connected", pidgin.log
    assert VERIFIED in pidgin.log
    (sign_in,) = sign_ins(at.folder / "lab")[before:]
    assert (sign_in.sip_uri, sign_in.scheme) == ("sip:alice@contoso.test", scheme)
    assert kdc.asked("TGS_REQ", f"alice@CONTOSO.TEST for {service}@CONTOSO.TEST")
