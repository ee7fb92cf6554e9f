"""The services' metadata: which ports there are, where, and what a ticket must be able to do.

A WSDL document with WS-Policy, from ``<service>/mex``. Only local names count: prefixes, and the
version of WS-SecurityPolicy, differ between servers ([MS-OCAUTHWS] 1.5; ``protocol.md`` 3, 13).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from lxml import etree

from usbprov.errors import NotOffered
from usbprov.webservices.urls import checked, host_of
from usbprov.webservices.xmlsafe import XmlDocument, children, descendants, find_path, text_of

PUBLISH_PORT = "CertProvisioningServiceWebTicketProof_SHA1"
"""The port that takes a ticket with proof of possession and signs certificates."""

_XML_ID = "Id"
_ISSUED_TOKEN = ("Policy", "IssuedToken", "Issuer", "Address")


class TicketMethod(Enum):
    """How a user may be proved to the ticket service, by the name of the port."""

    ANONYMOUS = "WebTicketServiceAnon"
    WIN_NEGOTIATE = "WebTicketServiceWinNegotiate"
    WIN_NTLM = "WebTicketServiceWinNtlm"
    CERTIFICATE = "WebTicketServiceCert"
    PIN = "WebTicketServicePin"
    PASSWORD = "WebTicketServiceAuth"  # noqa: S105 - the name of a port
    FEDERATED = "WsFedBearer"


class TicketUse(Enum):
    """What a service wants with a ticket, by the assertion in its policy."""

    PROOF = "EndorsingSupportingTokens"
    """The holder signs with the proof key."""
    BEARER = "SignedSupportingTokens"
    """Whoever has it may use it."""


@dataclass(frozen=True)
class TicketPolicy:
    """A port's demand for a ticket: its use, and the URL of the service that issues it."""

    use: TicketUse
    issuer: str


@dataclass(frozen=True)
class Metadata:
    """A service's metadata.

    Attributes:
        server: Whose it is.
        locations: URL to post to, by the port's name in lower case.
        policies: By the port's name in lower case, where it wants a ticket.
    """

    server: str
    locations: Mapping[str, str]
    policies: Mapping[str, TicketPolicy]


@dataclass(frozen=True)
class Offer:
    """What the Web Services offer, as far as this program can use it.

    Attributes:
        publish_location: Where certificates are asked for; also the audience of a ticket.
        issuer: Base URL of the ticket service.
        ticket_locations: Where tickets are asked for, by method.
    """

    publish_location: str
    issuer: str
    ticket_locations: Mapping[TicketMethod, str]

    @property
    def methods(self) -> frozenset[TicketMethod]:
        """The methods that are offered."""
        return frozenset(self.ticket_locations)


def read_metadata(document: XmlDocument) -> Metadata:
    """Read a metadata document; what is not understood is passed over."""
    locations: dict[str, str] = {}
    policies: dict[str, TicketPolicy] = {}
    for service in descendants(document.root, "service"):
        for port in children(service, "port"):
            address = find_path(port, "address")
            if address is not None:
                locations.setdefault(port.get("name", "").lower(), address.get("location", ""))
    for policy in descendants(document.root, "Policy"):
        found = _ticket_policy(policy)
        if found is not None:
            policies.setdefault(_identifier(policy).removesuffix("_policy"), found)
    return Metadata(document.server, locations, policies)


def _identifier(policy: "etree._Element") -> str:
    values = (str(v) for k, v in policy.items() if etree.QName(str(k)).localname == _XML_ID)
    return next(values, "").lower()


def _ticket_policy(policy: "etree._Element") -> TicketPolicy | None:
    for use in TicketUse:
        address = find_path(policy, "ExactlyOne", "All", use.value, *_ISSUED_TOKEN)
        if address is not None:
            return TicketPolicy(use, text_of(address))
    return None


def publish_port(metadata: Metadata, host: str) -> tuple[str, str]:
    """Return location and ticket issuer of the certificate service's port.

    Args:
        metadata: The certificate service's.
        host: The host that the user named; the location must be on it.

    Raises:
        NotOffered: There is no such port, or it does not want a ticket with proof of possession.
        AnswerInvalid: An address is on another host, or not ``https``.
    """
    name = PUBLISH_PORT.lower()
    policy = metadata.policies.get(name)
    if name not in metadata.locations or policy is None or policy.use is not TicketUse.PROOF:
        raise NotOffered(metadata.server, f"certificates for tickets with proof ({PUBLISH_PORT})")
    location = checked(metadata.locations[name], host, told_by=metadata.server)
    issuer = checked(policy.issuer, "", told_by=metadata.server)
    return location, issuer.rstrip("/")


def ticket_ports(metadata: Metadata) -> dict[TicketMethod, str]:
    """Return where tickets are issued, by method; the addresses are not checked yet."""
    return {
        method: metadata.locations[method.value.lower()]
        for method in TicketMethod
        if method.value.lower() in metadata.locations
    }


def ticket_location(offer: Offer, *methods: TicketMethod) -> str:
    """Return where credentials may be sent: the first of ``methods`` that is offered.

    Raises:
        NotOffered: None of them is.
        AnswerInvalid: The address is not on the ticket service's own host, or not ``https``.
    """
    host = host_of(offer.issuer)
    method = next((m for m in methods if m in offer.ticket_locations), None)
    if method is None:
        words = methods[0].name.lower().replace("_", " ")
        raise NotOffered(host, f"sign-in by {words} ({methods[0].value})")
    return checked(offer.ticket_locations[method], host, told_by=host)
