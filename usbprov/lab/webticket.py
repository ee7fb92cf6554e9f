"""The Web ticket service: WS-Trust 1.3 ``RST/Issue`` in, a ticket out ([MS-OCAUTHWS] 3.2.4.1)."""

import base64
import binascii
import os
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lxml import etree

from usbprov.lab.accounts import Accounts
from usbprov.lab.calls import note
from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.metadata import Endpoints
from usbprov.lab.names import (
    AUTH_CLAIMS,
    BEARER_KEY,
    CLAIMS_DIALECT,
    COMPACT_TOKEN,
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
from usbprov.lab.password import authenticate_password, read_password_credential
from usbprov.lab.pin import PinAuthentication, read_pin_credential
from usbprov.lab.soap import Fault, Message, SoapFault, element, envelope, only_child, sub, text_of
from usbprov.lab.tickets import PROOF_KEY_SIZE, Grant, ProvedBy, Tickets, p_sha1
from usbprov.lab.times import Clock, write_time
from usbprov.lab.users import LabUser
from usbprov.lab.x509token import CertificateAuthentication

_ENTROPY_SIZES = range(16, 65)
_LONGEST_CONTEXT = 256


@dataclass(frozen=True)
class TicketRequest:
    """A checked request for a ticket.

    Attributes:
        context: What the client wants echoed, or None.
        user: The SIP URI that it claims to be, or None.
        entropy: Its half of the proof key; empty for a ticket without.
        bearer_audience: The URL that a SAML ticket without proof key is for, or None.
    """

    context: str | None
    user: str | None
    entropy: bytes = field(repr=False)
    bearer_audience: str | None = None


@dataclass(frozen=True)
class Proofs:
    """What proves a user, by port.

    Attributes:
        pins: Extension and PIN.
        accounts: Windows accounts, for user name and password.
        certificates: Published user certificates.
    """

    pins: PinAuthentication
    accounts: Accounts
    certificates: CertificateAuthentication


class WebTicketService:
    """Issues tickets to users who prove themselves.

    What proves the user is looked at last, so that a malformed request costs no try.
    """

    def __init__(
        self,
        proofs: Proofs,
        tickets: Tickets,
        endpoints: Endpoints,
        life: timedelta,
        faults: Faults,
        clock: Clock,
    ) -> None:
        self._proofs = proofs
        self._tickets = tickets
        self._endpoints = endpoints
        self._life = life
        self._faults = faults
        self._clock = clock

    def issue_with_pin(self, message: Message) -> bytes:
        """Answer a request at the PIN port.

        Raises:
            SoapFault: As every one of these: the request is malformed, or the user is not who he
                must be.
        """
        request = read_request(message.content, self._endpoints)
        user = self._proofs.pins.authenticate(read_pin_credential(message.security))
        return self._issue(request, user, ProvedBy.PASSWORD, "PIN")

    def issue_with_password(self, message: Message) -> bytes:
        """Answer a request at the port for user name and password; it has compact tickets too."""
        compact = text_of(only_child(message.content, WST, "TokenType")) == COMPACT_TOKEN
        read = read_compact_request if compact else read_request
        request = read(message.content, self._endpoints)
        credential = read_password_credential(message.security)
        user = authenticate_password(self._proofs.accounts, credential)
        if compact:
            return self._issue_compact(request, user)
        return self._issue(request, user, ProvedBy.PASSWORD, "password")

    def issue_with_certificate(self, message: Message) -> bytes:
        """Answer a request at the certificate port."""
        request = read_request(message.content, self._endpoints)
        user = self._proofs.certificates.authenticate(message.security, self._clock())
        return self._issue(request, user, ProvedBy.CERTIFICATE, "certificate")

    def issue_to_windows_user(self, message: Message, user: LabUser) -> bytes:
        """Answer a request at the Windows port, whose user HTTP has proved."""
        request = read_request(message.content, self._endpoints)
        return self._issue(request, user, ProvedBy.WINDOWS, "Windows account")

    def _issue(
        self, request: TicketRequest, user: LabUser, proved_by: ProvedBy, proof: str
    ) -> bytes:
        _check_claim(request, user)
        start = self._clock().replace(microsecond=0)
        end = start + self._life
        entropy = os.urandom(PROOF_KEY_SIZE)
        key = p_sha1(request.entropy, entropy) if request.entropy else b""
        grant = Grant(user.sip_uri, proved_by, key, request.bearer_audience)
        response = self._response(request, SAML_TOKEN)
        holder = sub(response, WST, "RequestedSecurityToken")
        holder.append(self._tickets.issue(grant, start, end))
        if request.entropy:
            proof_token = sub(response, WST, "RequestedProofToken")
            sub(proof_token, WST, "ComputedKey", COMPUTED_PSHA1)
            secret = sub(response, WST, "Entropy")
            sub(secret, WST, "BinarySecret", base64.b64encode(entropy).decode())
        _add_lifetime(response, start, end)
        if request.entropy:
            sub(response, WST, "KeySize", str(PROOF_KEY_SIZE * 8))
        note(f"ticket for {user.sip_uri} by {proof}")
        return _collection(response)

    def _issue_compact(self, request: TicketRequest, user: LabUser) -> bytes:
        _check_claim(request, user)
        start = self._clock().replace(microsecond=0)
        end = start + self._life
        response = self._response(request, COMPACT_TOKEN)
        token = sub(response, WST, "RequestedSecurityToken")
        sub(token, WST, "UserToken", self._tickets.compact(user.sip_uri, end))
        _add_lifetime(response, start, end)
        note(f"compact ticket for {user.sip_uri} by password")
        return _collection(response)

    def _response(self, request: TicketRequest, token_type: str) -> etree._Element:
        response = element(WST, "RequestSecurityTokenResponse")
        context = request.context
        if self._faults.take(FaultName.WRONG_CONTEXT):
            context = str(uuid.uuid4())
        if context is not None:
            response.set("Context", context)
        sub(response, WST, "TokenType", token_type)
        return response


def _check_claim(request: TicketRequest, user: LabUser) -> None:
    if request.user not in {None, user.sip_uri}:
        raise SoapFault(Fault.FAILED_AUTHENTICATION, f"{user.sip_uri} claims to be another user")


def _add_lifetime(response: etree._Element, start: datetime, end: datetime) -> None:
    """Add the life of a ticket.

    Clients copy the children as text into their own header, so each of them declares its
    namespace itself, and none with a prefix.
    """
    lifetime = sub(response, WST, "Lifetime")
    sub(lifetime, WSU, "Created", write_time(start))
    sub(lifetime, WSU, "Expires", write_time(end))


def _collection(response: etree._Element) -> bytes:
    collection = element(WST, "RequestSecurityTokenResponseCollection")
    collection.append(response)
    return envelope(collection)


def read_request(content: etree._Element, endpoints: Endpoints) -> TicketRequest:
    """Check a ``RequestSecurityToken`` for a SAML 1.1 ticket.

    For the certificate service it has a proof key, for Autodiscover it has none.

    Args:
        content: The element in the body.
        endpoints: What tickets are issued for.

    Raises:
        SoapFault: It asks for something else, or is incomplete.
    """
    _check_kind(content, SAML_TOKEN)
    audience, key_type = _applies_to(content), text_of(only_child(content, WST, "KeyType"))
    context, user = _context(content), _claimed_user(content)
    if _is_autodiscover(audience, endpoints):
        if key_type not in {"", BEARER_KEY}:
            raise SoapFault(Fault.INVALID_REQUEST, "KeyType not supported")
        return TicketRequest(context, user, b"", endpoints.autodiscover_user)
    if key_type != SYMMETRIC_KEY:
        raise SoapFault(Fault.INVALID_REQUEST, "KeyType not supported")
    if audience != endpoints.proof_port:
        raise SoapFault(Fault.INVALID_SCOPE, "AppliesTo is not the certificate service's port")
    return TicketRequest(context, user, _entropy(content))


def read_compact_request(content: etree._Element, endpoints: Endpoints) -> TicketRequest:
    """Check a ``RequestSecurityToken`` for a compact ticket; as ``read_request``."""
    _check_kind(content, COMPACT_TOKEN)
    if _applies_to(content).lower() != endpoints.password_port.lower():
        raise SoapFault(Fault.INVALID_SCOPE, "AppliesTo is not the port itself")
    return TicketRequest(_context(content), _claimed_user(content), b"")


def _check_kind(content: etree._Element, token_type: str) -> None:
    if content.tag != tag(WST, "RequestSecurityToken"):
        raise SoapFault(Fault.INVALID_REQUEST, "no RequestSecurityToken")
    wanted = (("TokenType", frozenset({token_type})), ("RequestType", ISSUE_REQUEST_TYPES))
    for name, values in wanted:
        if text_of(only_child(content, WST, name)) not in values:
            raise SoapFault(Fault.INVALID_REQUEST, f"{name} not supported")


def _context(content: etree._Element) -> str | None:
    context = content.get("Context")
    if context is not None and len(context) > _LONGEST_CONTEXT:
        raise SoapFault(Fault.INVALID_REQUEST, "Context too long")
    return context


def _is_autodiscover(audience: str, endpoints: Endpoints) -> bool:
    """Say whether a URL is that of Autodiscover, whatever its query, and in whatever case."""
    bare = audience.partition("?")[0].lower()
    return bare in {endpoints.autodiscover.lower(), endpoints.autodiscover_user.lower()}


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
