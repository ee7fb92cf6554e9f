"""``check client-auth`` by Kerberos, against MIT's KDC, at both servers of the lab."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from check_desk import CheckDesk, check_desk
from kdc import Realm, realm

PASSWORD = "Canary-of-the-KDC"


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    with realm(tmp_path_factory.mktemp("realm")) as served:
        served.add_user("alice", PASSWORD)
        yield served


@pytest.fixture
def desk(
    kdc: Realm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[CheckDesk]:
    for name, value in kdc.variables.items():
        monkeypatch.setenv(name, value)
    kdc.sign_out()
    keytab = tmp_path / "both.keytab"
    keytab.write_bytes(_joined(kdc.keytab("HTTP/localhost"), kdc.keytab("sip/localhost")))
    with check_desk(tmp_path, keytab=keytab) as desk:
        desk.capture = capsys
        yield desk


def _joined(one: Path, other: Path) -> bytes:
    """Put two keytabs into one: a version of two bytes, then entries one after the other."""
    return one.read_bytes() + other.read_bytes()[2:]


@pytest.mark.parametrize("auth", [(), ("--auth", "kerberos"), ("--auth", "negotiate")])
def test_the_ticket_of_whoever_types_this(
    kdc: Realm, desk: CheckDesk, auth: tuple[str, ...]
) -> None:
    kdc.sign_in("alice", PASSWORD)
    told = desk.check("client-auth", "--user", desk.user().sip_uri, *auth, *desk.servers)
    assert told.code == 0, told.summary
    assert "Kerberos" in told.steps["account-sign-in"]["seen"]


def test_an_account_and_its_password(desk: CheckDesk) -> None:
    account = ("--user", desk.user().sip_uri, "--login", "alice@CONTOSO.TEST")
    with desk.secret("password", PASSWORD) as secret:
        options = ("--auth", "kerberos", *secret, *desk.servers)
        told = desk.check("client-auth", *account, *options)
    assert told.code == 0, told.summary
    assert PASSWORD not in str(told.document)


def test_without_a_ticket_nothing_is_tried(desk: CheckDesk) -> None:
    told = desk.check("client-auth", "--user", desk.user().sip_uri, *desk.servers)
    assert told.code == 2, told.summary
    assert told.of("bad") == ["ticket"]
