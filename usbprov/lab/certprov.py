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

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from usbprov.lab.authority import UserIssuer
from usbprov.lab.calls import note
from usbprov.lab.csr import requested_key
from usbprov.lab.faults import FaultName, Faults
from usbprov.lab.names import (
    BASE64_BINARY,
    OCS_AUTH,
    PKCS10,
    WSSE,
    WST_SLASH,
    WSTEP,
    WSU,
    X509V3,
    tag,
)
from usbprov.lab.policy import Policy
from usbprov.lab.refusals import Refusal
from usbprov.lab.security import authenticate
from usbprov.lab.soap import Fault, Message, SoapFault, element, envelope, only_child, sub, text_of
from usbprov.lab.store import NewCertificate, PoolStores
from usbprov.lab.tickets import Tickets
from usbprov.lab.times import Clock, read_time
from usbprov.lab.users import LabUser
from usbprov.pki.certificates import summarise, to_der
from usbprov.pki.keys import generate_rsa

logger = logging.getLogger(__name__)

_BRACED_UUID = re.compile(
    r"\{[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\}"
)
_LONGEST_REQUEST_ID = 256


class Refused(Exception):
    """Ends the work on a request; becomes ``ErrorInfo`` on the wire."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


@dataclass(frozen=True)
class PublishRequest:
    """A request as read; not yet checked against ticket and policy.

    Attributes:
        entity: The user, ``user@domain``.
        device_id: The phone's instance UUID, lower case, without braces.
        csr: The PKCS#10 request, DER.
        request_id: What the client wants echoed, or None.
        life: For how long the certificate shall be valid, or None.
    """

    entity: str
    device_id: str
    csr: bytes = field(repr=False)
    request_id: str | None
    life: timedelta | None = None


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
        policy: Policy,
    ) -> None:
        self._tickets = tickets
        self._issuer = issuer
        self._users = {user.sip_uri: user for user in users}
        self._stores = stores
        self._faults = faults
        self._clock = clock
        self._policy = policy

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
            note(f"GetAndPublishCert for {ticket.sip_uri} refused: {refused}")
            return _refusal(refused.refusal)

    def _publish(self, request: PublishRequest, sip_uri: str) -> bytes:
        user = self._users.get(sip_uri)
        if user is None:
            raise Refused(Refusal.NO_USER)
        if request.entity.lower() != user.entity:
            raise Refused(Refusal.ENTITY)
        self._check_pool()
        certificate = self._certificate(self._key(request.csr), user, request.life)
        self._store(user, request.device_id, certificate)
        pool = self._stores.of(user).pool
        note(f"certificate for {sip_uri} on {request.device_id} published in {pool}")
        return self._answer(certificate, request.request_id)

    def _check_pool(self) -> None:
        """Do what the faults want with the user's home pool."""
        if self._faults.take(FaultName.REGISTRAR_DOWN):
            raise Refused(Refusal.REGISTRAR)
        unreachable = self._faults.take(FaultName.STORE_UNREACHABLE)
        if unreachable or self._faults.take_turn(FaultName.STORE_FLAPPING):
            raise Refused(Refusal.STORE)

    def _key(self, csr: bytes) -> rsa.RSAPublicKey:
        try:
            key = requested_key(csr)
        except ValueError as error:
            logger.debug("PKCS#10 request refused: %s", error)
            raise Refused(Refusal.CSR) from None
        if not self._policy.min_key_bits <= key.key_size <= self._policy.max_key_bits:
            raise Refused(Refusal.KEY_SIZE)
        return key

    def _certificate(
        self, key: rsa.RSAPublicKey, user: LabUser, asked: timedelta | None
    ) -> x509.Certificate:
        subject, life = user.entity, self._policy.life(asked)
        if self._faults.take(FaultName.WRONG_KEY):
            key = generate_rsa().public_key()
        if self._faults.take(FaultName.WRONG_USER):
            subject = f"not-{subject}"
        minutes = self._faults.value(FaultName.SHORT_VALIDITY)
        if minutes is not None:
            life = timedelta(minutes=minutes)
        if self._faults.take(FaultName.EXPIRED_CERT):
            life = -timedelta(hours=1)
        return self._issuer.issue(key, subject, self._clock(), life)

    def _store(self, user: LabUser, device_id: str, certificate: x509.Certificate) -> None:
        facts = summarise(certificate)
        new = NewCertificate(
            to_der(certificate), facts.sha256, facts.serial, facts.not_before, facts.not_after
        )
        try:
            self._stores.of(user).publish(user, device_id, new, self._policy.certificates_per_user)
        except sqlite3.Error as error:
            logger.warning("store of %s: %s", user.home_pool, error)
            raise Refused(Refusal.STORE) from None

    def _answer(self, certificate: x509.Certificate, request_id: str | None) -> bytes:
        encoded = [base64.b64encode(to_der(certificate)).decode()]
        if self._faults.take(FaultName.BAD_BASE64):
            encoded = [f"{encoded[0][:40]}*{encoded[0][41:-3]}"]
        if self._faults.take(FaultName.TWO_CERTS):
            key = generate_rsa().public_key()
            second = self._issuer.issue(key, "second@contoso.test", self._clock())
            encoded.append(base64.b64encode(to_der(second)).decode())
        if self._faults.take(FaultName.WRONG_REQUEST_ID):
            request_id = str(uuid.uuid4())
        return _answer(encoded, request_id)

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
    return PublishRequest(
        entity, str(uuid.UUID(device)), _csr(request), _request_id(request), _life(request)
    )


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


def _life(request: etree._Element) -> timedelta | None:
    """Read for how long the certificate is wanted.

    Lab choice: which element carries the wish is not publicly known; the lab takes ``Lifetime``
    of WS-Trust, and of that only how long it is.
    """
    lifetime = only_child(request, WST_SLASH, "Lifetime")
    if lifetime is None:
        return None
    try:
        created, expires = (
            read_time(text_of(only_child(lifetime, WSU, name))) for name in ("Created", "Expires")
        )
    except ValueError:
        raise Refused(Refusal.MALFORMED) from None
    return expires - created


def _answer(encoded: Sequence[str], request_id: str | None) -> bytes:
    root = _response()
    response = sub(root, WST_SLASH, "RequestSecurityTokenResponse")
    sub(response, WST_SLASH, "TokenType", X509V3)
    holder = sub(response, WST_SLASH, "RequestedSecurityToken")
    for text in encoded:
        token = sub(holder, WSSE, "BinarySecurityToken", text)
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
