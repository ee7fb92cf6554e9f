"""Which answer is taken and why, what contradicts what, and what happens without rights."""

from collections.abc import Mapping

import pytest

from usbprov.errors import (
    AnswerInvalid,
    DhcpNotPermitted,
    NothingFound,
    ServerUnreachable,
    UsageError,
)
from usbprov.webservices.discovery import finder
from usbprov.webservices.discovery.findings import FindingKind
from usbprov.webservices.discovery.inform import Answer
from usbprov.webservices.discovery.option43 import encode, encode_vlan, uc_values
from usbprov.webservices.discovery.option120 import encode as encode120
from usbprov.webservices.discovery.report import (
    Check,
    Discovery,
    DiscoveryRequest,
    Outcome,
    Source,
    SourceReport,
)
from usbprov.webservices.discovery.sources import SOURCES, ask_dns, ask_given, read_answers

ONE, TWO, THREE = (f"https://{n}.contoso.com/CertProv/CertProvisioningService.svc" for n in "abc")
REFUSED = ServerUnreachable("a.contoso.com", "it refuses the connection")


def told(source: Source, url: str | None = None, **facts: object) -> SourceReport:
    outcome = Outcome.ANSWERED if url or facts else Outcome.SILENT
    return SourceReport(source, outcome, url=url, **facts)


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch):
    def find(*reports: SourceReport, holding: tuple[str, ...] = (), **asked: object) -> Discovery:
        def check(url: str, _: DiscoveryRequest) -> Check:
            return Check(url, "", None if url in holding else REFUSED)

        monkeypatch.setattr(finder, "_check", check)
        sources = {report.source: (lambda _, r=report: r) for report in reports}
        return finder.discover(DiscoveryRequest(**asked), sources=sources)

    return find


def kinds(found: Discovery) -> list[FindingKind]:
    return [finding.kind for finding in found.all_findings()]


def test_the_first_that_holds_is_taken(find) -> None:
    found = find(
        told(Source.DHCP, ONE),
        told(Source.DNS, TWO),
        told(Source.AUTODISCOVER, THREE),
        holding=(TWO, THREE),
    )
    assert found.web_services_url == TWO
    assert found.usable
    assert "DNS" in found.why


def test_what_is_given_counts_even_if_it_does_not_hold(find) -> None:
    found = find(told(Source.GIVEN, ONE, vouched=True), told(Source.DHCP, TWO), holding=(TWO,))
    assert (found.web_services_url, found.usable, found.vouched) == (ONE, False, True)
    assert kinds(found) == [FindingKind.SOURCES_DISAGREE]


def test_a_name_that_does_not_hold_is_better_than_none(find) -> None:
    found = find(told(Source.DHCP, ONE), told(Source.DNS, TWO, guessed=True))
    assert (found.require(), found.usable, found.vouched) == (ONE, False, False)


def test_a_guess_must_hold(find) -> None:
    guess = told(Source.DNS, ONE, guessed=True)
    assert find(guess, holding=(ONE,)).web_services_url == ONE
    nothing = find(guess)
    assert nothing.web_services_url is None
    assert nothing.checks == {}
    with pytest.raises(NothingFound, match="DNS"):
        nothing.require()


def test_a_guess_is_not_tried_where_something_holds(find) -> None:
    found = find(told(Source.DHCP, ONE), told(Source.DNS, TWO, guessed=True), holding=(ONE, TWO))
    assert list(found.checks) == [ONE]


def test_one_answer_is_enough_where_that_is_asked(find) -> None:
    reports = (told(Source.DHCP, ONE), told(Source.DNS, TWO))
    assert len(find(*reports, holding=(ONE,), first_only=True).sources) == 1
    assert len(find(*reports, holding=(TWO,), first_only=True).sources) == 2


def test_sources_that_disagree(find) -> None:
    found = find(
        told(Source.DHCP, ONE, registrar="pool.contoso.com"),
        told(Source.DNS, registrar="old.contoso.com:5061"),
        told(
            Source.AUTODISCOVER,
            ONE.replace("/Cert", ":443/Cert", 1),
            registrar="Pool.Contoso.com:443",
        ),
        holding=(ONE,),
    )
    disagreeing = [f for f in found.findings if f.kind is FindingKind.SOURCES_DISAGREE]
    assert [f.where for f in disagreeing] == ["DHCP and DNS", "DNS and LyncDiscover"]
    assert found.registrar == "pool.contoso.com:5061"


@pytest.mark.parametrize(("holding", "expected"), [((), [FindingKind.POOL_NAME]), ((ONE,), [])])
def test_one_name_for_both_is_odd_only_if_it_does_not_hold(find, holding, expected) -> None:
    assert (
        kinds(find(told(Source.DHCP, ONE, registrar="a.contoso.com"), holding=holding)) == expected
    )


def test_switched_off(find) -> None:
    found = find(told(Source.DHCP, ONE), sources=frozenset({Source.DNS}))
    assert [report.outcome for report in found.sources] == [Outcome.SKIPPED]


def refuse(_: DiscoveryRequest) -> SourceReport:
    raise DhcpNotPermitted("UDP port 68 needs root")


def test_without_rights_the_rest_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finder, "_check", lambda url, _: Check(url, ""))
    sources = {Source.DHCP: refuse, Source.DNS: lambda _: told(Source.DNS, ONE)}
    found = finder.discover(DiscoveryRequest(), sources=sources)
    assert found.require() == ONE
    assert found.sources[0].outcome is Outcome.SKIPPED
    assert "needs root" in found.sources[0].said[0]


def test_without_rights_and_without_anything_else() -> None:
    request = DiscoveryRequest(sources=frozenset({Source.GIVEN, Source.DHCP}))
    sources = {Source.GIVEN: ask_given, Source.DHCP: refuse}
    with pytest.raises(DhcpNotPermitted):
        finder.discover(request, sources=sources).require()


def test_a_source_that_fails_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: DiscoveryRequest) -> SourceReport:
        raise AnswerInvalid("dns", "REFUSED")

    monkeypatch.setattr(finder, "_check", lambda url, _: Check(url, ""))
    sources = {Source.DNS: broken, Source.AUTODISCOVER: lambda _: told(Source.AUTODISCOVER, ONE)}
    found = finder.discover(DiscoveryRequest(), sources=sources)
    assert [report.outcome for report in found.sources] == [Outcome.FAILED, Outcome.ANSWERED]
    assert found.require() == ONE


def test_what_was_given_is_normalised() -> None:
    report = ask_given(DiscoveryRequest(web_services_url="https://a.contoso.com/"))
    assert report.url == ONE
    assert ask_given(DiscoveryRequest()).outcome is Outcome.SKIPPED
    with pytest.raises(UsageError):
        ask_given(DiscoveryRequest(web_services_url="http://a.contoso.com/"))


@pytest.mark.parametrize("source", [Source.DNS, Source.AUTODISCOVER])
def test_without_a_domain_there_is_nothing_to_ask(source: Source) -> None:
    assert SOURCES[source](DiscoveryRequest()).outcome is Outcome.SKIPPED


@pytest.mark.parametrize(
    ("request_", "domain"),
    [
        (DiscoveryRequest(user="sip:alice@Contoso.com"), "contoso.com"),
        (DiscoveryRequest(user="sip:alice@a.com", domain="b.com."), "b.com"),
        (DiscoveryRequest(), None),
    ],
)
def test_the_sip_domain(request_: DiscoveryRequest, domain: str | None) -> None:
    assert request_.sip_domain == domain


@pytest.mark.parametrize("server", ["127.0.0.1:x", "127.0.0.1:0", "no such host"])
def test_a_dns_server_that_cannot_be_asked(server: str) -> None:
    with pytest.raises(UsageError, match="--dns-server"):
        ask_dns(DiscoveryRequest(domain="contoso.com", dns_server=server))


WEB43 = encode(uc_values("web.contoso.com"))
POOL120 = encode120("pool.contoso.com")


def dhcp(
    vendor_class: str = "MS-UC-Client",
    option43: bytes | None = WEB43,
    option120: bytes | None = POOL120,
    server: str = "192.0.2.1",
) -> Answer:
    return Answer(vendor_class, "eth0", server, option43, option120)


def test_right_dhcp_answers() -> None:
    report = read_answers([dhcp(), dhcp("CPE-OCPHONE", encode_vlan(100))])
    assert report.outcome is Outcome.ANSWERED
    assert (report.registrar, report.vlan, report.findings) == ("pool.contoso.com", 100, ())
    assert report.url == "https://web.contoso.com:443/CertProv/CertProvisioningService.svc"


ANSWERS: Mapping[str, tuple[list[Answer], FindingKind]] = {
    "no 43": ([dhcp(option43=None)], FindingKind.NO_43),
    "no 120": ([dhcp(option120=None)], FindingKind.NO_120),
    "mixed": ([dhcp(), dhcp("CPE-OCPHONE")], FindingKind.MIXED_CLASSES),
    "differ": ([dhcp(), dhcp(option43=b"", server="192.0.2.2")], FindingKind.ANSWERS_DIFFER),
    "vlan": ([dhcp(), dhcp("CPE-OCPHONE", b"\x0a\x02\xff\xff")], FindingKind.VLAN_INVALID),
}


@pytest.mark.parametrize(("answers", "kind"), ANSWERS.values(), ids=ANSWERS)
def test_odd_dhcp_answers(answers: list[Answer], kind: FindingKind) -> None:
    assert kind in {finding.kind for finding in read_answers(answers).findings}


def test_what_other_phones_are_given_is_no_fault() -> None:
    other = dhcp("CPE-OCPHONE", b"\x01\x04\x0a\0\0\x01")
    assert FindingKind.VLAN_INVALID not in {f.kind for f in read_answers([dhcp(), other]).findings}
