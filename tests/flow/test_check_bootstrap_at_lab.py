"""``check phone-bootstrap`` against the lab: what passes, and every step that can fail."""

from collections.abc import Iterator

import pytest
from check_desk import CheckDesk, check_desk

from usbprov.engine.checks.bootstrap import PHONE_BOOTSTRAP
from usbprov.lab.store import published


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CheckDesk]:
    with check_desk(tmp_path_factory.mktemp("checks")) as desk:
        yield desk


@pytest.fixture
def desk(running: CheckDesk, capsys: pytest.CaptureFixture[str]) -> Iterator[CheckDesk]:
    running.capture = capsys
    yield running
    running.heal()


def test_all_is_well(desk: CheckDesk) -> None:
    user = desk.user()
    told = desk.bootstrap("--user", user.sip_uri)
    assert told.code == 0, told.summary
    assert list(told.steps) == [step.name for step in PHONE_BOOTSTRAP]
    assert told.of("note") == ["clean-up"]
    assert told.of("bad") == told.of("unknown") == []
    assert told.document["user"] == user.sip_uri
    assert len(told.steps["web-services-tls"]["detail"]) == 2


def test_a_repeated_check_leaves_one_certificate(desk: CheckDesk) -> None:
    told = [desk.bootstrap(name="bob") for _ in range(2)]
    assert [one.code for one in told] == [0, 0]
    bob = desk.user("bob").sip_uri
    left = [entry for entry in published(desk.folder / "lab") if entry.sip_uri == bob]
    assert len(left) == 1
    assert str(left[0].device_id) in told[1].steps["clean-up"]["detail"][0]


def test_a_wrong_pin(desk: CheckDesk) -> None:
    told = desk.bootstrap(pin="000000")
    assert (told.code, told.error) == (7, "WEB-05"), told.summary
    assert told.of("bad") == ["ticket"]
    assert told.of("unknown") == [
        "key", "publish", "check", "challenge", "sign-in", "sign-out", "clean-up",
    ]  # fmt: skip


def test_the_extension_of_another_user(desk: CheckDesk) -> None:
    """The lab refuses it outright; a server that does not is found by its ticket's user."""
    told = desk.bootstrap("--user", desk.user("bob").sip_uri)
    assert told.code == 7, told.summary
    assert told.of("bad") == ["ticket"]


@pytest.mark.parametrize(
    ("faults", "code", "error", "step"),
    [
        (["store-unreachable"], 5, "WEB-09", "publish"),
        (["pin-locked"], 7, "WEB-12", "ticket"),
        (["auth-off=pin"], 4, "WEB-08", "offer"),
        (["unknown-root"], 6, "TLS-01", "web-services-tls"),
        (["expired-server-cert"], 6, "TLS-03", "web-services-tls"),
        (["wrong-name"], 6, "TLS-02", "web-services-tls"),
        (["chain-download-off"], 4, "WEB-04", "chain-download"),
        (["wrong-key"], 8, "CHK-01", "check"),
        (["expired-cert"], 8, "CHK-01", "check"),
        (["dsk-off"], 4, "SIP-09", "challenge"),
        (["certificate-not-found"], 7, "SIP-05", "sign-in"),
        (["user-disabled"], 4, "SIP-08", "sign-in"),
        (["user-unknown"], 4, "SIP-07", "sign-in"),
        (["registrar-wrong-key"], 8, "SIP-10", "sign-in"),
        (["unsigned-200"], 8, "SIP-10", "sign-in"),
        (["wrong-finished"], 8, "SIP-10", "sign-in"),
        (["redirect-endless"], 4, "SIP-12", "sign-in"),
        (["registrar-busy"], 5, "SIP-03", "challenge"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_the_first_step_that_fails(
    desk: CheckDesk, faults: list[str], code: int, error: str, step: str
) -> None:
    desk.fault(*faults)
    told = desk.bootstrap()
    assert (told.code, told.error) == (code, error), told.summary
    assert told.of("bad")[0] == step, told.summary
    assert told.steps[step]["code"] == error
    assert told.steps[step]["cause"]
    assert told.steps[step]["remedy"]


def test_a_registrar_that_is_down(desk: CheckDesk) -> None:
    desk.fault("registrar-down")
    told = desk.bootstrap()
    assert (told.code, told.error) == (5, "SIP-01"), told.summary
    assert told.of("bad") == ["registrar-tls", "publish"]
    assert told.steps["publish"]["code"] == "WEB-11"
    assert told.of("unknown") == ["check", "challenge", "sign-in", "sign-out", "clean-up"]


def test_a_user_whose_home_is_another_pool_is_followed(desk: CheckDesk) -> None:
    desk.fault("home-pool-moved")
    told = desk.bootstrap()
    assert told.code == 0, told.summary
    assert told.steps["sign-in"]["detail"][0] == f"sent on by {desk.lab.facts.registrar}"


def test_the_pin_stands_nowhere(desk: CheckDesk) -> None:
    pin = desk.user("carol").pin
    for more in ([], ["--user", desk.user().sip_uri]):
        told = desk.bootstrap(*more, name="carol")
        assert pin not in str(told.document)


def test_what_a_person_sees(desk: CheckDesk) -> None:
    user = desk.user()
    with desk.secret("pin", user.pin) as secret:
        arguments = ("--extension", user.extension, *secret, *desk.servers)
        code, out, err = desk.run("check", "phone-bootstrap", *arguments)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("✓ discovery")
    assert f"{user.sip_uri} can sign in." in out
    with desk.secret("pin", "000000") as secret:
        arguments = ("--extension", user.extension, *secret, *desk.servers)
        code, out, err = desk.run("check", "phone-bootstrap", *arguments)
    assert code == 7
    assert "✗ ticket" in out
    assert "likely cause:" in out
    assert "error WEB-05" in err
    assert "likely cause:" not in err
