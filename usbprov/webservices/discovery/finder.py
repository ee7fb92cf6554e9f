"""Discovery: every source is asked, what they say is compared, and one answer is taken."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from usbprov.errors import DhcpNotPermitted, ServiceError
from usbprov.webservices.discovery.findings import Finding, FindingKind
from usbprov.webservices.discovery.report import (
    WORDS,
    Check,
    Discovery,
    DiscoveryRequest,
    Outcome,
    Source,
    SourceReport,
    same_service,
)
from usbprov.webservices.discovery.sources import SOURCES
from usbprov.webservices.urls import host_of

logger = logging.getLogger(__name__)

Ask = Callable[[DiscoveryRequest], SourceReport]
Told = Callable[[SourceReport], None]


def discover(
    request: DiscoveryRequest,
    told: Told = lambda _: None,
    sources: Mapping[Source, Ask] = SOURCES,
) -> Discovery:
    """Find the Web Services, and say what every source said.

    The sources are asked in their order: given by option, DHCP, DNS, LyncDiscover. The first URL
    at which the service answers and proves who it is is taken; if there is none, the first one
    that somebody names outright. A URL that only follows from the Registrar's name is taken only
    if the service answers there.

    Args:
        request: What is to be found, and by what means.
        told: Is called with each source's report as it comes.
        sources: How each source is asked.

    Raises:
        UsageError: What was given cannot be used.
    """
    reports: list[SourceReport] = []
    checks: dict[str, Check] = {}
    for source, ask in sources.items():
        report = _report(source, ask, request)
        reports.append(report)
        told(report)
        holds = any(check.holds for check in checks.values())
        if report.url and report.url not in checks and not (report.guessed and holds):
            checks[report.url] = _check(report.url, request)
        if request.first_only and any(check.holds for check in checks.values()):
            break
    chosen, why = choose(reports, checks)
    findings = tuple(contradictions(reports, checks))
    kept = {u: c for u, c in checks.items() if c.holds or not _only_guessed(u, reports)}
    return Discovery(request, tuple(reports), kept, chosen, why, findings)


def _report(source: Source, ask: Ask, request: DiscoveryRequest) -> SourceReport:
    if source not in request.sources:
        return SourceReport(source, Outcome.SKIPPED, ("switched off",))
    began = time.monotonic()
    try:
        report = ask(request)
    except DhcpNotPermitted as error:
        report = SourceReport(source, Outcome.SKIPPED, (str(error),), error=error)
    except ServiceError as error:
        report = SourceReport(source, Outcome.FAILED, (str(error),), error=error)
    ms = round((time.monotonic() - began) * 1000)
    logger.debug("%s: %s, %d ms", source.value, report.outcome.value, ms)
    return replace(report, ms=ms)


def _check(url: str, request: DiscoveryRequest) -> Check:
    from usbprov.webservices.discovery.check import check  # noqa: PLC0415 - zeep's weight

    return check(url, request.ca_file, request.site)


def choose(
    reports: Sequence[SourceReport], checks: Mapping[str, Check]
) -> tuple[SourceReport | None, str]:
    """Return the report whose URL is taken, and why; what was given outright always counts."""
    named = [r for r in reports if r.url]
    given = next((r for r in named if r.source is Source.GIVEN), None)
    if given is not None:
        return given, "it was given"
    for report in named:
        check = checks.get(report.url or "")
        if check is not None and check.holds:
            return report, _why(report, "the service answers there")
    outright = next((r for r in named if not r.guessed), None)
    if outright is None:
        return None, "no source names the Web Services"
    return outright, _why(outright, "nobody names one that answers as it should")


def _why(report: SourceReport, rest: str) -> str:
    how = "follows from the Registrar that" if report.guessed else "is what"
    return f"it {how} {WORDS[report.source]} names, and {rest}"


def contradictions(
    reports: Sequence[SourceReport], checks: Mapping[str, Check]
) -> Iterator[Finding]:
    """Compare what the sources say of the same thing."""
    urls = [(r, r.url) for r in reports if r.url and not r.guessed]
    yield from _disagreements(urls, same_service)
    registrars = [(r, r.registrar) for r in reports if r.registrar]
    yield from _disagreements(registrars, _same_host)
    for report in reports:
        check = checks.get(report.url or "")
        if check is not None and not check.holds and _is_pool_name(report):
            yield Finding(FindingKind.POOL_NAME, value=report.registrar or "")


def _is_pool_name(report: SourceReport) -> bool:
    """Tell whether somebody names one host for both; only small pools have both on one."""
    named = bool(report.url and report.registrar and not report.guessed)
    return named and _same_host(host_of(report.url or ""), report.registrar or "")


def _disagreements(
    said: Sequence[tuple[SourceReport, str]], same: Callable[[str, str], bool]
) -> Iterator[Finding]:
    for at, (one, first) in enumerate(said):
        for other, second in said[at + 1 :]:
            if not same(first, second):
                who = f"{WORDS[one.source]} and {WORDS[other.source]}"
                yield Finding(FindingKind.SOURCES_DISAGREE, who, f"{first}, {second}")


def _same_host(one: str, other: str) -> bool:
    return one.partition(":")[0].lower() == other.partition(":")[0].lower()


def _only_guessed(url: str, reports: Sequence[SourceReport]) -> bool:
    return all(r.guessed for r in reports if r.url == url)
