"""The sources: each is asked by one function, and reports what it said."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from usbprov.errors import ServiceError
from usbprov.net.deadline import TimeLimits
from usbprov.webservices.discovery import inform, option43, option120
from usbprov.webservices.discovery.explanation import is_within
from usbprov.webservices.discovery.findings import Finding, FindingKind
from usbprov.webservices.discovery.inform import Answer
from usbprov.webservices.discovery.interfaces import usable_interfaces
from usbprov.webservices.discovery.records import Names, SrvRecord, resolves
from usbprov.webservices.discovery.report import DiscoveryRequest, Outcome, Source, SourceReport
from usbprov.webservices.discovery.suboptions import TEXTS
from usbprov.webservices.urls import SERVICE_PATH, service_url

# ruff: noqa: PLC0415 - HTTP and XML are imported when they are used

NEAR_MISSES = ("ms-uc-client", "MS-UC-CLIENT", "Ms-Uc-Client", "MS-UC-Client ", "MSUCClient")
"""Vendor classes that administrators write by mistake; asked when the right one gets no 43."""

_QUICK = TimeLimits(connect=4.0, answer=8.0)

SRV_NAMES: Sequence[tuple[str, bool]] = (
    ("_sipinternaltls._tcp", True),
    ("_sipinternal._tcp", True),
    ("_sip._tls", False),
    ("_sip._tcp", False),
)
"""Asked in this order; whether it is the network inside that they speak of."""

HOST_NAMES: Sequence[tuple[str, int, bool]] = (
    ("sipinternal", 5061, True),
    ("sipexternal", 443, False),
    ("sip", 5061, False),
)
"""The fallback where there is no SRV record: name, port, whether it is inside (KB 2619522)."""


def ask_given(request: DiscoveryRequest) -> SourceReport:
    """Take what the command line says.

    Raises:
        UsageError: The URL cannot be used.
    """
    url = service_url(request.web_services_url) if request.web_services_url else None
    said = [f"Web Services {url}"] if url else []
    said += [f"Registrar {request.registrar}"] if request.registrar else []
    if not said:
        return SourceReport(Source.GIVEN, Outcome.SKIPPED, ("nothing was given",))
    return SourceReport(
        Source.GIVEN,
        Outcome.ANSWERED,
        tuple(said),
        url=url,
        vouched=True,
        registrar=request.registrar,
    )


def ask_dhcp(request: DiscoveryRequest, manner: inform.Manner | None = None) -> SourceReport:
    """Ask DHCP servers for options 43 and 120, as a phone does.

    Raises:
        UsageError: The interface cannot be used.
        DhcpNotPermitted: This user may not ask.
    """
    manner = manner or inform.DEFAULT_MANNER
    interfaces = usable_interfaces(request.interface)
    if not interfaces:
        return SourceReport(Source.DHCP, Outcome.SKIPPED, ("no interface has an IPv4 address",))
    answers = inform.ask(interfaces, (option43.UC_CLASS, option43.VLAN_CLASS), manner)
    if not answers:
        names = ", ".join(i.name or i.address for i in interfaces)
        silence = f"no server answered over {names} within {manner.patience:g} s"
        return SourceReport(Source.DHCP, Outcome.SILENT, (silence,))
    report = read_answers(answers)
    if any(finding.kind is FindingKind.NO_43 for finding in report.findings):
        near = inform.ask(interfaces, NEAR_MISSES, replace(manner, patience=manner.again))
        return _with_near_misses(report, near)
    return _with_resolvability(report)


def _with_resolvability(report: SourceReport) -> SourceReport:
    """Add to a report if the Registrar's name is not known here."""
    host = report.registrar
    if host is None or resolves(host):
        return report
    finding = Finding(FindingKind.NOT_RESOLVABLE, value=host)
    return replace(report, findings=(*report.findings, finding))


def read_answers(answers: Sequence[Answer]) -> SourceReport:
    """Read and compare what DHCP servers answered."""
    for_uc = [a for a in answers if a.vendor_class == option43.UC_CLASS]
    for_vlan = [a for a in answers if a.vendor_class == option43.VLAN_CLASS]
    said: list[str] = []
    findings: list[Finding] = list(_differences(for_uc))
    uc, registrars = [], []
    for answer in for_uc:
        reading, sip = _read_one(answer, findings)
        uc.append(reading)
        registrars += [sip.registrar] if sip and sip.registrar else []
        said.append(_said(answer, reading, sip))
    vlans = [option43.read(a.option43, option43.VLAN_CLASS) for a in for_vlan if a.option43]
    findings += [f for r in vlans for f in _vlan_findings(r)]
    said += [f"voice VLAN {r.vlan}" for r in vlans if r.vlan]
    url = next((r.url for r in uc if r and r.url), None)
    registrar = next(iter(registrars), None)
    return SourceReport(
        Source.DHCP,
        Outcome.ANSWERED if url or registrar else Outcome.FAILED,
        tuple(dict.fromkeys(said)),
        url=url,
        registrar=registrar,
        vlan=next((r.vlan for r in (*vlans, *uc) if r and r.vlan), None),
        findings=tuple(dict.fromkeys(findings)),
    )


def _read_one(
    answer: Answer, findings: list[Finding]
) -> tuple[option43.Reading | None, option120.Reading | None]:
    reading = option43.read(answer.option43) if answer.option43 is not None else None
    sip = option120.read(answer.option120) if answer.option120 is not None else None
    findings += [*(reading.findings if reading else ()), *(sip.findings if sip else ())]
    where = f"the DHCP server {answer.server}"
    if reading is None:
        findings.append(Finding(FindingKind.NO_43, where))
    elif sip is None:
        findings.append(Finding(FindingKind.NO_120, where))
    return reading, sip


def _said(answer: Answer, reading: option43.Reading | None, sip: option120.Reading | None) -> str:
    one = "no option 43" if reading is None else f"43: {reading.url or 'no usable URL'}"
    names = ", ".join((*sip.names, *sip.addresses)) if sip else ""
    other = "no option 120" if sip is None else f"120: {names or 'no usable name'}"
    return f"{answer.server} over {answer.interface or 'the network'}: {one}; {other}"


def _vlan_findings(reading: option43.Reading) -> Iterator[Finding]:
    """Judge an answer for the VLAN; what other phones may put there is no business of ours."""
    if set(reading.values) & set(TEXTS):
        yield Finding(FindingKind.MIXED_CLASSES, "what CPE-OCPHONE is given", option43.UC_CLASS)
    else:
        yield from (f for f in reading.findings if f.kind is FindingKind.VLAN_INVALID)


def _differences(answers: Sequence[Answer]) -> Iterator[Finding]:
    values = {(a.option43, a.option120): a.server for a in answers}
    if len(values) > 1:
        yield Finding(FindingKind.ANSWERS_DIFFER, value=", ".join(sorted(values.values())))


def _with_near_misses(report: SourceReport, answers: Sequence[Answer]) -> SourceReport:
    """Add to a report without option 43 which wrong vendor class does get one."""
    found = [a for a in answers if a.option43]
    findings = [f for a in found for f in option43.vendor_class_findings(a.vendor_class)]
    said = [f"{a.server} gives option 43 to the vendor class {a.vendor_class!r}" for a in found]
    return replace(
        report,
        said=(*report.said, *dict.fromkeys(said)),
        findings=tuple(dict.fromkeys([*report.findings, *findings])),
    )


def ask_dns(request: DiscoveryRequest) -> SourceReport:
    """Ask DNS for the Registrar of the SIP domain.

    DNS does not name the Web Services; where nobody else does, the Registrar's own name inside is
    worth trying, since small pools have both on one server.

    Raises:
        UsageError: The DNS server's address cannot be used.
    """
    domain = request.sip_domain
    if domain is None:
        return SourceReport(Source.DNS, Outcome.SKIPPED, ("no SIP domain is known",))
    names = Names(request.dns_server)
    said: list[str] = []
    findings: list[Finding] = []
    try:
        registrar, inside = _by_srv(names, domain, said, findings)
        if registrar is None:
            registrar, inside = _by_host_name(names, domain, said)
    except ServiceError as error:
        return SourceReport(Source.DNS, Outcome.FAILED, (*said, str(error)), error=error)
    if registrar is None:
        return SourceReport(Source.DNS, Outcome.SILENT, tuple(said), findings=tuple(findings))
    host = registrar.rpartition(":")[0]
    return SourceReport(
        Source.DNS,
        Outcome.ANSWERED,
        tuple(said),
        url=f"https://{host}{SERVICE_PATH}" if inside else None,
        guessed=True,
        registrar=registrar,
        findings=(*findings, *_unresolvable(names, host)),
    )


def _unresolvable(names: Names, host: str) -> Iterator[Finding]:
    try:
        known = bool(names.addresses(host))
    except ServiceError:
        known = False
    if not known:
        yield Finding(FindingKind.NOT_RESOLVABLE, value=host)


def _by_srv(
    names: Names, domain: str, said: list[str], findings: list[Finding]
) -> tuple[str | None, bool]:
    """Return the Registrar by the first SRV record that there is, and whether it is inside."""
    for service, inside in SRV_NAMES:
        name = f"{service}.{domain}"
        records = names.srv(name)
        said.append(f"{name}: {_records(records)}")
        findings += _srv_findings(name, records, domain)
        best = next((r for r in records if r.target), None)
        if best is not None:
            return f"{best.target}:{best.port}", inside
    return None, False


def _records(records: Sequence[SrvRecord]) -> str:
    return ", ".join(f"{r.target or '.'}:{r.port}" for r in records) or "no record"


def _srv_findings(name: str, records: Sequence[SrvRecord], domain: str) -> Iterator[Finding]:
    for record in records:
        if not record.target:
            yield Finding(FindingKind.SERVICE_DENIED, name)
        elif not is_within(record.target, domain):
            yield Finding(FindingKind.OTHER_DOMAIN, name, record.target)


def _by_host_name(names: Names, domain: str, said: list[str]) -> tuple[str | None, bool]:
    for label, port, inside in HOST_NAMES:
        name = f"{label}.{domain}"
        addresses = names.addresses(name)
        said.append(f"{name}: {', '.join(addresses) or 'no address'}")
        if addresses:
            return f"{name}:{port}", inside
    return None, False


def ask_autodiscover(request: DiscoveryRequest) -> SourceReport:
    """Ask LyncDiscover of the SIP domain.

    Raises:
        ConfigInvalid: The file of trust anchors cannot be used.
    """
    from usbprov.net.tls import tls_context
    from usbprov.webservices.discovery import autodiscover
    from usbprov.webservices.discovery.fetch import Fetcher

    domain = request.sip_domain
    if domain is None:
        return SourceReport(Source.AUTODISCOVER, Outcome.SKIPPED, ("no SIP domain is known",))
    trail = autodiscover.Trail()
    with Fetcher(tls_context(request.ca_file), _QUICK) as fetcher:
        for start in autodiscover.start_urls(domain, request.user):
            if autodiscover.follow(start, domain, fetcher.fetch, trail):
                break
    return SourceReport(
        Source.AUTODISCOVER,
        Outcome.ANSWERED if trail.url else Outcome.SILENT,
        tuple(trail.said),
        url=trail.url,
        vouched=trail.vouched,
        registrar=trail.registrar,
        findings=tuple(trail.findings),
    )


SOURCES: Mapping[Source, Callable[[DiscoveryRequest], SourceReport]] = {
    Source.GIVEN: ask_given,
    Source.DHCP: ask_dhcp,
    Source.DNS: ask_dns,
    Source.AUTODISCOVER: ask_autodiscover,
}
"""In the order in which they are asked, and in which they count."""
