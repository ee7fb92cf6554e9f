"""LyncDiscover is followed step by step, and never where it must not lead."""

from collections.abc import Mapping

import pytest

from usbprov.errors import ServerUnreachable
from usbprov.webservices.discovery.autodiscover import Trail, follow, start_urls
from usbprov.webservices.discovery.findings import FindingKind
from usbprov.webservices.session import Answer

DOMAIN = "contoso.com"
SECURE = "https://LyncDiscover.contoso.com/?sipuri=alice@contoso.com"
PLAIN = SECURE.replace("https:", "http:")
USER = "https://web.contoso.com/Autodiscover/AutodiscoverService.svc/root/user"
TICKET = "https://web.contoso.com/WebTicket/WebTicketService.svc"
URL = "https://web.contoso.com/CertProv/CertProvisioningService.svc"
Pages = Mapping[str, Answer]


def document(token: str, href: str) -> bytes:
    return (
        '<AutodiscoverResponse AccessLocation="Internal"><Root>'
        f'<Link token="Domain" href="https://x/"/><Link token="{token}" href="{href}"/>'
        "</Root></AutodiscoverResponse>"
    ).encode()


def page(url: str, body: bytes = b"", status: int = 200, **headers: str) -> dict[str, Answer]:
    return {url: Answer(url, status, {n.replace("_", "-"): v for n, v in headers.items()}, body)}


def ticket_page(url: str = USER, ticket: str = TICKET) -> dict[str, Answer]:
    return page(url, status=401, X_MS_WebTicketURL=ticket)


def walk(pages: Pages, start: str = SECURE) -> tuple[bool, Trail]:
    def get(url: str) -> Answer:
        if url not in pages:
            raise ServerUnreachable(url, "the name is not known")
        return pages[url]

    trail = Trail()
    return follow(start, DOMAIN, get, trail), trail


def test_what_is_asked_first() -> None:
    assert list(start_urls(DOMAIN, "sip:alice@contoso.com")) == [
        "https://LyncDiscoverInternal.contoso.com/?sipuri=alice@contoso.com",
        "http://LyncDiscoverInternal.contoso.com/?sipuri=alice@contoso.com",
        SECURE,
        PLAIN,
    ]
    assert next(start_urls(DOMAIN, None)) == "https://LyncDiscoverInternal.contoso.com/"
    assert next(start_urls(DOMAIN, "a&b=#@x")).endswith("/?sipuri=a%26b%3D%23@x")


def test_the_user_service_tells_where_tickets_are() -> None:
    found, trail = walk(page(SECURE, document("User", USER)) | ticket_page())
    assert found
    assert (trail.url, trail.vouched) == (URL, True)
    assert len(trail.said) == 2
    assert "alice" not in "".join(trail.said)


def test_redirects_are_followed() -> None:
    elsewhere = "https://lyncdiscover.hosted.example/x"
    pages = (
        page(SECURE, document("Redirect", elsewhere))
        | page(elsewhere, status=302, Location="/y")
        | page("https://lyncdiscover.hosted.example/y", document("User", USER))
        | ticket_page()
    )
    found, trail = walk(pages)
    assert found
    assert trail.vouched


def test_plain_http_may_lead_into_the_own_domain() -> None:
    found, trail = walk(page(PLAIN, document("User", USER)) | ticket_page(), PLAIN)
    assert found
    assert trail.vouched, "the second step was proved by a certificate of the domain"


@pytest.mark.parametrize("target", ["https://web.evil.example/x", "https://evilcontoso.com/x"])
def test_plain_http_leads_nowhere_else(target: str) -> None:
    found, trail = walk(page(PLAIN, document("User", target)) | ticket_page(target), PLAIN)
    assert not found
    assert trail.url is None
    assert [f.kind for f in trail.findings] == [FindingKind.UNVOUCHED_REDIRECT]


def test_plain_http_cannot_name_the_services_elsewhere_outright() -> None:
    found, trail = walk(ticket_page(PLAIN, "https://evil.example/WebTicket/x"), PLAIN)
    assert not found
    assert trail.url is None


def test_a_name_in_the_domain_by_plain_http_is_taken_but_not_vouched_for() -> None:
    found, trail = walk(ticket_page(PLAIN), PLAIN)
    assert found
    assert (trail.url, trail.vouched) == (URL, False)


@pytest.mark.parametrize(
    "pages",
    [
        {},
        page(SECURE, status=500),
        page(SECURE, status=404),
        page(SECURE, b"<html>"),
        page(SECURE, b"<!DOCTYPE x><x/>"),
        page(SECURE, b"<x/>"),
        page(SECURE, document("User", "http://web.contoso.com/user")),
        page(SECURE, document("User", "javascript:alert(1)")),
        page(SECURE, document("User", "https://[::1")),
        page(SECURE, document("Redirect", SECURE.replace("&", "&amp;"))),
        page(SECURE, status=302),
        page(SECURE, status=302, Location="http://web.contoso.com/"),
        page(SECURE, status=401),
        page(SECURE, status=401, X_MS_WebTicketURL="http://web.contoso.com/WebTicket"),
    ],
)
def test_dead_ends(pages: Pages) -> None:
    found, trail = walk(pages)
    assert not found
    assert trail.url is None
    assert trail.said


def test_a_user_document_without_a_ticket() -> None:
    body = (
        b'<AutodiscoverResponse><User><SipClientInternalAccess fqdn=" pool.contoso.com" '
        b'port="443"/></User></AutodiscoverResponse>'
    )
    found, trail = walk(page(SECURE, document("User", USER)) | page(USER, body))
    assert found
    assert (trail.url, trail.registrar) == (URL, "pool.contoso.com:443")
