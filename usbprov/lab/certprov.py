"""The certificate provisioning service: ``GetAndPublishCert`` ([MS-OCAUTHWS] 3.1.4.1).

Identity comes from the ticket, never from the request's subject. What is wrong with the ticket
is a SOAP fault; what is wrong with the request is told by ``ErrorInfo`` in a 200, as the
specification wants it.
"""

import base64
import binascii
import logging
import re
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from usbprov.lab.authority import DEFAULT_VALIDITY, MAX_VALIDITY, MIN_VALIDITY, UserIssuer
from usbprov.lab.csr import requested_key
from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.names import (
    BASE64_BINARY,
    OCS_AUTH,
    PKCS10,
    WSSE,
    WST_SLASH,
    WSTEP,
    X509V3,
    tag,
)
from usbprov.lab.security import authenticate
from usbprov.lab.soap import Fault, Message, SoapFault, element, envelope, only_child, sub, text_of
from usbprov.lab.store import NewCertificate, PoolStores
from usbprov.lab.tickets import Tickets
from usbprov.lab.times import Clock
from usbprov.lab.users import LabUser
from usbprov.pki.certificates import summarise, to_der
from usbprov.pki.keys import generate_rsa

logger = logging.getLogger(__name__)

_BRACED_UUID = re.compile(
    r"\{[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\}"
)
_LONGEST_REQUEST_ID = 256


class Refusal(Enum):
    """Why a request is refused: id and words of ``ErrorInfo``.

    Lab choice: neither the children of ``ErrorInfo`` nor the real ids are publicly known.
    """

    MALFORMED = (1, "The request is malformed.")
    ENTITY = (2, "The entity of the request is not the user of the Web ticket.")
    DEVICE = (3, "The device identifier is missing or not valid.")
    CSR = (4, "The certificate request is malformed or its signature is not valid.")
    KEY_SIZE = (5, "The key of the certificate request is smaller or larger than allowed.")
    NO_USER = (6, "The user does not exist.")
    STORE = (7, "The data store of the user's home pool is unavailable.")

    def __init__(self, error_id: int, reason: str) -> None:
        self.error_id = error_id
        self.reason = reason


class Refused(Exception):
    """Ends the work on a request; becomes ``ErrorInfo`` on the wire."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


@dataclass(frozen=True)
class Policy:
    """Server settings, as ``Set-CsWebServiceConfiguration`` has them.

    Attributes:
        min_key_bits: ``MinCSRKeySize``; 1024 to 16384.
        max_key_bits: ``MaxCSRKeySize``; 1024 to 16384.
        validity: ``DefaultValidityPeriodHours``; 8 hours to 365 days.
    """

    min_key_bits: int = 2048
    max_key_bits: int = 16384
    validity: timedelta = DEFAULT_VALIDITY

    def __post_init__(self) -> None:
        if not 1024 <= self.min_key_bits <= self.max_key_bits <= 16384:
            raise ValueError("key sizes must be within 1024 and 16384 bits")
        if not MIN_VALIDITY <= self.validity <= MAX_VALIDITY:
            raise ValueError("validity must be within 8 and 8760 hours")


@dataclass(frozen=True)
class PublishRequest:
    """A request as read; not yet checked against ticket and policy.

    Attributes:
        entity: The user, ``user@domain``.
        device_id: The phone's instance UUID, lower case, without braces.
        csr: The PKCS#10 request, DER.
        request_id: What the client wants echoed, or None.
    """

    entity: str
    device_id: str
    csr: bytes = field(repr=False)
    request_id: str | None


class CertificateService:
    """Checks ticket and request, signs the certificate, publishes and returns it."""

    def __init__(
        self,
        tickets: Tickets,
        issuer: UserIssuer,
        users: Sequence[LabUser],
        stores: PoolStores,
        faults: Faults,
        clock: Clock,
        policy: Policy | None = None,
    ) -> None:
        self._tickets = tickets
        self._issuer = issuer
        self._users = {user.sip_uri: user for user in users}
        self._stores = stores
        self._faults = faults
        self._clock = clock
        self._policy = policy or Policy()

    def get_and_publish(self, message: Message) -> bytes:
        """Answer a request at the ticket port.

        Raises:
            SoapFault: There is no valid ticket, or no ``GetAndPublishCert`` in the body.
        """
        ticket = authenticate(message.security, self._tickets, self._now())
        if message.content.tag != tag(OCS_AUTH, "GetAndPublishCert"):
            raise SoapFault(Fault.ACTION, "no GetAndPublishCert")
        try:
            request = read_publish_request(message.content)
            return self._publish(request, ticket.sip_uri)
        except Refused as refused:
            logger.debug("GetAndPublishCert for %s refused: %s", ticket.sip_uri, refused)
            return _refusal(refused.refusal)

    def _publish(self, request: PublishRequest, sip_uri: str) -> bytes:
        user = self._users.get(sip_uri)
        if user is None:
            raise Refused(Refusal.NO_USER)
        if request.entity.lower() != user.entity:
            raise Refused(Refusal.ENTITY)
        certificate = self._certificate(self._key(request.csr), user)
        self._store(user, request.device_id, certificate)
        logger.debug("certificate for %s on %s published", sip_uri, request.device_id)
        return _answer(certificate, request.request_id)

    def _key(self, csr: bytes) -> rsa.RSAPublicKey:
        try:
            key = requested_key(csr)
        except ValueError as error:
            logger.debug("PKCS#10 request refused: %s", error)
            raise Refused(Refusal.CSR) from None
        if not self._policy.min_key_bits <= key.key_size <= self._policy.max_key_bits:
            raise Refused(Refusal.KEY_SIZE)
        return key

    def _certificate(self, key: rsa.RSAPublicKey, user: LabUser) -> x509.Certificate:
        subject, life = user.entity, self._policy.validity
        if self._faults.take(FaultName.WRONG_KEY):
            key = generate_rsa().public_key()
        if self._faults.take(FaultName.WRONG_USER):
            subject = f"not-{subject}"
        minutes = self._faults.value(FaultName.SHORT_VALIDITY)
        if minutes is not None:
            life = timedelta(minutes=minutes)
        return self._issuer.issue(key, subject, self._clock(), life)

    def _store(self, user: LabUser, device_id: str, certificate: x509.Certificate) -> None:
        if self._faults.take(FaultName.STORE_UNREACHABLE):
            raise Refused(Refusal.STORE)
        facts = summarise(certificate)
        new = NewCertificate(
            to_der(certificate), facts.sha256, facts.serial, facts.not_before, facts.not_after
        )
        try:
            self._stores.of(user).publish(user, device_id, new)
        except sqlite3.Error as error:
            logger.warning("store of %s: %s", user.home_pool, error)
            raise Refused(Refusal.STORE) from None

    def _now(self) -> datetime:
        ahead = timedelta(days=1 if self._faults.is_on(FaultName.TICKET_EXPIRED) else 0)
        return self._clock() + ahead


def read_publish_request(content: etree._Element) -> PublishRequest:
    """Read a ``GetAndPublishCert`` element.

    Its ``RequestSecurityToken`` must be in the WS-Trust namespace that ends in a slash.

    Raises:
        Refused: Something is missing, double, or of another type.
    """
    entity, device = content.get("Entity", ""), content.get("DeviceId", "")
    if not entity:
        raise Refused(Refusal.MALFORMED)
    if not _BRACED_UUID.fullmatch(device):
        raise Refused(Refusal.DEVICE)
    request = only_child(content, WST_SLASH, "RequestSecurityToken")
    if request is None:
        raise Refused(Refusal.MALFORMED)
    for name, value in (("TokenType", X509V3), ("RequestType", WST_SLASH + "Issue")):
        if text_of(only_child(request, WST_SLASH, name)) != value:
            raise Refused(Refusal.MALFORMED)
    return PublishRequest(entity, str(uuid.UUID(device)), _csr(request), _request_id(request))


def _csr(request: etree._Element) -> bytes:
    token = only_child(request, WSSE, "BinarySecurityToken")
    if token is None or token.get("ValueType") != PKCS10:
        raise Refused(Refusal.MALFORMED)
    if token.get("EncodingType") != BASE64_BINARY:
        raise Refused(Refusal.MALFORMED)
    try:
        return base64.b64decode("".join(text_of(token).split()), validate=True)
    except (binascii.Error, ValueError):
        raise Refused(Refusal.MALFORMED) from None


def _request_id(request: etree._Element) -> str | None:
    if request.find(tag(WSTEP, "RequestID")) is None:
        return None
    found = text_of(only_child(request, WSTEP, "RequestID"))
    if not 0 < len(found) <= _LONGEST_REQUEST_ID:
        raise Refused(Refusal.MALFORMED)
    return found


def _answer(certificate: x509.Certificate, request_id: str | None) -> bytes:
    root = _response()
    response = sub(root, WST_SLASH, "RequestSecurityTokenResponse")
    sub(response, WST_SLASH, "TokenType", X509V3)
    holder = sub(response, WST_SLASH, "RequestedSecurityToken")
    encoded = base64.b64encode(to_der(certificate)).decode()
    token = sub(holder, WSSE, "BinarySecurityToken", encoded)
    token.set("ValueType", X509V3)
    token.set("EncodingType", BASE64_BINARY)
    if request_id is not None:
        sub(response, WSTEP, "RequestID", request_id)
    return envelope(root)


def _refusal(refusal: Refusal) -> bytes:
    root = _response()
    info = sub(root, OCS_AUTH, "ErrorInfo")
    sub(info, OCS_AUTH, "ErrorId", str(refusal.error_id))
    sub(info, OCS_AUTH, "Reason", refusal.reason)
    return envelope(root)


def _response() -> etree._Element:
    return element(OCS_AUTH, "GetAndPublishCertResponse")
