"""``check phone`` step by step, with a phone in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from doubles.phone import MemoryPhone
from doubles.services import HOST, KEY, ROOT, SERVER, certify

from usbprov.checks import CheckResult, Verdict
from usbprov.engine.checks.phone import PHONE, PHONE_FACTS, PhoneCheck
from usbprov.engine.checks.sequence import run_steps
from usbprov.errors import PhoneGone
from usbprov.phone.contract import Capability, Credential, KeyState, PhoneSettings
from usbprov.pki.certificates import thumbprint, to_der
from usbprov.pki.keys import key_digest
from usbprov.pki.limits import ChainLimits, SignatureKind
from usbprov.webservices.trust.servers import Role, Server, ServerAddress

SETTINGS = PhoneSettings("sip:alice@contoso.test", f"https://{HOST}/x", HOST)
WEB = Server(ServerAddress(Role.WEB_SERVICES, HOST, 443), (SERVER,))


@pytest.fixture
def phone() -> MemoryPhone:
    """A phone that holds a certificate of Alice."""
    phone = MemoryPhone(settings=SETTINGS)
    give(phone)
    return phone


def give(phone: MemoryPhone, days: float = 180, subject: str = "alice@contoso.test") -> None:
    phone.keys[key_digest(KEY.public_key())] = KEY
    phone.slot = replace(phone.slot, pending_key=KeyState(key_digest(KEY.public_key()), bytes(16)))
    certificate = certify("Services", KEY, subject, KEY.public_key(), days=days)
    phone.install(0, Credential(to_der(certificate)), SETTINGS, lambda _: None)
    phone.calls.clear()


def check(phone: MemoryPhone, servers: Sequence[Server] = ()) -> dict[str, CheckResult]:
    results = run_steps(PHONE, PhoneCheck(phone, lambda: servers), PHONE_FACTS, lambda _: None)
    return {result.name: result for result in results}


def test_all_is_well_and_nothing_is_written(phone: MemoryPhone) -> None:
    phone.add_root(to_der(ROOT))
    phone.calls.clear()
    seen = check(phone, [WEB])
    assert {result.verdict for result in seen.values()} == {Verdict.GOOD}
    assert set(phone.calls) <= {"info", "read", "read_root"}
    assert seen["configuration"].detail[0] == "user: sip:alice@contoso.test"


@pytest.mark.parametrize(
    ("off", "verdict"),
    [(0, "good"), (29, "good"), (-60, "note"), (60, "note"), (400, "bad"), (-400, "bad")],
)
def test_the_clock(phone: MemoryPhone, off: float, verdict: str) -> None:
    phone.clock = datetime.now(UTC) + timedelta(seconds=off)
    result = check(phone)["clock"]
    assert result.verdict == verdict
    if verdict != "good":
        assert ("ahead" if off > 0 else "behind") in result.seen
        assert result.remedy


def test_a_phone_without_a_clock(phone: MemoryPhone) -> None:
    phone.clock = None
    assert check(phone)["clock"].verdict is Verdict.NOTE


def test_a_root_that_the_phone_lacks(phone: MemoryPhone) -> None:
    result = check(phone, [WEB])["roots"]
    assert result.code == "TLS-05"
    assert "Memory Root" in result.seen
    assert "usbprov trust install" in result.remedy


def test_an_algorithm_that_the_phone_lacks(phone: MemoryPhone) -> None:
    phone.add_root(to_der(ROOT))
    phone.limits = ChainLimits(frozenset({SignatureKind.RSA_SHA1}), 2048)
    assert check(phone, [WEB])["roots"].code == "TLS-06"


def test_a_clock_by_which_the_server_is_not_valid_yet(phone: MemoryPhone) -> None:
    phone.add_root(to_der(ROOT))
    phone.clock = datetime(2009, 1, 1, tzinfo=UTC)
    result = check(phone, [WEB])["roots"]
    assert result.code == "TLS-03"
    assert "clock" in result.cause


def test_no_servers_no_judgement(phone: MemoryPhone) -> None:
    assert check(phone)["roots"].verdict is Verdict.NOTE
    phone.capabilities -= {Capability.TRUST_STORE}
    assert "no store" in check(phone)["roots"].seen


def test_a_key_that_waits(phone: MemoryPhone) -> None:
    phone.slot = replace(phone.slot, pending_key=KeyState("0" * 64, bytes(16)))
    result = check(phone)["slots"]
    assert result.verdict is Verdict.NOTE
    assert "waits" in result.seen
    assert result.detail == ("slot 0: a certificate in use, a key in use, a key that waits",)


@pytest.mark.parametrize(
    ("days", "subject", "problem"),
    [(0.001, "alice@contoso.test", "not valid now"), (9, "bob@contoso.test", "bob@contoso.test")],
)
def test_a_certificate_that_cannot_be_used(
    phone: MemoryPhone, days: float, subject: str, problem: str
) -> None:
    give(phone, days, subject)
    result = check(phone)["certificate"]
    assert result.code == "CHK-06"
    assert problem in result.seen


def test_a_certificate_for_another_key(phone: MemoryPhone) -> None:
    phone.slot = replace(phone.slot, active_key=KeyState("0" * 64, bytes(16)))
    assert "another key" in check(phone)["certificate"].seen


def test_a_phone_that_was_never_provisioned() -> None:
    seen = check(MemoryPhone())
    assert seen["certificate"].verdict is Verdict.NOTE
    assert seen["configuration"].seen == "without user, Web Services, Registrar"


def test_a_phone_that_does_not_answer() -> None:
    seen = check(MemoryPhone(fail_at="info"))
    assert seen["identity"].code == PhoneGone.code
    assert seen["slots"].seen == "not done: there is no answer of the phone"


def test_old_firmware(phone: MemoryPhone, monkeypatch: pytest.MonkeyPatch) -> None:
    old = replace(phone.info(), model="CX700", firmware="1.0.522.101")
    monkeypatch.setattr(phone, "info", lambda: old)
    result = check(phone)["firmware"]
    assert result.verdict is Verdict.BAD
    assert "401" in result.seen


def test_the_server_names_what_it_presented(phone: MemoryPhone) -> None:
    detail = check(phone, [WEB])["roots"].detail
    assert thumbprint(SERVER)[:16] in detail[0]
