"""The Web ticket: made, opened, and forged in vain."""

import re
from datetime import timedelta

import pytest
from lab_parts import NOW, identity, tickets
from lxml import etree
from signxml.exceptions import InvalidInput
from signxml.verifier import XMLVerifier

from usbprov.lab.metadata import Endpoints
from usbprov.lab.soap import SoapFault
from usbprov.lab.tickets import Grant, ProvedBy, Tickets

KEY = bytes(range(32))
USER = "sip:alice@contoso.com"


def issued(office: Tickets) -> etree._Element:
    return office.issue(Grant(USER, proof_key=KEY), NOW, NOW + timedelta(hours=8))


def sent(assertion: etree._Element) -> etree._Element:
    """The assertion as it comes back within another document."""
    return etree.fromstring(b"<x xmlns:y='urn:y'>" + etree.tostring(assertion) + b"</x>")[0]


def test_a_ticket_gives_back_what_was_put_in():
    ticket = tickets().open(sent(issued(tickets())), NOW)
    assert (ticket.sip_uri, ticket.proof_key) == (USER, KEY)
    assert (ticket.not_before, ticket.not_after) == (NOW, NOW + timedelta(hours=8))


def test_the_proof_key_is_neither_in_the_clear_nor_in_the_repr():
    assertion = issued(tickets())
    ticket = tickets().open(assertion, NOW)
    import base64

    assert base64.b64encode(KEY) not in etree.tostring(assertion)
    assert repr(KEY) not in repr(ticket)


def test_the_form_is_that_of_the_field():
    text = etree.tostring(issued(tickets())).decode()
    assert re.match(
        r'<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:1.0:assertion" MajorVersion="1" '
        r'MinorVersion="1" AssertionID="SamlSecurityToken-[0-9a-f-]{36}" Issuer="https://',
        text,
    )
    assert f">{USER}</saml:NameIdentifier>" in text
    assert "<e:CipherValue>" in text
    assert "cm:holder-of-key<" in text


def test_its_signature_verifies_for_anybody_with_the_certificate():
    verified = XMLVerifier().verify(
        etree.tostring(issued(tickets())),
        x509_cert=identity().certificate,
        id_attribute="AssertionID",
    )
    assert verified.signed_xml.get("AssertionID").startswith("SamlSecurityToken-")


def test_the_ticket_of_another_signer_is_refused():
    with pytest.raises(SoapFault, match="signature"):
        tickets().open(issued(tickets(1)), NOW)


def test_the_ticket_of_another_pool_is_refused():
    """The same signing key, another front end's name: issuer and audience must be this one's."""
    from lab_parts import authority

    other = Tickets(authority(), Endpoints("https://otherpool.contoso.com"))
    with pytest.raises(SoapFault, match="incomplete"):
        tickets().open(issued(other), NOW)


def test_a_proof_key_wrapped_for_somebody_else_is_refused():
    with pytest.raises(SoapFault, match="incomplete"):
        tickets().open(issued(tickets(wrapping_key=b"w" * 32)), NOW)


def test_hmac_with_the_public_certificate_is_no_signature():
    """The old confusion of asymmetric and symmetric algorithms."""
    from cryptography.hazmat.primitives.serialization import Encoding
    from signxml.algorithms import CanonicalizationMethod, SignatureMethod
    from signxml.signer import XMLSigner

    assertion = issued(tickets())
    assertion.remove(assertion.find("{*}Signature"))
    signer = XMLSigner(
        signature_algorithm=SignatureMethod.HMAC_SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    forged = signer.sign(
        assertion,
        key=identity().certificate.public_bytes(Encoding.PEM),
        reference_uri=assertion.get("AssertionID"),
        id_attribute="AssertionID",
    )
    with pytest.raises(SoapFault, match="signature"):
        tickets().open(forged, NOW)


def test_a_signature_over_a_part_only_is_refused():
    """A true signature of this server, but not over the assertion: what it covers is no ticket."""
    from signxml.algorithms import CanonicalizationMethod
    from signxml.signer import XMLSigner

    assertion = issued(tickets())
    assertion.remove(assertion.find("{*}Signature"))
    assertion.find("{*}Conditions").set("AssertionID", "part")
    signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    forged = signer.sign(
        assertion,
        key=identity().key,
        cert=[identity().certificate],
        reference_uri="part",
        id_attribute="AssertionID",
    )
    with pytest.raises(SoapFault, match="what is signed is not the assertion"):
        tickets().open(forged, NOW)


@pytest.mark.parametrize(
    "garbage",
    [
        "<Assertion/>",
        '<a xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:Signature/></a>',
        (
            '<a xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:Signature><ds:SignedInfo/>'
            "</ds:Signature></a>"
        ),
    ],
)
def test_garbage_is_refused_in_good_order(garbage):
    with pytest.raises(SoapFault):
        tickets().open(etree.fromstring(garbage), NOW)


def test_importing_the_library_alone_would_not_verify_without_a_certificate():
    """The check above rests on the pinned certificate: without one, the library refuses."""
    assertion = issued(tickets())
    assertion.find("{*}Signature").remove(assertion.find("{*}Signature/{*}KeyInfo"))
    with pytest.raises(InvalidInput):
        XMLVerifier().verify(etree.tostring(assertion), id_attribute="AssertionID")
    assert tickets().open(assertion, NOW).sip_uri == USER


BEARER = "https://lyncpool.contoso.com/Autodiscover/AutodiscoverService.svc/root/user"


def test_a_ticket_without_proof_key_is_for_its_audience_only():
    office = tickets()
    bearer = office.issue(Grant(USER, bearer_audience=BEARER), NOW, NOW + timedelta(hours=1))
    ticket = office.open(sent(bearer), NOW, BEARER)
    assert (ticket.sip_uri, ticket.proof_key) == (USER, b"")
    for audience in (None, BEARER + "x"):
        with pytest.raises(SoapFault, match="incomplete"):
            office.open(sent(bearer), NOW, audience)
    with pytest.raises(SoapFault, match="incomplete"):
        office.open(sent(issued(office)), NOW, BEARER)


@pytest.mark.parametrize("proved_by", ProvedBy)
def test_a_ticket_says_how_its_user_was_proved(proved_by):
    grant = Grant(USER, proved_by, proof_key=KEY)
    assertion = tickets().issue(grant, NOW, NOW + timedelta(hours=8))
    found = assertion.find("{*}AuthenticationStatement").get("AuthenticationMethod")
    assert found == proved_by.value


def test_a_compact_ticket_shows_no_key_and_is_of_its_server():
    end = NOW + timedelta(hours=1)
    made = tickets().compact(USER, end)
    assert made.startswith("cwt=")
    assert made == tickets().compact(USER, end)
    assert made != tickets(wrapping_key=b"w" * 32).compact(USER, end)
