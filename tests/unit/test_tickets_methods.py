"""What each way to a ticket sends, without a server."""

import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from doubles.services import certify
from lxml import etree

from usbprov.errors import NotOffered, UsageError
from usbprov.net.credentials import (
    CertificateCredential,
    Credential,
    PasswordCredential,
    PinCredential,
    Way,
    WindowsCredential,
)
from usbprov.phone.endpoint import Endpoint
from usbprov.pki.certificates import to_der
from usbprov.pki.keys import generate_rsa
from usbprov.webservices.issue import issue_fields, read_ticket
from usbprov.webservices.methods import PORTS, Method, method_of
from usbprov.webservices.session import Answer
from usbprov.webservices.soap import Operation, call
from usbprov.webservices.xmlsafe import parse

ENDPOINT = Endpoint("2ebb6f264f")
URL = "https://pool.test/WebTicket/WebTicketService.svc"
AUDIENCE = "https://pool.test/CertProv/CertProvisioningService.svc/WebTicket_Proof_SHA1"
NS = {
    "s": "http://schemas.xmlsoap.org/soap/envelope/",
    "wsse": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd",
    "wsu": "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "wst": "http://docs.oasis-open.org/ws-sx/ws-trust/200512",
    "auth": "http://schemas.xmlsoap.org/ws/2006/12/authorization",
}
WSU_ID = f"{{{NS['wsu']}}}Id"
KEY = generate_rsa()
CERTIFICATE = to_der(certify("Services", KEY, "alice@contoso.test", KEY.public_key()))


def sign(block: bytes) -> bytes:
    return KEY.sign(block, padding.PKCS1v15(), utils.NoDigestInfo())


PIN = PinCredential("1001", "7205")
PASSWORD = PasswordCredential("CONTOSO\\alice", "Passw0rd!")
WINDOWS = WindowsCredential(Way.NTLM, "CONTOSO\\alice", "Passw0rd!")
CERTIFIED = CertificateCredential(CERTIFICATE, sign)


def sent(method: Method, user: str | None = None) -> "etree._Element":
    """Return the envelope that goes over the wire."""
    bodies: list[bytes] = []

    def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        bodies.append(body)
        return Answer(url, 200, {}, b"")

    fields = issue_fields(AUDIENCE, ENDPOINT, bytes(32), user)
    call(post, Operation.ISSUE, URL, method.security(), fields)
    (body,) = bodies
    return etree.fromstring(body)


def text(root: "etree._Element", path: str) -> str:
    (found,) = root.findall(path, NS)
    return found.text or ""


def test_password_is_sent_in_base64_in_a_header_that_must_be_understood() -> None:
    root = sent(method_of(PASSWORD))
    (header,) = root.findall("s:Header/wsse:Security", NS)
    assert header.get(f"{{{NS['s']}}}mustUnderstand") == "1"
    token = "s:Header/wsse:Security/wsse:UsernameToken"
    assert text(root, f"{token}/wsse:Username") == "Q09OVE9TT1xhbGljZQ=="
    assert text(root, f"{token}/wsse:Password") == "UGFzc3cwcmQh"
    (password,) = root.findall(f"{token}/wsse:Password", NS)
    assert password.get("Type", "").endswith("#PasswordText")


def test_windows_ways_send_no_soap_header() -> None:
    root = sent(method_of(WINDOWS))
    assert root.findall("s:Header/*", NS) == []
    assert text(root, "s:Body/wst:RequestSecurityToken/wst:KeyType").endswith("/SymmetricKey")


@pytest.mark.parametrize("credential", [PIN, PASSWORD, WINDOWS, CERTIFIED])
def test_every_way_asks_for_a_ticket_with_proof(credential: Credential) -> None:
    root = sent(method_of(credential))
    request = "s:Body/wst:RequestSecurityToken"
    assert text(root, f"{request}/wst:TokenType").endswith("#SAMLV1.1")
    assert text(root, f"{request}/wst:KeyType").endswith("/SymmetricKey")
    assert text(root, f"{request}//{{http://www.w3.org/2005/08/addressing}}Address") == AUDIENCE
    assert root.findall(f"{request}/wst:Claims", NS) == []


@pytest.mark.parametrize("user", ["alice@contoso.test", "sip:Alice@contoso.test"])
def test_user_who_is_known_is_claimed(user: str) -> None:
    root = sent(method_of(WINDOWS), user)
    (claim,) = root.findall("s:Body/wst:RequestSecurityToken/wst:Claims/auth:ClaimType", NS)
    assert claim.get("Uri") == "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/uri"
    assert claim.get("Optional") == "false"
    assert text(claim, "auth:Value") == "sip:alice@contoso.test"
    order = [etree.QName(child).localname for child in claim.getparent().getparent()]  # type: ignore[union-attr]
    assert order[2:5] == ["AppliesTo", "Claims", "Entropy"]


def test_certificate_signs_a_fresh_timestamp() -> None:
    root = sent(method_of(CERTIFIED))
    (header,) = root.findall("s:Header/wsse:Security", NS)
    (stamp,) = header.findall("wsu:Timestamp", NS)
    created, expires = (
        datetime.fromisoformat(text(stamp, f"wsu:{name}")) for name in ("Created", "Expires")
    )
    assert expires - created == timedelta(minutes=5)
    assert abs(datetime.now(UTC) - created) < timedelta(seconds=30)

    (info,) = header.findall("ds:Signature/ds:SignedInfo", NS)
    (reference,) = info.findall("ds:Reference", NS)
    assert reference.get("URI") == f"#{stamp.get(WSU_ID)}"
    digest = hashes.Hash(hashes.SHA256())
    digest.update(canonical(stamp))
    assert b64decode(text(reference, "ds:DigestValue")) == digest.finalize()

    (token,) = header.findall("wsse:BinarySecurityToken", NS)
    named = header.find("ds:Signature/ds:KeyInfo/wsse:SecurityTokenReference/wsse:Reference", NS)
    assert named is not None
    assert named.get("URI") == f"#{token.get(WSU_ID)}"
    key = x509.load_der_x509_certificate(b64decode(token.text or "")).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    signature = b64decode(text(header, "ds:Signature/ds:SignatureValue"))
    key.verify(signature, canonical(info), padding.PKCS1v15(), hashes.SHA256())


def canonical(element: "etree._Element") -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True)


def test_only_a_sha256_digestinfo_is_signed() -> None:
    blocks: list[bytes] = []

    def noting(block: bytes) -> bytes:
        blocks.append(block)
        return sign(block)

    sent(method_of(CertificateCredential(CERTIFICATE, noting)))
    (block,) = blocks
    assert len(block) == 51
    assert block.startswith(bytes.fromhex("3031300d060960864801650304020105000420"))


@pytest.mark.parametrize("credential", [PIN, PASSWORD, WINDOWS])
def test_secrets_are_known_in_every_spelling(credential: Credential) -> None:
    secret = "7205" if credential is PIN else "Passw0rd!"
    assert secret in method_of(credential).secrets
    assert len(method_of(credential).secrets) == 2
    assert secret not in repr(credential)


def test_kerberos_without_a_password_has_no_secret() -> None:
    assert method_of(WindowsCredential(Way.KERBEROS)).secrets == frozenset()


def test_a_certificate_is_one_credential_whatever_signs() -> None:
    assert CertificateCredential(CERTIFICATE, lambda block: block) == CERTIFIED


def test_password_that_utf8_cannot_carry_is_refused_without_naming_it() -> None:
    with pytest.raises(UsageError) as caught:
        method_of(PasswordCredential("alice", "canary\ud800")).security()
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_every_way_has_its_ports() -> None:
    assert set(PORTS) == set(Way)
    assert all(PORTS.values())


def test_compact_ticket_is_told_to_be_of_no_use() -> None:
    answer = (
        b"<e><RequestSecurityTokenResponse><RequestedSecurityToken><UserToken>cwt=abc</UserToken>"
        b"</RequestedSecurityToken></RequestSecurityTokenResponse></e>"
    )
    with pytest.raises(NotOffered, match=re.escape("compact one (CWT)")):
        read_ticket(parse(answer, "pool.test"), ENDPOINT, bytes(32))
