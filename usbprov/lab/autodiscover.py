"""LyncDiscover: where a client learns its server that knows only the user's SIP address.

Over plain HTTP it redirects to HTTPS; there it names the address of the user step, which wants a
Web ticket without proof key in ``X-MS-WebTicket``.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import quote

from lxml import etree

from usbprov.lab.metadata import Endpoints
from usbprov.lab.soap import Fault, SoapFault, parse
from usbprov.lab.tickets import Ticket, Tickets
from usbprov.lab.times import Clock

MEDIA_TYPE = "application/vnd.microsoft.rtc.autodiscover+xml; v=1"
TICKET_HEADER = "X-MS-WebTicket"

_SIP_URI = re.compile(r"(sip:)?[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,255}", re.ASCII)
_ROLES = (
    "SipServerInternalAccess",
    "SipClientInternalAccess",
    "SipServerExternalAccess",
    "SipClientExternalAccess",
)


@dataclass(frozen=True)
class Autodiscover:
    """Answers both steps.

    Attributes:
        endpoints: The URLs.
        registrar: ``host:port`` of the Registrar that users are sent to.
        tickets: Opens the ticket of the user step.
        clock: The server's time.
    """

    endpoints: Endpoints
    registrar: str
    tickets: Tickets
    clock: Clock

    def redirect(self, sip_uri: str) -> bytes:
        """Say that the answer is elsewhere: over HTTPS."""
        return _root("Redirect", self.endpoints.autodiscover + _query(sip_uri))

    def root(self, sip_uri: str) -> bytes:
        """Say where a user is told his servers."""
        return _root("User", self.endpoints.autodiscover_user + _query(sip_uri))

    def user(self, header: str) -> bytes:
        """Tell a user his Registrar.

        Args:
            header: The value of ``X-MS-WebTicket``: ``opaque=`` and the assertion in base64.

        Raises:
            SoapFault: There is no ticket, or it is not valid here and now.
        """
        self._open(header)
        host, _, port = self.registrar.rpartition(":")
        document = _document()
        user = etree.SubElement(document, "User")
        for role in _ROLES:
            etree.SubElement(user, role, fqdn=host, port=port)
        for token, url in (
            ("Internal/Autodiscover", self.endpoints.autodiscover),
            ("Internal/AuthBroker", self.endpoints.webticket),
            ("CertProvisioning", self.endpoints.certprov),
        ):
            etree.SubElement(user, "Link", token=token, href=url)
        return _encode(document)

    def _open(self, header: str) -> Ticket:
        name, _, value = header.partition("=")
        try:
            content = base64.b64decode(value, validate=True) if name.strip() == "opaque" else b""
        except (binascii.Error, ValueError):
            content = b""
        if not content:
            raise SoapFault(Fault.FAILED_AUTHENTICATION, "no ticket")
        return self.tickets.open(parse(content), self.clock(), self.endpoints.autodiscover_user)


def _root(token: str, url: str) -> bytes:
    document = _document()
    etree.SubElement(etree.SubElement(document, "Root"), "Link", token=token, href=url)
    return _encode(document)


def _query(sip_uri: str) -> str:
    """Return the query that repeats the user, if what was asked for may be a user."""
    return f"?sipuri={quote(sip_uri, safe='@')}" if _SIP_URI.fullmatch(sip_uri) else ""


def _document() -> etree._Element:
    return etree.Element("AutodiscoverResponse", AccessLocation="Internal")


def _encode(document: etree._Element) -> bytes:
    return etree.tostring(document, xml_declaration=True, encoding="utf-8")
