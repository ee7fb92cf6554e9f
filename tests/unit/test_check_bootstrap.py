"""``check phone-bootstrap`` and ``check client-auth`` step by step, with servers in memory."""

from collections.abc import Sequence

import pytest
from doubles.network import REGISTRAR, URL, MemoryNetwork
from doubles.services import HOST, MemoryServices

from usbprov.checks import CheckResult, Verdict, first_error
from usbprov.engine.checks import enrolment
from usbprov.engine.checks.bootstrap import CLIENT_AUTH, PHONE_BOOTSTRAP, Steps
from usbprov.engine.checks.inquiry import FACTS, TEST_ENDPOINT, Inquiry
from usbprov.engine.checks.sequence import run_steps
from usbprov.engine.diagnosis.table.publishing import STORE_SPORADIC
from usbprov.engine.order import CredentialOrder
from usbprov.engine.retry import RetryPolicy
from usbprov.errors import (
    AccountNotAccepted,
    CertificateNotAccepted,
    CredentialRefused,
    HandshakeFailed,
    SchemeNotOffered,
    ServerTimeout,
    ServerUnreachable,
    StoreUnreachable,
    UsbprovError,
    WrongUser,
)
from usbprov.net.credentials import Way, WindowsCredential
from usbprov.webservices.discovery.report import (
    Discovery,
    DiscoveryRequest,
    Outcome,
    Source,
    SourceReport,
)

ALICE = "sip:alice@contoso.test"
PIN = "canary-77"
AT_ONCE = RetryPolicy(attempts=3, first_wait=0)


class Desk:
    """Takes the steps, and counts how often the secret was asked for."""

    def __init__(self, steps: Steps = PHONE_BOOTSTRAP, way: Way = Way.PIN) -> None:
        self.network = MemoryNetwork()
        self.steps = steps
        self.asked = 0
        self.inquiry = Inquiry(
            self.network,
            web_services_url=URL,
            given_registrar=REGISTRAR,
            proof=CredentialOrder((way,), "1001"),
            secret=self._secret,
        )

    def _secret(self) -> str:
        self.asked += 1
        return PIN

    def run(self) -> dict[str, CheckResult]:
        self.told: list[CheckResult] = []
        results = run_steps(self.steps, self.inquiry, FACTS, self.told.append)
        return {result.name: result for result in results}

    def verdicts(self) -> dict[str, str]:
        return {name: result.verdict.value for name, result in self.run().items()}

    def error(self) -> UsbprovError:
        error = first_error(self.run().values())
        assert error is not None
        return error


@pytest.fixture
def desk() -> Desk:
    return Desk()


def not_done(results: dict[str, CheckResult]) -> Sequence[str]:
    return [name for name, result in results.items() if result.verdict is Verdict.UNKNOWN]


def test_all_is_well(desk: Desk) -> None:
    seen = desk.run()
    verdicts = {result.verdict for name, result in seen.items() if name != "clean-up"}
    assert verdicts == {Verdict.GOOD}
    assert seen["clean-up"].verdict is Verdict.NOTE
    assert desk.asked == 1
    assert ALICE in seen["ticket"].seen
    assert "TLS 1.2" in seen["sign-in"].detail[-1]
    assert desk.network.sip.endpoints == [TEST_ENDPOINT, TEST_ENDPOINT]
    assert all(PIN not in repr(result) for result in seen.values())
    assert PIN not in repr(desk.inquiry)


def test_the_names_of_the_steps_stay() -> None:
    assert [step.name for step in PHONE_BOOTSTRAP] == [
        "discovery", "web-services-name", "web-services-tls", "registrar-name", "registrar-tls",
        "chain-download", "offer", "ticket", "key", "publish", "check", "challenge", "sign-in",
        "sign-out", "clean-up",
    ]  # fmt: skip
    assert [step.name for step in CLIENT_AUTH] == [
        "discovery", "web-services-name", "web-services-tls", "registrar-name", "registrar-tls",
        "offer", "ticket", "challenge", "account-sign-in", "key", "publish", "check", "sign-in",
        "sign-out", "clean-up",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "error", "lost"),
    [
        (
            "ticket",
            CredentialRefused(HOST, "no"),
            ["key", "publish", "check", "challenge", "sign-in", "sign-out", "clean-up"],
        ),
        (
            "ticket",
            WrongUser(HOST, ALICE, "sip:bob@contoso.test"),
            ["key", "publish", "check", "challenge", "sign-in", "sign-out", "clean-up"],
        ),
        (
            "publish",
            StoreUnreachable(HOST, "down"),
            ["check", "sign-in", "sign-out", "clean-up"],
        ),
    ],
)
def test_what_fails_at_the_web_services(
    desk: Desk,
    call: str,
    error: UsbprovError,
    lost: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(enrolment, "RETRIES", AT_ONCE)
    desk.network.web.errors[call] = [error] * AT_ONCE.attempts
    seen = desk.run()
    assert first_error(seen.values()) is error
    assert seen[call].code == error.code
    assert not_done(seen) == lost
    assert desk.asked == 1


def test_a_store_that_comes_and_goes_is_told_and_borne(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolment, "RETRIES", AT_ONCE)
    desk.network.web.errors["publish"] = [StoreUnreachable(HOST, "down")]
    seen = desk.run()
    assert first_error(seen.values()) is None
    assert seen["publish"].verdict is Verdict.NOTE
    assert "at attempt 2" in seen["publish"].seen
    assert seen["publish"].cause == STORE_SPORADIC.says
    assert desk.asked == 1


def test_a_certificate_for_another_key_is_no_way_to_sign_in(desk: Desk) -> None:
    desk.network.web.certify_other_key = True
    seen = desk.run()
    assert seen["check"].code == "CHK-01"
    assert "another key" in seen["check"].seen
    assert not_done(seen) == ["sign-in", "sign-out"]
    assert "sign_in" not in desk.network.sip.calls


def test_a_certificate_that_the_registrar_does_not_know(desk: Desk) -> None:
    desk.network.sip.errors["sign_in"] = [CertificateNotAccepted(HOST, "Final handshake failed.")]
    seen = desk.run()
    assert seen["sign-in"].code == "SIP-05"
    assert "a moment ago" in seen["sign-in"].cause
    assert "certprov.log" in seen["sign-in"].remedy
    assert not_done(seen) == ["sign-out"]
    assert seen["clean-up"].verdict is Verdict.NOTE


def test_a_registrar_without_certificates_is_found_before_the_sign_in(desk: Desk) -> None:
    desk.network.sip.schemes = ("NTLM",)
    desk.inquiry.user = ALICE
    seen = desk.run()
    assert seen["challenge"].code == "SIP-09"
    assert "NTLM" in seen["challenge"].seen


def test_a_registrar_of_another_pool_is_told(desk: Desk) -> None:
    desk.network.sip.certificate_service = "https://other.contoso.test/CertProv/x.svc"
    assert desk.verdicts()["challenge"] == "note"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServerUnreachable(REGISTRAR, "it refuses the connection"), "SIP-01"),
        (ServerTimeout(REGISTRAR, 3), "SIP-02"),
        (HandshakeFailed(REGISTRAR, "wrong version number"), "TLS-04"),
    ],
)
def test_a_registrar_that_is_not_reached_leaves_the_web_services(
    desk: Desk, error: UsbprovError, code: str
) -> None:
    desk.network.refusals[REGISTRAR] = error
    seen = desk.run()
    assert seen["registrar-tls"].code == code
    assert seen["publish"].verdict is Verdict.GOOD
    assert not_done(seen) == ["challenge", "sign-in", "sign-out"]


def test_web_services_that_are_not_trusted_get_no_pin(desk: Desk) -> None:
    desk.network.refusals[f"{HOST}:443"] = HandshakeFailed(HOST, "no")
    seen = desk.run()
    assert seen["ticket"].seen == ("not done: there is no verified connection to the Web Services")
    assert desk.asked == 0
    assert desk.network.web.calls == []


def test_a_name_that_is_not_known(desk: Desk) -> None:
    desk.network.unknown = frozenset({HOST})
    seen = desk.run()
    assert seen["web-services-name"].code == "WEB-01"
    assert seen["registrar-name"].code == "SIP-01"


def test_a_download_without_the_servers_root(desk: Desk) -> None:
    desk.network.web.downloaded = ()
    seen = desk.run()
    assert seen["chain-download"].code == "TLS-05"
    assert "Memory Root" in seen["chain-download"].seen
    assert "New-CsWebTrustedCACertificate" in seen["chain-download"].remedy
    assert seen["sign-in"].verdict is Verdict.GOOD


def test_a_way_that_is_not_offered(desk: Desk) -> None:
    desk.network.web = OnlyPasswords()
    seen = desk.run()
    assert seen["offer"].code == "WEB-08"
    assert desk.asked == 0


class OnlyPasswords(MemoryServices):
    def choose(self, ways):
        from usbprov.errors import NotOffered

        raise NotOffered(HOST, "sign-in by pin")


def test_an_unconfirmed_sign_out_is_told(desk: Desk) -> None:
    desk.network.sip.signed_out = False
    seen = desk.run()
    assert seen["sign-out"].verdict is Verdict.NOTE
    assert "7200 s" in seen["sign-out"].seen


def test_a_redirect_is_told(desk: Desk) -> None:
    desk.network.sip.redirects = ("old.contoso.test",)
    assert desk.run()["sign-in"].detail[0] == "sent on by old.contoso.test"


# --- who names the servers


def report(source: Source, **said: object) -> SourceReport:
    return SourceReport(source, Outcome.ANSWERED, ("said",), **said)  # type: ignore[arg-type]


def finds(desk: Desk, *reports: SourceReport, chosen: SourceReport | None) -> None:
    def found(request: DiscoveryRequest) -> Discovery:
        return Discovery(request, reports, {}, chosen, "it is right")

    desk.network.found = found
    desk.inquiry.web_services_url = desk.inquiry.given_registrar = None


def test_what_was_given_is_not_asked_for(desk: Desk) -> None:
    desk.run()
    assert "discover" not in desk.network.asked


def test_a_url_that_nobody_vouches_for_gets_no_pin(desk: Desk) -> None:
    dhcp = report(Source.DHCP, url=URL, registrar=HOST)
    finds(desk, dhcp, chosen=dhcp)
    seen = desk.run()
    assert seen["discovery"].verdict is Verdict.GOOD
    assert "vouches" in seen["ticket"].seen
    assert seen["ticket"].code == "CLI-01"
    assert desk.asked == 0


def test_nobody_names_the_registrar(desk: Desk) -> None:
    named = report(Source.AUTODISCOVER, url=URL, vouched=True)
    finds(desk, named, chosen=named)
    seen = desk.run()
    assert seen["discovery"].code == "DIS-04"
    assert seen["publish"].verdict is Verdict.GOOD
    assert seen["registrar-tls"].seen == "not done: there is no address of the Registrar"


def test_nobody_names_anything(desk: Desk) -> None:
    finds(desk, chosen=None)
    seen = desk.run()
    assert seen["discovery"].code == "DIS-01"
    assert {r.verdict for n, r in seen.items() if n != "discovery"} == {Verdict.UNKNOWN}


# --- client-auth


def test_the_account_signs_in_at_both_servers() -> None:
    desk = Desk(CLIENT_AUTH, Way.NTLM)
    seen = desk.run()
    assert {r.verdict for n, r in seen.items() if n != "clean-up"} == {Verdict.GOOD}
    assert desk.network.sip.calls == ["challenge", "account", "sign_in"]
    assert desk.network.sip.credentials[0] == WindowsCredential(Way.NTLM, "1001", PIN)
    assert desk.asked == 1


def test_an_account_that_was_refused_is_not_tried_at_the_registrar() -> None:
    desk = Desk(CLIENT_AUTH, Way.NTLM)
    desk.inquiry.user = ALICE
    desk.network.web.errors["ticket"] = [CredentialRefused(HOST, "no")]
    seen = desk.run()
    assert seen["account-sign-in"].seen == "not done: there is no Web ticket"
    assert desk.network.sip.calls == ["challenge"]


def test_a_registrar_that_takes_no_accounts() -> None:
    desk = Desk(CLIENT_AUTH, Way.NTLM)
    desk.network.sip.errors["account"] = [SchemeNotOffered(HOST, "NTLM", "TLS-DSK")]
    result = desk.run()["account-sign-in"]
    assert result.code == "SIP-09"
    assert "UseNtlmForClientToProxyAuth" in result.remedy


def test_an_account_that_only_the_registrar_refuses() -> None:
    desk = Desk(CLIENT_AUTH, Way.NTLM)
    desk.network.sip.errors["account"] = [AccountNotAccepted(HOST, "no")]
    seen = desk.run()
    assert seen["account-sign-in"].code == "SIP-06"
    assert seen["sign-in"].verdict is Verdict.GOOD
