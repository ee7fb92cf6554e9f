"""Steps that find the servers and look at them: addresses, names, TLS, the chain download."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from usbprov.checks import Verdict
from usbprov.engine.checks.inquiry import Inquiry
from usbprov.engine.checks.sequence import Seen, StepFailed
from usbprov.engine.job import known
from usbprov.errors import (
    DiscoveryError,
    PhoneDistrusts,
    RegistrarError,
    RegistrarNotFound,
    RegistrarTimeout,
    RegistrarUnreachable,
    ServerTimeout,
    ServerUnreachable,
    UsbprovError,
)
from usbprov.pki.certificates import shown_name, thumbprint
from usbprov.pki.findings import Trouble
from usbprov.pki.validation import Verifier
from usbprov.webservices.discovery.findings import Severity
from usbprov.webservices.discovery.report import Discovery, DiscoveryRequest, SourceReport
from usbprov.webservices.trust.download import anonymous_url
from usbprov.webservices.trust.servers import (
    Role,
    Server,
    ServerAddress,
    registrar_address,
    web_services_address,
)
from usbprov.webservices.urls import service_url

if TYPE_CHECKING:
    from cryptography import x509

T = TypeVar("T")

_DIGITS = 16


def discovery(of: Inquiry) -> Seen:
    """Find the servers; nobody is asked for what was given.

    Raises:
        StepFailed: Nobody names one of them. What was found is noted all the same.
        UsageError: What was given cannot be used.
    """
    if of.web_services_url:
        _take_url(of, service_url(of.web_services_url), vouched=True)
    if of.given_registrar:
        of.registrar_address = registrar_address(of.given_registrar)
    if of.url and of.registrar_address:
        return Seen("both servers were given; nobody was asked")
    return _ask(of, DiscoveryRequest(of.user, None, of.web_services_url, of.given_registrar))


def _ask(of: Inquiry, request: DiscoveryRequest) -> Seen:
    found = of.network.discover(request)
    said = tuple(line for report in found.sources for line in _said(report))
    if found.web_services_url:
        _take_url(of, found.web_services_url, vouched=found.vouched)
    if found.registrar:
        of.registrar_address = registrar_address(found.registrar)
    try:
        found.require()
    except DiscoveryError as error:
        raise StepFailed(error, detail=said) from None
    if of.registrar_address is None:
        raise StepFailed(RegistrarNotFound(found.asked), detail=said)
    return _found(of, found, said)


def _found(of: Inquiry, found: Discovery, said: tuple[str, ...]) -> Seen:
    words = f"Web Services {of.url}, because {found.why}; Registrar {of.registrar_address}"
    faults = [fault for fault in found.all_findings() if fault.severity is not Severity.NOTE]
    if not faults:
        return Seen(words, said)
    worst, told = faults[0].meaning, tuple(str(fault) for fault in faults)
    return Seen(words, (*said, *told), Verdict.NOTE, worst.cause, worst.remedy)


def _take_url(of: Inquiry, url: str, *, vouched: bool) -> None:
    of.url, of.vouched, of.web_address = url, vouched, web_services_address(url)


def _said(report: SourceReport) -> Iterable[str]:
    return (f"{report.source.value}: {line}" for line in report.said)


def name_of(which: str) -> Callable[[Inquiry], Seen]:
    """Return a step that resolves a server's name.

    Args:
        which: The inquiry's attribute with its address.
    """

    def look(of: Inquiry) -> Seen:
        role, host = getattr(of, which).role, getattr(of, which).host
        addresses = _of_its_role(role, lambda: of.network.addresses(host))
        same = addresses == (host,)
        return Seen(f"{host} is an address" if same else f"{host} is {', '.join(addresses)}")

    return look


def tls_of(which: str, verified: str) -> Callable[[Inquiry], Seen]:
    """Return a step that has a server present itself over TLS, and verifies it.

    Args:
        which: The inquiry's attribute with its address.
        verified: The attribute that takes the server if this computer trusts it.
    """

    def look(of: Inquiry) -> Seen:
        address: ServerAddress = getattr(of, which)
        server = _of_its_role(address.role, lambda: of.network.look_at(address))
        of.presented.append(server)
        if server.problem is not None:
            raise StepFailed(server.problem, detail=chain_lines(server))
        setattr(of, verified, server)
        return Seen(f"{address} proves its name to this computer", chain_lines(server))

    return look


def _of_its_role(role: Role, ask: Callable[[], T]) -> T:
    """Ask a server; that a Registrar is not reached is an error of its own.

    Raises:
        RegistrarError: A Registrar is not reached.
        ServiceError: Another server is not.
    """
    try:
        return ask()
    except ServerUnreachable as error:
        if role is not Role.REGISTRAR:
            raise
        failure: RegistrarError = RegistrarUnreachable(error.server, error.reason)
    except ServerTimeout as error:
        if role is not Role.REGISTRAR:
            raise
        failure = RegistrarTimeout(error.server, error.seconds)
    raise failure


def chain_lines(server: Server) -> tuple[str, ...]:
    """Describe what a server presents, a line a certificate; each is numbered from its own up."""
    return tuple(
        f"{depth}  {certificate_line(certificate)}"
        for depth, certificate in enumerate(server.chain)
    )


def certificate_line(certificate: "x509.Certificate") -> str:
    """Describe a certificate in a line that fits a terminal."""
    end = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    return f"{shown_name(certificate.subject)}, until {end}, {digest_words(certificate)}"


def digest_words(certificate: "x509.Certificate") -> str:
    """Write the beginning of a certificate's digest, enough to know it again."""
    return f"SHA-256 {thumbprint(certificate)[:_DIGITS]}…"


_NOT_GIVEN = (
    "The chain download does not give the root, or an intermediate, of the servers' certificates: "
    "TrustedCACerts or InferCertChainFromSSL of the Web Services are not set for it."
)
_GIVE_IT = (
    "Have the CA added on the server with New-CsWebTrustedCACertificate and "
    "Set-CsWebServiceConfiguration, or install it by the cable: usbprov trust install."
)


def chain_download(of: Inquiry) -> Seen:
    """Download the chain as a phone does, and judge by it what the servers presented.

    Raises:
        StepFailed: A phone that knows nothing else could not verify one of them.
    """
    source = of.network.download(of.chain_url or anonymous_url(known(of.url)))
    found = source.fetch()
    told = tuple(certificate_line(certificate) for certificate in found)
    verifier = Verifier(frozenset(found), datetime.now(UTC))
    for server in of.presented:
        verdict = verifier.judge(server.chain, server.address.host)
        missing = verdict.of(Trouble.MISSING, Trouble.INCOMPLETE)
        if missing:
            reason = f"the certificate of {missing[0].subject} is not in it"
            who = "a phone with nothing but the chain download"
            error: UsbprovError = PhoneDistrusts(str(server.address), reason, phone=who)
            raise StepFailed(error, cause=_NOT_GIVEN, remedy=_GIVE_IT, detail=told)
    leads = "; it verifies " + " and ".join(str(s.address) for s in of.presented)
    return Seen(f"{len(found)} certificates{leads if of.presented else ''}", told)
