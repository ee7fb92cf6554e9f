"""A small client of the Web Services, written from the wire's description alone.

It shares no code with ``usbprov.webservices`` nor with the lab; the signed parts are strings, as
the stock client of the field makes them.
"""

import base64
import contextlib
import functools
import hashlib
import hmac
import http.client
import os
import re
import ssl
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lab_keys import seed
from lxml import etree

from usbprov.lab.up import Lab, LabOptions

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
WST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
RST_ACTION = WST + "/RST/Issue"
PUBLISH_ACTION = "http://schemas.microsoft.com/OCS/AuthWebServices/GetAndPublishCert"
NAMESPACES = (
    f'xmlns:soap="{SOAP}" xmlns:wst="{WST}" '
    'xmlns:auth="http://schemas.xmlsoap.org/ws/2006/12/authorization" '
    'xmlns:wsa="http://www.w3.org/2005/08/addressing" '
    'xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy" '
    f'xmlns:wsse="{WSSE}" xmlns:wsu="{WSU}"'
)


@contextlib.contextmanager
def running_lab(folder: Path, **options: object) -> Iterator[Lab]:
    with Lab(LabOptions(seed(folder), **options)) as lab:
        yield lab


def first(document: bytes | etree._Element, name: str) -> etree._Element | None:
    root = etree.fromstring(document) if isinstance(document, bytes) else document
    return next(iter(root.iter(f"{{*}}{name}")), None)


def text(document: bytes, name: str) -> str:
    found = first(document, name)
    assert found is not None, f"no {name} in {document[:300]!r}"
    return (found.text or "").strip()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass(frozen=True)
class HeldTicket:
    """What a client keeps of a ticket: text, cut out as it came."""

    assertion: str
    lifetime: str
    key: bytes
    user: str

    @property
    def assertion_id(self) -> str:
        return re.search(r'AssertionID="([^"]+)"', self.assertion).group(1)


@dataclass
class Client:
    """One keep-alive connection to the lab."""

    lab: Lab
    connection: http.client.HTTPSConnection = field(init=False)

    def __post_init__(self) -> None:
        url = urlsplit(self.lab.facts.web_services_url)
        self.context = ssl.create_default_context(cafile=self.lab.facts.ca_file)
        self.context.verify_flags |= ssl.VERIFY_X509_STRICT
        self.connection = http.client.HTTPSConnection(
            url.hostname, url.port, context=self.context, timeout=15
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.connection.close()

    def ask(self, method: str, url: str, body: bytes | None = None, **headers: str) -> Answer:
        path = urlsplit(url).path or url
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def post(self, url: str, action: str, body: str | bytes) -> Answer:
        data = body.encode() if isinstance(body, str) else body
        return self.ask(
            "POST", url, data, **{"Content-Type": "text/xml", "SOAPAction": f'"{action}"'}
        )

    @functools.cached_property
    def proof_port(self) -> str:
        return self._port(
            self.lab.facts.web_services_url, "CertProvisioningServiceWebTicketProof_SHA1"
        )

    @functools.cached_property
    def pin_port(self) -> str:
        return self.ticket_port("Pin")

    def ticket_port(self, way: str) -> str:
        return self._port(self.lab.facts.web_ticket_url, f"WebTicketService{way}")

    def _port(self, service: str, name: str) -> str:
        root = etree.fromstring(self.ask("GET", service + "/mex").body)
        ports = {
            port.get("name"): port[0].get("location") for port in root.findall("{*}service/{*}port")
        }
        return ports[name]

    def ask_ticket(self, extension: str, pin: str, **changes: str) -> Answer:
        return self.post(self.pin_port, RST_ACTION, self.rst(extension, pin, **changes))

    def rst(
        self, extension: str, pin: str, entropy: bytes = bytes(range(32)), **changes: str
    ) -> str:
        parts = {"audience": self.proof_port, "claims": ""} | changes
        return rst(extension, pin, entropy, **parts)

    def ticket(self, user: object, **changes: str) -> HeldTicket:
        entropy = os.urandom(32)
        answer = self.post(
            self.pin_port, RST_ACTION, self.rst(user.extension, user.pin, entropy, **changes)
        )
        assert answer.status == 200, answer.body
        return hold(answer.body, entropy)

    def publish(self, ticket: HeldTicket, **changes: object) -> Answer:
        return self.post(self.proof_port, PUBLISH_ACTION, publish_message(ticket, **changes))


def bare_rst(entropy: bytes, audience: str, claims: str = "") -> str:
    """A request without any SOAP header, as the stock client sends it to the Windows port."""
    encoded = base64.b64encode(entropy).decode()
    return (
        f'<?xml version="1.0"?>\r\n<soap:Envelope {NAMESPACES}><soap:Body>'
        '<wst:RequestSecurityToken Context="124841e4-264d-52e8-96c5-d22aa8cdc316">'
        "<wst:TokenType>http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1"
        "</wst:TokenType><wst:RequestType>http://schemas.xmlsoap.org/ws/2005/02/trust/Issue"
        "</wst:RequestType><wsp:AppliesTo><wsa:EndpointReference>"
        f"<wsa:Address>{audience}</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>{claims}"
        f"<wst:Entropy><wst:BinarySecret>{encoded}</wst:BinarySecret></wst:Entropy>"
        f"<wst:KeyType>{WST}/SymmetricKey</wst:KeyType>"
        "</wst:RequestSecurityToken></soap:Body></soap:Envelope>"
    )


TOKEN = (
    "<wsse:UsernameToken><wsse:Username>{0}</wsse:Username>"
    "<wsse:Password>{1}</wsse:Password></wsse:UsernameToken>"
)


def rst(
    extension: str,
    pin: str,
    entropy: bytes,
    *,
    audience: str,
    claims: str = "",
    token: str = TOKEN,
    token_type: str = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1",  # noqa: S107
    request_type: str = "http://schemas.xmlsoap.org/ws/2005/02/trust/Issue",
    key_type: str = WST + "/SymmetricKey",
    secret: str | None = None,
    context: str = "124841e4-264d-52e8-96c5-d22aa8cdc316",
    header: str = "",
) -> str:
    encoded = base64.b64encode(entropy).decode() if secret is None else secret
    return (
        f'<?xml version="1.0"?><soap:Envelope {NAMESPACES}><soap:Header>{header}'
        f"<wsse:Security>{token.format(extension, pin)}</wsse:Security></soap:Header><soap:Body>"
        f'<wst:RequestSecurityToken Context="{context}">'
        f"<wst:TokenType>{token_type}</wst:TokenType>"
        f"<wst:RequestType>{request_type}</wst:RequestType>"
        f"<wsp:AppliesTo><wsa:EndpointReference><wsa:Address>{audience}</wsa:Address>"
        f"</wsa:EndpointReference></wsp:AppliesTo>{claims}"
        f"<wst:Entropy><wst:BinarySecret>{encoded}</wst:BinarySecret></wst:Entropy>"
        f"<wst:KeyType>{key_type}</wst:KeyType>"
        "</wst:RequestSecurityToken></soap:Body></soap:Envelope>"
    )


def uri_claim(uri: str) -> str:
    return (
        '<wst:Claims Dialect="urn:component:Microsoft.Rtc.WebAuthentication.2010:authclaims">'
        '<auth:ClaimType Uri="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/uri" '
        f'Optional="false"><auth:Value>{uri}</auth:Value></auth:ClaimType></wst:Claims>'
    )


def hold(answer: bytes, entropy: bytes) -> HeldTicket:
    """Cut a ticket out of the answer as text, the way that the stock client does."""
    document = answer.decode()
    secret = base64.b64decode(re.search(r"<BinarySecret[^>]*>([^<]*)<", document).group(1))
    return HeldTicket(
        assertion=re.search(r"<saml:Assertion.*</saml:Assertion>", document, re.DOTALL).group(0),
        lifetime=re.search(r"<Lifetime[^>]*>(.*)</Lifetime>", document, re.DOTALL).group(1),
        key=p_hash(entropy, secret)[:32],
        user=re.search(r"<saml:NameIdentifier[^>]*>([^<]*)<", document).group(1),
    )


def p_hash(secret: bytes, seed: bytes) -> bytes:
    a1 = hmac.new(secret, seed, "sha1").digest()
    a2 = hmac.new(secret, a1, "sha1").digest()
    return (
        hmac.new(secret, a1 + seed, "sha1").digest() + hmac.new(secret, a2 + seed, "sha1").digest()
    )


def security(ticket: HeldTicket) -> str:
    """Timestamp, assertion and signature; what is hashed is canonical as it is written."""
    timestamp = (
        f'<wsu:Timestamp xmlns:wsu="{WSU}" wsu:Id="timestamp">{ticket.lifetime}</wsu:Timestamp>'
    )
    return timestamp + ticket.assertion + signature(timestamp, ticket.key, ticket.assertion_id)


def signature(timestamp: str, key: bytes, assertion_id: str) -> str:
    sha1 = hashlib.sha1(timestamp.encode())  # noqa: S324 - the wire's
    digest = base64.b64encode(sha1.digest()).decode()
    exc = "http://www.w3.org/2001/10/xml-exc-c14n#"
    ds = "http://www.w3.org/2000/09/xmldsig#"
    info = (
        f'<SignedInfo xmlns="{ds}"><CanonicalizationMethod Algorithm="{exc}">'
        f'</CanonicalizationMethod><SignatureMethod Algorithm="{ds}hmac-sha1"></SignatureMethod>'
        f'<Reference URI="#timestamp"><Transforms><Transform Algorithm="{exc}"></Transform>'
        f'</Transforms><DigestMethod Algorithm="{ds}sha1"></DigestMethod>'
        f"<DigestValue>{digest}</DigestValue></Reference></SignedInfo>"
    )
    value = base64.b64encode(hmac.new(key, info.encode(), "sha1").digest()).decode()
    return (
        f'<Signature xmlns="{ds}"> {info} <SignatureValue>{value}</SignatureValue> <KeyInfo> '
        "<wsse:SecurityTokenReference wsse:TokenType="
        '"http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1"> '
        "<wsse:KeyIdentifier ValueType="
        '"http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID">'
        f"{assertion_id}</wsse:KeyIdentifier> </wsse:SecurityTokenReference> </KeyInfo></Signature>"
    )


def publish_message(
    ticket: HeldTicket,
    *,
    entity: str | None = None,
    device: str = "{124841e4-264d-52e8-96c5-d22aa8cdc316}",
    csr: bytes | None = None,
    encoded: str | None = None,
    wst: str = WST + "/",
    request_id: str | None = None,
    header: str | None = None,
    value_type: str = "http://schemas.microsoft.com/OCS/AuthWebServices.xsd#PKCS10",
) -> str:
    entity = ticket.user.removeprefix("sip:") if entity is None else entity
    text_lines = base64.encodebytes(csr or request(shared_key(), entity)).decode()
    wrapped = "\r\n" + text_lines.replace("\n", "\r\n") if encoded is None else encoded
    identifier = str(uuid.uuid4()) if request_id is None else request_id
    return (
        f'<?xml version="1.0"?><soap:Envelope {NAMESPACES}><soap:Header>'
        "<wsa:ReplyTo><wsa:Address>http://www.w3.org/2005/08/addressing/anonymous</wsa:Address>"
        f"</wsa:ReplyTo><wsse:Security>{security(ticket) if header is None else header}"
        "</wsse:Security></soap:Header><soap:Body>"
        '<GetAndPublishCert xmlns="http://schemas.microsoft.com/OCS/AuthWebServices/" '
        f'xmlns:wst="{wst}" '
        'xmlns:wstep="http://schemas.microsoft.com/windows/pki/2009/01/enrollment" '
        f'DeviceId="{device}" Entity="{entity}"><wst:RequestSecurityToken>'
        "<wst:TokenType>http://docs.oasis-open.org/wss/2004/01/"
        "oasis-200401-wss-x509-token-profile-1.0#X509v3</wst:TokenType>"
        "<wst:RequestType>http://docs.oasis-open.org/ws-sx/ws-trust/200512/Issue"
        f'</wst:RequestType><wsse:BinarySecurityToken ValueType="{value_type}" '
        f'EncodingType="{WSSE}#Base64Binary">{wrapped}</wsse:BinarySecurityToken>'
        f"<wstep:RequestID>{identifier}</wstep:RequestID></wst:RequestSecurityToken>"
        "</GetAndPublishCert></soap:Body></soap:Envelope>"
    )


@functools.cache
def shared_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def request(key: rsa.RSAPrivateKey, name: str) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def certificate(answer: Answer) -> x509.Certificate:
    """Take the certificate from an answer, along the one path that is certain."""
    assert answer.status == 200, answer.body
    path = (
        "{*}Body/{*}GetAndPublishCertResponse/{*}RequestSecurityTokenResponse/"
        "{*}RequestedSecurityToken/{*}BinarySecurityToken"
    )
    found = etree.fromstring(answer.body).findall(path)
    assert len(found) == 1, answer.body
    return x509.load_der_x509_certificate(base64.b64decode(found[0].text))


def altered(ticket: HeldTicket, **changes: object) -> HeldTicket:
    return replace(ticket, **changes)
