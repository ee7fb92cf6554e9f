"""The Web ticket service: WS-Trust 1.3 ``RST/Issue`` in, a ticket out ([MS-OCAUTHWS] 3.2.4.1)."""

import base64
import binascii
import logging
import os
from dataclasses import dataclass, field

from lxml import etree

from usbprov.lab.metadata import Endpoints
from usbprov.lab.names import (
    AUTH_CLAIMS,
    CLAIMS_DIALECT,
    COMPUTED_PSHA1,
    ISSUE_REQUEST_TYPES,
    SAML_TOKEN,
    SYMMETRIC_KEY,
    URI_CLAIM,
    WSA,
    WSP,
    WST,
    WSU,
    tag,
)
from usbprov.lab.pin import PinAuthentication, read_pin_credential
from usbprov.lab.soap import Fault, Message, SoapFault, element, envelope, only_child, sub, text_of
from usbprov.lab.tickets import PROOF_KEY_SIZE, TICKET_LIFE, Tickets, p_sha1
from usbprov.lab.times import Clock, write_time

logger = logging.getLogger(__name__)

_ENTROPY_SIZES = range(16, 65)
_LONGEST_CONTEXT = 256


@dataclass(frozen=True)
class TicketRequest:
    """A checked request for a ticket.

    Attributes:
        context: What the client wants echoed, or None.
        user: The SIP URI that it claims to be, or None.
        entropy: Its half of the proof key.
    """

    context: str | None
    user: str | None
    entropy: bytes = field(repr=False)


class WebTicketService:
    """Issues tickets to users who prove themselves with a PIN."""

    def __init__(
        self, pins: PinAuthentication, tickets: Tickets, endpoints: Endpoints, clock: Clock
    ) -> None:
        self._pins = pins
        self._tickets = tickets
        self._audience = endpoints.proof_port
        self._clock = clock

    def issue_with_pin(self, message: Message) -> bytes:
        """Answer a request at the PIN port.

        Raises:
            SoapFault: The request is malformed, or the user is not who he must be. The PIN is
                looked at last, so that a malformed request costs no try.
        """
        request = read_request(message.content, self._audience)
        user = self._pins.authenticate(read_pin_credential(message.security))
        if request.user not in {None, user.sip_uri}:
            raise SoapFault(Fault.FAILED_AUTHENTICATION, "claims to be another user")
        logger.debug("Web ticket for %s", user.sip_uri)
        return self._answer(request, user.sip_uri)

    def _answer(self, request: TicketRequest, sip_uri: str) -> bytes:
        now = self._clock().replace(microsecond=0)
        entropy = os.urandom(PROOF_KEY_SIZE)
        assertion = self._tickets.issue(sip_uri, p_sha1(request.entropy, entropy), now)
        collection = element(WST, "RequestSecurityTokenResponseCollection")
        response = sub(collection, WST, "RequestSecurityTokenResponse")
        if request.context is not None:
            response.set("Context", request.context)
        sub(response, WST, "TokenType", SAML_TOKEN)
        sub(response, WST, "RequestedSecurityToken").append(assertion)
        proof = sub(response, WST, "RequestedProofToken")
        sub(proof, WST, "ComputedKey", COMPUTED_PSHA1)
        secret = sub(response, WST, "Entropy")
        sub(secret, WST, "BinarySecret", base64.b64encode(entropy).decode())
        # Clients copy the children of Lifetime as text into their own header, so each of them
        # declares its namespace itself, and none with a prefix.
        lifetime = sub(response, WST, "Lifetime")
        sub(lifetime, WSU, "Created", write_time(now))
        sub(lifetime, WSU, "Expires", write_time(now + TICKET_LIFE))
        sub(response, WST, "KeySize", str(PROOF_KEY_SIZE * 8))
        return envelope(collection)


def read_request(content: etree._Element, audience: str) -> TicketRequest:
    """Check a ``RequestSecurityToken``.

    Args:
        content: The element in the body.
        audience: The one URL that tickets are issued for.

    Raises:
        SoapFault: It asks for something else than a SAML 1.1 ticket with a symmetric key for
            that URL, or is incomplete.
    """
    if content.tag != tag(WST, "RequestSecurityToken"):
        raise SoapFault(Fault.INVALID_REQUEST, "no RequestSecurityToken")
    _check_kind(content)
    if _applies_to(content) != audience:
        raise SoapFault(Fault.INVALID_SCOPE, "AppliesTo is not the certificate service's port")
    context = content.get("Context")
    if context is not None and len(context) > _LONGEST_CONTEXT:
        raise SoapFault(Fault.INVALID_REQUEST, "Context too long")
    return TicketRequest(context, _claimed_user(content), _entropy(content))


def _check_kind(content: etree._Element) -> None:
    wanted = (
        ("TokenType", frozenset({SAML_TOKEN})),
        ("RequestType", ISSUE_REQUEST_TYPES),
        ("KeyType", frozenset({SYMMETRIC_KEY})),
    )
    for name, values in wanted:
        if text_of(only_child(content, WST, name)) not in values:
            raise SoapFault(Fault.INVALID_REQUEST, f"{name} not supported")


def _applies_to(content: etree._Element) -> str:
    found: etree._Element | None = content
    for namespace, name in ((WSP, "AppliesTo"), (WSA, "EndpointReference"), (WSA, "Address")):
        found = None if found is None else only_child(found, namespace, name)
    return text_of(found)


def _claimed_user(content: etree._Element) -> str | None:
    claims = only_child(content, WST, "Claims")
    if claims is None:
        return None
    found = claims.findall(tag(AUTH_CLAIMS, "ClaimType"))
    if claims.get("Dialect") != CLAIMS_DIALECT or len(found) != 1:
        raise SoapFault(Fault.INVALID_REQUEST, "claims not supported")
    value = text_of(only_child(found[0], AUTH_CLAIMS, "Value"))
    if found[0].get("Uri") != URI_CLAIM or not value:
        raise SoapFault(Fault.INVALID_REQUEST, "claim not supported")
    return value.lower()


def _entropy(content: etree._Element) -> bytes:
    holder = only_child(content, WST, "Entropy")
    secret = None if holder is None else only_child(holder, WST, "BinarySecret")
    try:
        entropy = base64.b64decode(text_of(secret), validate=True)
    except (binascii.Error, ValueError):
        entropy = b""
    if len(entropy) not in _ENTROPY_SIZES:
        raise SoapFault(Fault.INVALID_REQUEST, "no entropy of 16 to 64 bytes")
    return entropy
