"""The proof of possession at the certificate service: vectors, and what is not accepted."""

from datetime import timedelta

import pytest
from lab_parts import NOW, tickets
from lxml import etree

from usbprov.lab.security import authenticate, verify_proof
from usbprov.lab.soap import SoapFault
from usbprov.lab.tickets import Grant, p_sha1

WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
KEY = bytes.fromhex("2f738c0d36c86c17dc1c0c4578d6a194847b817095b34c840403604f0947ac4c")
GRANT = Grant("sip:alice@contoso.com", proof_key=KEY)
CREATED, EXPIRES = "2012-05-01T08:00:00Z", "2012-05-01T16:00:00Z"

STAMP_A = (
    f'<wsu:Timestamp xmlns:wsu="{WSU}" wsu:Id="timestamp"><Created xmlns="{WSU}">{CREATED}'
    f'</Created><Expires xmlns="{WSU}">{EXPIRES}</Expires></wsu:Timestamp>'
)
STAMP_B = (
    f'<wsu:Timestamp xmlns:wsu="{WSU}" wsu:Id="timestamp"><wsu:Created>{CREATED}</wsu:Created>'
    f"<wsu:Expires>{EXPIRES}</wsu:Expires></wsu:Timestamp>"
)
VECTORS = {
    "A": (STAMP_A, "CxdcKgujq4e7NvhYmCX5WMhaniE=", "YcwgCgWLpD0ZGrm3pKBn2d66R+4="),
    "B": (STAMP_B, "lkoZxI1F6Krf68tWazQJuvrHZzg=", "wmf7AXrCV2ztGnpinHvMmohmxwc="),
}
SIGNATURE = (
    '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"> '
    '<SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><CanonicalizationMethod '
    'Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></CanonicalizationMethod>'
    '<SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#hmac-sha1"></SignatureMethod>'
    '<Reference URI="#timestamp"><Transforms><Transform '
    'Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></Transform></Transforms><DigestMethod '
    'Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"></DigestMethod>'
    "<DigestValue>{digest}</DigestValue></Reference></SignedInfo> "
    "<SignatureValue>{value}</SignatureValue> <KeyInfo>  <wsse:SecurityTokenReference "
    'wsse:TokenType="http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1">   '
    "<wsse:KeyIdentifier ValueType="
    '"http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID">{name}'
    "</wsse:KeyIdentifier>  </wsse:SecurityTokenReference> </KeyInfo></Signature>"
)


def header(vector: str, name: str = "an-id", assertion: str = "") -> etree._Element:
    stamp, digest, value = VECTORS[vector]
    signed = SIGNATURE.format(digest=digest, value=value, name=name)
    return etree.fromstring(
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:wsse="{WSSE}" '
        f'xmlns:unused="urn:u" xmlns:wsu="{WSU}"><wsse:Security>{stamp}{assertion}{signed}'
        "</wsse:Security></s:Envelope>"
    )[0]


@pytest.mark.parametrize("vector", VECTORS)
def test_the_published_vectors_verify(vector):
    timestamp = verify_proof(header(vector), KEY, "an-id")
    assert timestamp.findtext(f"{{{WSU}}}Expires") == EXPIRES


@pytest.mark.parametrize("vector", VECTORS)
def test_the_vectors_do_not_verify_with_another_key(vector):
    with pytest.raises(SoapFault, match="signature value"):
        verify_proof(header(vector), bytes(32), "an-id")


@pytest.mark.parametrize("vector", VECTORS)
def test_a_changed_timestamp_does_not_verify(vector):
    security = header(vector)
    security[0][1].text = "2012-05-01T16:00:01Z"
    with pytest.raises(SoapFault, match="digest"):
        verify_proof(security, KEY, "an-id")


@pytest.mark.parametrize("vector", VECTORS)
def test_a_whole_header_with_the_vector_is_accepted(vector):
    office = tickets()
    assertion = office.issue(GRANT, NOW, NOW + timedelta(hours=8))
    name = assertion.get("AssertionID")
    security = header(vector, name, etree.tostring(assertion).decode())
    ticket = authenticate(security, office, NOW + timedelta(hours=1))
    assert ticket.sip_uri == "sip:alice@contoso.com"
    assert ticket.assertion_id == name


@pytest.mark.parametrize(
    "moment", [NOW - timedelta(minutes=6), NOW + timedelta(hours=8), NOW + timedelta(days=400)]
)
def test_outside_its_life_the_ticket_is_refused(moment):
    office = tickets()
    assertion = office.issue(GRANT, NOW, NOW + timedelta(hours=8))
    security = header("A", assertion.get("AssertionID"), etree.tostring(assertion).decode())
    with pytest.raises(SoapFault, match="not valid now"):
        authenticate(security, office, moment)


def test_the_vectors_key_comes_from_both_entropies():
    assert p_sha1(bytes(range(32)), bytes(range(0x80, 0xA0))) == KEY


def test_p_sha1_of_another_size_begins_the_same():
    """P_hash is a stream: a longer output continues a shorter one (RFC 2246 5)."""
    longer = p_sha1(b"secret", b"seed", 100)
    assert len(longer) == 100
    assert p_sha1(b"secret", b"seed", 7) == longer[:7]


def test_without_a_header_nobody_is_known():
    with pytest.raises(SoapFault, match="no Security header"):
        authenticate(None, tickets(), NOW)


@pytest.mark.parametrize("gone", ["Timestamp", "Signature"])
def test_what_is_missing_is_refused(gone):
    security = header("A")
    security.remove(security.find(f"{{*}}{gone}"))
    with pytest.raises(SoapFault, match="not one timestamp and one signature"):
        verify_proof(security, KEY, "an-id")


@pytest.mark.parametrize(
    "path",
    [
        "SignedInfo",
        "SignatureValue",
        "KeyInfo",
        "SignedInfo/{*}Reference",
        "SignedInfo/{*}SignatureMethod",
        "SignedInfo/{*}CanonicalizationMethod",
        "SignedInfo/{*}Reference/{*}Transforms",
        "SignedInfo/{*}Reference/{*}Transforms/{*}Transform",
        "SignedInfo/{*}Reference/{*}DigestValue",
        "KeyInfo/{*}SecurityTokenReference/{*}KeyIdentifier",
    ],
)
@pytest.mark.parametrize("double", [False, True])
def test_every_part_of_the_signature_must_be_there_once(path, double):
    import copy

    security = header("A")
    part = security.find(f"{{*}}Signature/{{*}}{path}")
    if double:
        part.addnext(copy.deepcopy(part))
    else:
        part.getparent().remove(part)
    with pytest.raises(SoapFault):
        verify_proof(security, KEY, "an-id")
