"""What is recorded of an HTTP exchange holds no secret, and still can be replayed."""

import json
from base64 import b64encode
from collections.abc import Iterable

import pytest
from requests.structures import CaseInsensitiveDict
from test_webservices_issue import ASSERTION, ENDPOINT, ENTROPY, LIFETIME, SERVER, WST

from usbprov.errors import AnswerInvalid
from usbprov.pki.certificates import to_der
from usbprov.pki.keys import generate_rsa
from usbprov.pki.requests import build_request
from usbprov.tape.deck import recording
from usbprov.tape.events import Kind, packed
from usbprov.webservices.faults import complaint_error
from usbprov.webservices.issue import read_ticket
from usbprov.webservices.redaction import address_of, answer_note, request_note, revived_answer
from usbprov.webservices.session import Answer
from usbprov.webservices.xmlsafe import parse

PIN, PASSWORD = "90210673", "Canary-Passw0rd"
NTLM = "TlRMTVNTUAADAAAAcanary" + "A" * 60
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"


def envelope(body: str, header: str = "") -> bytes:
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return f'<s:Envelope xmlns:s="{SOAP}">{head}<s:Body>{body}</s:Body></s:Envelope>'.encode()


def answer(body: bytes, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer("https://pool.test/a?b=c", status, CaseInsensitiveDict(named), body)


def told(note: object) -> str:
    return json.dumps(packed(note))


def replayed(of: Answer) -> Answer:
    return revived_answer(json.loads(told(answer_note(of))))


TICKET = envelope(
    f'<r:RequestSecurityTokenResponseCollection xmlns:r="{WST}" xmlns="{WST}">'
    "<RequestSecurityTokenResponse>"
    f"<RequestedSecurityToken>{ASSERTION}</RequestedSecurityToken>"
    f"<RequestedProofToken><ComputedKey>{WST}/CK/PSHA1</ComputedKey></RequestedProofToken>"
    f"{ENTROPY}<Lifetime>{LIFETIME}</Lifetime></RequestSecurityTokenResponse>"
    "</r:RequestSecurityTokenResponseCollection>"
)


def test_a_ticket_is_replaced_by_one_for_the_same_user() -> None:
    note = told(answer_note(answer(TICKET)))
    for secret in ("SamlSecurityToken", "<saml", b64encode(SERVER).decode(), "BinarySecret"):
        assert secret in TICKET.decode()
        assert secret not in note
    again = read_ticket(parse(replayed(answer(TICKET)).body, "tape"), ENDPOINT, bytes(32))
    real = read_ticket(parse(TICKET, "pool"), ENDPOINT, bytes(32))
    assert (again.sip_uri, again.expires) == (real.sip_uri, real.expires)
    assert again.assertion != real.assertion
    assert again.key != real.key


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda t: t.replace(b' AssertionID="Saml', b' Id="Saml'), "AssertionID"),
        (lambda t: t.replace(b"alice@contoso.com", b"nobody"), "SIP address"),
        (lambda t: t.replace(b64encode(SERVER), b"AAAA"), "key material"),
        (lambda t: t.replace(b"2012-05-01T16", b"never"), "expires"),
        (lambda t: t.replace(b"</saml:Subject >", b"</saml:Subject ><saml:NameIdentifier xmlns:"
         b'saml="urn:oasis:names:tc:SAML:1.0:assertion">sip:bob@contoso.com'
         b"</saml:NameIdentifier>"), "2 users"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_ticket_is_wrong_with_its_stand_in(spoil, problem) -> None:
    body = spoil(TICKET)
    assert body != TICKET
    for seen in (body, replayed(answer(body)).body):
        with pytest.raises(AnswerInvalid, match=problem):
            read_ticket(parse(seen, "pool"), ENDPOINT, bytes(32))


SENT = [
    (
        f'<w:Security xmlns:w="{WSSE}"><w:UsernameToken><w:Username>1001</w:Username>'
        f"<w:Password>{PIN}</w:Password></w:UsernameToken></w:Security>"
    ),
    f'<w:Security xmlns:w="{WSSE}"><Value>{PIN}</Value><To a="{PIN}">{PIN}</To></w:Security>',
    f'<Phone xmlns="urn:site"><Value Id="{PIN}">{PIN}</Value></Phone>',
    f'<w:Security xmlns:w="{WSSE}">{ASSERTION}<SignatureValue>{PIN}</SignatureValue></w:Security>',
]


@pytest.mark.parametrize("header", SENT, ids=["token", "form", "header", "ticket"])
def test_what_proves_a_user_is_not_recorded(header: str) -> None:
    to = "<To>https://pool.test/pin</To>"
    note = told(request_note(envelope("<a/>", to + header), {"SOAPAction": "x"}))
    assert "https://pool.test/pin" in note
    for secret in (PIN, "SamlSecurityToken", "SignatureValue", "UsernameToken"):
        assert secret not in note


def test_the_share_of_the_key_is_not_recorded() -> None:
    share = b64encode(bytes(range(32))).decode()
    body = f"<Entropy><BinarySecret>{share}</BinarySecret></Entropy><TokenType>t</TokenType>"
    note = told(request_note(envelope(body), {}))
    assert share not in note
    assert "<TokenType>t</TokenType>" in note


def test_a_request_for_a_certificate_is_public_and_a_token_is_not() -> None:
    key = generate_rsa()
    request = b64encode(build_request(key, "alice")).decode()
    inner = "<BinarySecurityToken>{}</BinarySecurityToken>"
    assert request in told(request_note(envelope(inner.format(request)), {}))
    token = b64encode(b"cwt=canary-ticket").decode()
    assert token not in told(answer_note(answer(envelope(inner.format(token)))))


def test_headers_tell_schemes_and_no_tokens() -> None:
    note = told(request_note(b"", {"Authorization": f"NTLM {NTLM}", "Cookie": "canary-cookie"}))
    assert NTLM not in note
    assert "canary-cookie" not in note
    assert '"scheme": "NTLM"' in note
    challenged = answer(
        b"",
        401,
        WWW_Authenticate=f'NTLM {NTLM}, Negotiate, Basic realm="x, NTLM y"',
        Set_Cookie="canary=1",
        X_Other="canary-header",
        Location="https://u:canary-user@pool.test/b?ticket=canary-query#canary-fragment",
    )
    note = told(answer_note(challenged))
    assert "canary" not in note
    assert NTLM not in note
    assert '"NTLM"' in note
    assert '"Negotiate"' in note
    assert "https://pool.test/b" in note


def test_addresses_lose_what_may_be_private() -> None:
    assert address_of("https://u:p@pool.test:1/a/b?c=d#e") == "https://pool.test:1/a/b"


FAULT = (
    "<s:Fault><faultcode>s:Client</faultcode><faultstring>PIN {} was wrong</faultstring><detail>"
    '<OCSDiagnosticsFault xmlns="urn:component:Microsoft.Rtc.WebAuthentication.2010">'
    "<Ms-Diagnostics-Fault><ErrorId>28020</ErrorId><Reason>Not {} for {}</Reason>"
    "</Ms-Diagnostics-Fault></OCSDiagnosticsFault></detail></s:Fault>"
)


class Knowing:
    """A recorder that knows secrets."""

    def note(self, kind: Kind, body: object) -> None: ...

    def hide(self, secrets: Iterable[str]) -> None: ...

    def hidden(self, text: str) -> str:
        return text.replace(PIN, "***")


def test_a_fault_keeps_its_words_but_not_the_pin_in_them() -> None:
    body = envelope(FAULT.format(PIN, PIN, "<!-- canary-comment -->alice"))
    fault = answer(body, 500, X_Ms_diagnostics=f'28020;reason="PIN {PIN}"')
    with recording(Knowing()):
        note = told(answer_note(fault))
        again = revived_answer(json.loads(note))
    assert PIN not in note
    assert "canary" not in note
    real, replay = complaint_error(fault, {PIN}), complaint_error(again)
    assert type(replay) is type(real)
    assert "for alice" in str(replay)


def test_long_blobs_in_words_are_no_words() -> None:
    blob = b64encode(b"a ticket that came back in a fault's words").decode()
    assert blob not in told(answer_note(answer(envelope(FAULT.format(blob, blob, "a")), 500)))


@pytest.mark.parametrize(
    "body",
    [
        f"<html><p>{PIN}<br></html>".encode(),
        f'<!DOCTYPE a [<!ENTITY b "{PIN}">]><a>&b;</a>'.encode(),
        PIN.encode(),
        b"\xff\xfe" + PIN.encode("utf-16-le"),
    ],
)
def test_what_is_no_xml_is_kept_as_its_size(body: bytes) -> None:
    note = answer_note(answer(body, 503))
    assert PIN not in told(note)
    assert len(replayed(answer(body, 503)).body) == len(body)
    assert replayed(answer(body, 503)).status == 503
    with pytest.raises(AnswerInvalid):
        parse(replayed(answer(body, 503)).body, "tape")


def test_unknown_elements_keep_their_names_and_not_their_texts() -> None:
    note = told(answer_note(answer(envelope("<New b='canary-attribute'>canary-text</New>"))))
    assert "New" in note
    assert "canary" not in note


def test_metadata_are_kept_whole() -> None:
    wsdl = b'<definitions xmlns="urn:w"><port name="P"><!-- no --><address location="https://x"/></port></definitions>'
    again = replayed(answer(wsdl)).body
    assert b'location="https://x"' in again
    assert b'name="P"' in again
    assert b"no" not in again


@pytest.mark.parametrize(
    "note",
    [
        None,
        {},
        {"status": 1000},
        {"status": "200"},
        {"status": 200, "body": {"xml": "<a"}},
        {"status": 200, "body": {"xml": "<!DOCTYPE a><a/>"}},
        {"status": 200, "body": {"size": 1 << 40}},
        {"status": 200, "body": {"size": "x"}},
    ],
)
def test_a_made_up_answer_is_refused(note: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        revived_answer(note)  # type: ignore[arg-type]


def test_a_certificate_is_kept(tmp_path: object) -> None:
    from doubles.services import ROOT as CERTIFICATE

    text = b64encode(to_der(CERTIFICATE)).decode()
    body = envelope(f"<BinarySecurityToken>{text}</BinarySecurityToken>")
    assert text.encode() in replayed(answer(body)).body
