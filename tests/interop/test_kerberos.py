"""Kerberos against MIT's KDC. Its passwords are not the lab's, so NTLM cannot pass for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kdc import Realm, realm
from processes import Ended, Station, station, wait_for

from usbprov.errors import CredentialRefused, NotOffered, ServerUnreachable, UsageError
from usbprov.lab.up import Lab, LabOptions
from usbprov.net import kerberos
from usbprov.net.credentials import Way, WindowsCredential
from usbprov.phone.endpoint import Endpoint
from usbprov.webservices.client import WebServices

ENDPOINT = Endpoint("2ebb6f264f")
ALICE = "sip:alice@contoso.test"
PASSWORD = "Canary-of-the-KDC"
NTLM_PASSWORD = "Lab-Alice-1"


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Realm]:
    with realm(tmp_path_factory.mktemp("realm")) as served:
        served.add_user("alice", PASSWORD)
        served.add_user("mallory", PASSWORD)
        yield served


@pytest.fixture(scope="module")
def keytab(kdc: Realm) -> Path:
    return kdc.keytab("HTTP/localhost")


@pytest.fixture(scope="module")
def lab(kdc: Realm, keytab: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in kdc.variables.items():
            patch.setenv(name, value)
        with Lab(LabOptions(dir=tmp_path_factory.mktemp("lab"), keytab=keytab)) as running:
            yield running


@pytest.fixture(autouse=True)
def _in_the_realm(kdc: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in kdc.variables.items():
        monkeypatch.setenv(name, value)
    kdc.sign_out()


@pytest.fixture
def services(lab: Lab) -> Iterator[WebServices]:
    with WebServices(lab.facts.web_services_url, ca_file=lab.facts.ca_file) as services:
        yield services


def user(
    way: Way, password: str = PASSWORD, login: str = "alice@CONTOSO.TEST"
) -> WindowsCredential:
    return WindowsCredential(way, login, password)


@pytest.mark.parametrize("way", [Way.KERBEROS, Way.NEGOTIATE])
@pytest.mark.parametrize("login", ["alice@CONTOSO.TEST", "alice@contoso.test"])
def test_account_and_password_earn_a_ticket(services: WebServices, way: Way, login: str) -> None:
    assert services.ticket(user(way, login=login), ENDPOINT, None).sip_uri == ALICE


@pytest.mark.parametrize("way", [Way.KERBEROS, Way.NEGOTIATE])
def test_ticket_of_who_has_signed_in_needs_no_password(
    kdc: Realm, services: WebServices, way: Way
) -> None:
    assert not kerberos.has_ticket()
    kdc.sign_in("alice", PASSWORD)
    assert kerberos.has_ticket()
    assert services.ticket(WindowsCredential(way), ENDPOINT, ALICE).sip_uri == ALICE


def test_nobody_has_signed_in(services: WebServices) -> None:
    for way in (Way.KERBEROS, Way.NEGOTIATE):
        with pytest.raises(UsageError, match=r"no Kerberos ticket .* run kinit") as caught:
            services.ticket(WindowsCredential(way), ENDPOINT, None)
        assert caught.value.__context__ is None


def test_what_was_missing_may_be_supplied(kdc: Realm, services: WebServices) -> None:
    with pytest.raises(UsageError):
        services.ticket(WindowsCredential(Way.KERBEROS), ENDPOINT, None)
    kdc.sign_in("alice", PASSWORD)
    assert services.ticket(WindowsCredential(Way.KERBEROS), ENDPOINT, None).sip_uri == ALICE


@pytest.mark.parametrize("way", [Way.KERBEROS, Way.NEGOTIATE])
def test_wrong_password_is_tried_once_and_not_by_ntlm(
    kdc: Realm, lab: Lab, services: WebServices, way: Way
) -> None:
    before = len(kdc.asked("PREAUTH_FAILED"))
    # It is the right one for NTLM: had it been tried so too, this would not fail.
    with pytest.raises(CredentialRefused, match=r"the Kerberos KDC of CONTOSO.TEST") as caught:
        services.ticket(user(way, NTLM_PASSWORD), ENDPOINT, None)
    assert NTLM_PASSWORD not in str(caught.value)
    with pytest.raises(CredentialRefused, match="not sent again"):
        services.ticket(user(way, NTLM_PASSWORD), ENDPOINT, None)
    wait_for(lambda: len(kdc.asked("PREAUTH_FAILED")) > before, "the KDC's log")
    assert len(kdc.asked("PREAUTH_FAILED")) == before + 1


def test_account_that_the_kdc_does_not_know(services: WebServices) -> None:
    with pytest.raises(CredentialRefused, match="not found in Kerberos database"):
        services.ticket(user(Way.KERBEROS, login="nobody@CONTOSO.TEST"), ENDPOINT, None)


def test_account_that_the_web_services_do_not_know(services: WebServices) -> None:
    with pytest.raises(CredentialRefused) as caught:
        services.ticket(user(Way.KERBEROS, login="mallory@CONTOSO.TEST"), ENDPOINT, None)
    assert caught.value.error_id == 28020


@pytest.mark.parametrize("login", ["alice", "CONTOSO\\alice", "@CONTOSO.TEST", "alice@"])
def test_account_without_a_realm_is_no_kerberos_account(services: WebServices, login: str) -> None:
    with pytest.raises(UsageError, match="user@REALM"):
        services.ticket(user(Way.KERBEROS, login=login), ENDPOINT, None)


def test_negotiate_is_ntlm_for_an_account_without_a_realm(services: WebServices) -> None:
    credential = user(Way.NEGOTIATE, NTLM_PASSWORD, "CONTOSO\\alice")
    assert services.ticket(credential, ENDPOINT, None).sip_uri == ALICE


def test_negotiate_is_ntlm_where_no_kdc_is_found(services: WebServices) -> None:
    with pytest.raises(CredentialRefused, match="No valid security token"):  # by the lab, that is
        services.ticket(user(Way.NEGOTIATE, login="alice@elsewhere.test"), ENDPOINT, None)


def test_realm_without_a_kdc_is_told(services: WebServices) -> None:
    with pytest.raises(ServerUnreachable, match=r"the Kerberos KDC of ELSEWHERE.TEST"):
        services.ticket(user(Way.KERBEROS, login="alice@elsewhere.test"), ENDPOINT, None)


def test_service_that_the_kdc_does_not_know(kdc: Realm) -> None:
    kdc.sign_in("alice", PASSWORD)
    cache = kdc.variables["KRB5CCNAME"]
    with pytest.raises(NotOffered, match=r"HTTP/elsewhere.test") as caught:
        kerberos.begin(cache, "HTTP", "elsewhere.test", "elsewhere.test", None)
    assert caught.value.__context__ is None


def test_ticket_that_has_expired_is_told(kdc: Realm, services: WebServices) -> None:
    kdc.sign_in("alice", PASSWORD, lifetime="1s")

    def message() -> str:
        try:
            kerberos.begin(kdc.variables["KRB5CCNAME"], "HTTP", "localhost", "localhost", None)
        except UsageError as error:
            return str(error)
        return ""

    assert "has expired: run kinit" in wait_for(message, "the end of a ticket's life")


def test_password_leaves_no_ticket_behind(kdc: Realm, services: WebServices) -> None:
    with kerberos.credential_cache("alice@CONTOSO.TEST", PASSWORD) as name:
        assert name.startswith("MEMORY:")
    with pytest.raises(CredentialRefused, match="No credentials cache"):
        kerberos.begin(name, "HTTP", "localhost", "localhost", None)
    assert not kerberos.has_ticket()


def test_without_the_extra_it_is_told(
    services: WebServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kerberos, "_LIBRARIES", ("no_such_library",))
    assert not kerberos.has_ticket()
    with pytest.raises(UsageError, match=r"the extra usbprov\[kerberos\]"):
        services.ticket(user(Way.KERBEROS), ENDPOINT, None)


# --- the whole job


@pytest.fixture
def at(kdc: Realm, keytab: Path, tmp_path: Path) -> Iterator[Station]:
    with station(tmp_path, phones=2, options=["--keytab", str(keytab)]) as running:
        running.variables.update(kdc.variables)
        yield running


def provision(at: Station, *arguments: str, typed: str = "") -> Ended:
    servers = ["--web-services-url", at.facts["web_services_url"], "--ca-file", at.facts["ca_file"]]
    return at.run("provision", *servers, "--json", *arguments, typed=typed)


def test_kerberos_provisions_phones(kdc: Realm, at: Station) -> None:
    login = ["--login", "alice@contoso.test", "--password-stdin"]
    first = provision(at, "1-1", "--auth", "kerberos", *login, typed=f"{PASSWORD}\n")
    assert first.code == 0, first.err
    assert first.document["user"] == ALICE

    nobody = provision(at, "1-2", "--dry-run")
    assert nobody.code == 2
    assert "there is no Kerberos ticket" in nobody.document["error"]["message"]
    kdc.sign_in("alice", PASSWORD)
    plan = provision(at, "1-2", "--dry-run").document["plan"]
    assert plan[0]["intent"].startswith("Web ticket by Kerberos, because neither")
    second = provision(at, "1-2")
    assert second.code == 0, second.err
    assert second.document["user"] == ALICE
    assert len(at.published()) == 2
