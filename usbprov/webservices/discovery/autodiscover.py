"""LyncDiscover: from the user's SIP domain, over HTTP(S), to the Web Services (no I/O of its own).

The first document names a ``Redirect`` or the ``User`` service; that asks for a Web ticket, and
says in ``X-MS-WebTicketURL`` where one is to be had: on the Web Services (``protocol.md`` 1.2).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urljoin, urlsplit

from usbprov.errors import AnswerInvalid, ServiceError, TrustError
from usbprov.webservices.discovery.explanation import is_within
from usbprov.webservices.discovery.findings import Finding, FindingKind
from usbprov.webservices.session import Answer
from usbprov.webservices.urls import SERVICE_PATH, checked, host_of
from usbprov.webservices.xmlsafe import XmlDocument, descendants, parse

HOSTS = ("LyncDiscoverInternal", "LyncDiscover")
SCHEMES = ("https", "http")
_TICKET_HEADER = "X-MS-WebTicketURL"
_MOST_STEPS = 6
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

Get = Callable[[str], Answer]


@dataclass
class Trail:
    """What was asked and said on the way.

    Attributes:
        said: One line a step.
        findings: What is odd.
        url: Of the certificate service, once it is known.
        registrar: ``host:port``, if a ``User`` document was given.
        vouched: Whether every step but the name itself was proved by a certificate.
    """

    said: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    url: str | None = None
    registrar: str | None = None
    vouched: bool = False


def start_urls(domain: str, user: str | None) -> Iterator[str]:
    """Yield what is asked, in order: the name inside before the one outside, HTTPS before HTTP."""
    query = f"/?sipuri={quote(user.removeprefix('sip:'), safe='@')}" if user else "/"
    for host in HOSTS:
        for scheme in SCHEMES:
            yield f"{scheme}://{host}.{domain}{query}"


def follow(start: str, domain: str, get: Get, trail: Trail) -> bool:
    """Follow one first address to its end; tell whether it led to the Web Services.

    Args:
        start: From ``start_urls``.
        domain: The SIP domain. What is led to over plain HTTP must be in it.
        get: Fetches a document, without following redirects.
        trail: Takes what is learnt.
    """
    url, vouched = start, start.startswith("https:")
    for _ in range(_MOST_STEPS):
        try:
            answer = get(url)
            step = _next(answer, trail)
        except (ServiceError, TrustError) as error:
            trail.said.append(f"{_brief(url)}: {error}")
            return False
        target = host_of(step or trail.url or "")
        if not vouched and not is_within(target, domain):
            trail.findings.append(Finding(FindingKind.UNVOUCHED_REDIRECT, _brief(url), target))
            trail.url = trail.registrar = None
            return False
        if step is None:
            trail.vouched = vouched
            return trail.url is not None
        vouched = vouched or is_within(host_of(step), domain)
        url = step
    trail.said.append(f"{_brief(url)}: redirects without end")
    return False


def _next(answer: Answer, trail: Trail) -> str | None:
    """Return where to go on, or None where the trail has come to its end."""
    brief = _brief(answer.url)
    if answer.status == 401:
        _take_ticket_url(answer, trail)
        return None
    if answer.status in _REDIRECTS:
        target = checked(_location(answer), "", told_by=answer.server)
        trail.said.append(f"{brief}: HTTP {answer.status} to {_brief(target)}")
        return target
    if answer.status != 200:
        raise AnswerInvalid(answer.server, f"HTTP {answer.status} {answer.phrase}".rstrip())
    document = parse(answer.body, answer.server)
    for token in ("Redirect", "User"):
        href = _link(document, token)
        if href is not None:
            target = checked(href, "", told_by=answer.server)
            trail.said.append(f"{brief}: {token} {_brief(target)}")
            return target
    _take_user(document, answer, trail)
    return None


def _location(answer: Answer) -> str:
    location = answer.headers.get("Location", "")
    try:
        return urljoin(answer.url, location)
    except ValueError:
        return location


def _take_ticket_url(answer: Answer, trail: Trail) -> None:
    told = answer.headers.get(_TICKET_HEADER, "")
    if not told:
        raise AnswerInvalid(answer.server, f"HTTP 401 without {_TICKET_HEADER}")
    ticket = checked(told.strip(), "", told_by=answer.server)
    trail.said.append(f"{_brief(answer.url)}: tickets at {ticket[:200]}")
    trail.url = _service_beside(ticket)


def _take_user(document: XmlDocument, answer: Answer, trail: Trail) -> None:
    """Read a ``User`` document: it has the Registrar; the Web Services are where it came from."""
    inside = next(descendants(document.root, "SipClientInternalAccess"), None)
    if inside is None or not answer.url.startswith("https:"):
        raise AnswerInvalid(answer.server, "it names neither a redirect nor the user's services")
    host, port = inside.get("fqdn", "").strip(), inside.get("port", "").strip()
    if host:
        trail.registrar = f"{host}:{port}" if port.isdigit() else host
    trail.said.append(f"{_brief(answer.url)}: Registrar {trail.registrar or 'not named'}")
    trail.url = _service_beside(answer.url)


def _link(document: XmlDocument, token: str) -> str | None:
    for link in descendants(document.root, "Link"):
        if link.get("token", "") == token and link.get("href"):
            return link.get("href", "").strip()
    return None


def _service_beside(url: str) -> str:
    """Return the certificate service on the host of another service of the same web site."""
    return f"https://{urlsplit(url).netloc}{SERVICE_PATH}"


def _brief(url: str) -> str:
    """Write a URL without its query, which has the user's address."""
    return urlsplit(url)._replace(query="", fragment="").geturl()[:200]
