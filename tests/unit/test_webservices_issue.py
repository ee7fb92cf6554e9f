"""The request for a ticket, and what is taken out of its answer."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from usbprov.errors import AnswerInvalid, UsageError
from usbprov.net.credentials import PinCredential
from usbprov.phone.endpoint import Endpoint
from usbprov.webservices.adapters import load_pin_form
from usbprov.webservices.issue import read_ticket
from usbprov.webservices.proof import timestamp
from usbprov.webservices.ticket import Ticket
from usbprov.webservices.xmlsafe import parse

ENDPOINT = Endpoint("2ebb6f264f")
WST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
CLIENT, SERVER = bytes(range(32)), bytes(range(0x80, 0xA0))
KEY = "2f738c0d36c86c17dc1c0c4578d6a194847b817095b34c840403604f0947ac4c"
NAME = (
    '<saml:NameIdentifier Format="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/uri">'
    "sip:alice@contoso.com</saml:NameIdentifier>"
)
ASSERTION = (
    "<saml:Assertion  xmlns:saml='urn:oasis:names:tc:SAML:1.0:assertion'\n"
    ' AssertionID="SamlSecurityToken-5d1d2c6e-2f0c-4a3b-9a53-0c5c6f5b1e11"><!-- kept -->\r\n'
    f"<saml:Subject>{NAME}</saml:Subject ></saml:Assertion>"
)
LIFETIME = (
    f'<Created xmlns="{WSU}">2012-05-01T08:00:00Z</Created>'
    f'<Expires xmlns="{WSU}">2012-05-01T16:00:00Z</Expires>'
)
ENTROPY = f"<Entropy><BinarySecret>{b64encode(SERVER).decode()}</BinarySecret></Entropy>"
CONTEXT = ' Context="124841e4-264d-52e8-96c5-d22aa8cdc316"'


def read(
    assertion: str = ASSERTION,
    lifetime: str = LIFETIME,
    entropy: str = ENTROPY,
    context: str = CONTEXT,
    more: str = "",
) -> Ticket:
    body = (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:u="{WSU}"><s:Body>'
        f'<RequestSecurityTokenResponseCollection xmlns="{WST}">'
        f"<RequestSecurityTokenResponse{context}>"
        f"<RequestedSecurityToken>{assertion}</RequestedSecurityToken>"
        f"<RequestedProofToken><ComputedKey>{WST}/CK/PSHA1</ComputedKey></RequestedProofToken>"
        f"{entropy}<Lifetime>{lifetime}</Lifetime></RequestSecurityTokenResponse>{more}"
        "</RequestSecurityTokenResponseCollection></s:Body></s:Envelope>"
    )
    return read_ticket(parse(body.encode(), "pool.test"), ENDPOINT, CLIENT)


def test_ticket_is_read() -> None:
    ticket = read()
    assert ticket.sip_uri == "sip:alice@contoso.com"
    assert ticket.expires == datetime(2012, 5, 1, 16, tzinfo=UTC)
    assert ticket.assertion_id == "SamlSecurityToken-5d1d2c6e-2f0c-4a3b-9a53-0c5c6f5b1e11"
    assert ticket.assertion == ASSERTION.encode()
    assert ticket.lifetime == LIFETIME.encode()
    assert ticket.key.hex() == KEY


def test_scheme_of_the_user_is_in_small_letters() -> None:
    shouted = ASSERTION.replace("sip:alice", "SIP:Alice")
    assert read(assertion=shouted).sip_uri == "sip:Alice@contoso.com"


def test_ticket_without_a_context_is_taken() -> None:
    assert read(context="").sip_uri == "sip:alice@contoso.com"


def test_prefixed_lifetime_is_kept_where_the_prefix_is_known() -> None:
    prefixed = "<wsu:Created>a</wsu:Created><wsu:Expires>2012-05-01T16:00:00Z</wsu:Expires>"
    declared = prefixed.replace(":Created>a", f':Created xmlns:wsu="{WSU}">a').replace(
        "<wsu:Expires>", f'<wsu:Expires xmlns:wsu="{WSU}">'
    )
    assert read(lifetime=declared).lifetime == declared.encode()


@pytest.mark.parametrize(
    "lifetime",
    [
        "<u:Created>a &amp; b</u:Created><u:Expires>2012-05-01T16:00:00Z</u:Expires>",
        "<Created>a &amp; b</Created><Expires>2012-05-01T16:00:00Z</Expires>",
    ],
)
def test_lifetime_that_cannot_stand_alone_is_written_anew(lifetime: str) -> None:
    stamp = etree.fromstring(timestamp(read(lifetime=lifetime).lifetime))
    assert [(child.tag, child.text) for child in stamp] == [
        (f"{{{WSU}}}Created", "a & b"),
        (f"{{{WSU}}}Expires", "2012-05-01T16:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2012-05-01T16:00:00.1234567Z", datetime(2012, 5, 1, 16, 0, 0, 123456, UTC)),
        ("2012-05-01T18:00:00+02:00", datetime(2012, 5, 1, 16, tzinfo=UTC)),
        ("2012-05-01T16:00:00", datetime(2012, 5, 1, 16, tzinfo=UTC)),
    ],
)
def test_expiry_is_understood(text: str, moment: datetime) -> None:
    assert read(lifetime=LIFETIME.replace("2012-05-01T16:00:00Z", text)).expires == moment


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"context": ' Context="4b1682a8-f968-5701-83fc-7c6741dc6697"'}, "another request"),
        ({"assertion": ""}, "0 Assertion"),
        ({"assertion": ASSERTION * 2}, "2 Assertion"),
        ({"assertion": ASSERTION.replace(NAME, "")}, "names 0 users"),
        ({"assertion": ASSERTION.replace(NAME, NAME + NAME.replace("alice", "bob"))}, "2 users"),
        ({"assertion": ASSERTION.replace("sip:alice", "tel:alice")}, "SIP address"),
        ({"assertion": ASSERTION.replace("alice@", "al ice@")}, "SIP address"),
        ({"assertion": ASSERTION.replace("alice@", "al&lt;ice@")}, "SIP address"),
        ({"assertion": ASSERTION.replace("SamlSecurityToken-", "Saml&lt;")}, "AssertionID"),
        ({"assertion": ASSERTION.replace("AssertionID", "Id")}, "AssertionID"),
        ({"entropy": ""}, "key material"),
        ({"entropy": "<Entropy><BinarySecret>AAAA</BinarySecret></Entropy>"}, "key material"),
        ({"entropy": "<Entropy><BinarySecret>!!</BinarySecret></Entropy>"}, "key material"),
        ({"lifetime": LIFETIME.replace("2012-05-01T16:00:00Z", "soon")}, "expires"),
        ({"lifetime": LIFETIME.replace("2012-05-01T16:00:00Z", "0001-01-01T00:00+14:00")}, "exp"),
        ({"lifetime": ""}, "expires"),
        ({"more": "<RequestSecurityTokenResponse/>"}, "2 RequestSecurityTokenResponse"),
    ],
)
def test_unusable_answer_is_refused(parts: dict[str, str], problem: str) -> None:
    with pytest.raises(AnswerInvalid, match=problem):
        read(**parts)


def test_assertion_that_leans_on_the_envelope_is_refused() -> None:
    leaning = ASSERTION.replace("saml:Subject>", "u:Subject>").replace(
        "saml:Subject >", "u:Subject>"
    )
    with pytest.raises(AnswerInvalid, match="Assertion does not declare its own namespaces"):
        read(assertion=leaning)


def test_ticket_is_not_used_in_its_last_minute() -> None:
    ticket = read()
    assert ticket.usable(ticket.expires - timedelta(seconds=61))
    assert not ticket.usable(ticket.expires - timedelta(seconds=60))
    assert not ticket.usable()


def test_neither_ticket_nor_credential_shows_a_secret() -> None:
    shown = repr(read())
    assert "<saml" not in shown
    assert "/s" not in shown
    assert KEY not in shown
    assert "7205" not in repr(PinCredential("1001", "7205"))


def test_pin_is_sent_as_a_user_name_token() -> None:
    header = load_pin_form().header(PinCredential("1001", "<7&205>"))
    read_back = etree.fromstring(etree.tostring(header))
    assert [e.text for e in read_back[0]] == ["1001", "<7&205>"]


def test_pin_that_xml_cannot_carry_is_refused_without_naming_it() -> None:
    with pytest.raises(UsageError) as caught:
        load_pin_form().header(PinCredential("1001", "7205\x00canary"))
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None
