"""``check client-auth`` against the lab: a Windows account at both servers, then a certificate."""

from collections.abc import Iterator

import pytest
from check_desk import CheckDesk, Told, check_desk

from usbprov.engine.checks.bootstrap import CLIENT_AUTH


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckDesk]:
    with check_desk(tmp_path_factory.mktemp("checks")) as desk:
        yield desk


@pytest.fixture
def desk(running: CheckDesk, capsys: pytest.CaptureFixture[str]) -> Iterator[CheckDesk]:
    running.capture = capsys
    yield running
    running.heal()


def client_auth(
    desk: CheckDesk, *more: str, name: str = "alice", password: str | None = None
) -> Told:
    user = desk.user(name)
    account = ("--user", user.sip_uri, "--login", rf"{user.domain}\{user.user_name}")
    with desk.secret("password", password or user.password) as secret:
        return desk.check("client-auth", *account, *secret, *desk.servers, *more)


@pytest.mark.parametrize("auth", [(), ("--auth", "ntlm")])
def test_all_is_well(desk: CheckDesk, auth: tuple[str, ...]) -> None:
    told = client_auth(desk, *auth)
    assert told.code == 0, told.summary
    assert list(told.steps) == [step.name for step in CLIENT_AUTH]
    assert told.of("note") == ["clean-up"]
    assert "NTLM" in told.steps["account-sign-in"]["seen"]
    assert "TLS-DSK" in told.steps["sign-in"]["seen"]


def test_a_wrong_password_is_not_tried_at_the_registrar(desk: CheckDesk) -> None:
    told = client_auth(desk, password="wrong-1")
    assert (told.code, told.error) == (7, "WEB-05"), told.summary
    assert told.steps["account-sign-in"]["seen"] == "not done: there is no Web ticket"
    assert "wrong-1" not in str(told.document)


def test_the_account_of_another_user(desk: CheckDesk) -> None:
    user, bob = desk.user(), desk.user("bob")
    account = ("--user", user.sip_uri, "--login", rf"{bob.domain}\{bob.user_name}")
    with desk.secret("password", bob.password) as secret:
        told = desk.check("client-auth", *account, *secret, *desk.servers)
    assert told.code == 7, told.summary
    assert told.of("bad") == ["ticket"]


@pytest.mark.parametrize(
    ("fault", "code", "error", "step"),
    [
        ("auth-off=windows", 4, "WEB-08", "offer"),
        ("dsk-off", 4, "SIP-09", "challenge"),
        ("store-unreachable", 5, "WEB-09", "publish"),
        ("certificate-not-found", 7, "SIP-05", "sign-in"),
    ],
)
def test_the_first_step_that_fails(
    desk: CheckDesk, fault: str, code: int, error: str, step: str
) -> None:
    desk.fault(fault)
    told = client_auth(desk)
    assert (told.code, told.error) == (code, error), told.summary
    assert told.of("bad")[0] == step, told.summary


def test_an_account_needs_a_user(desk: CheckDesk) -> None:
    assert desk.run("check", "client-auth", "--login", "CONTOSO\\alice")[0] == 2
