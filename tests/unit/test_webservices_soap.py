"""The envelopes that zeep builds out of the bundled files."""

import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from lxml import etree

from usbprov.net.credentials import PinCredential
from usbprov.phone.endpoint import Endpoint
from usbprov.webservices import soap
from usbprov.webservices.adapters import load_pin_form
from usbprov.webservices.issue import issue_fields
from usbprov.webservices.publish import publish_fields
from usbprov.webservices.session import Answer

ENDPOINT = Endpoint("2ebb6f264f")
URL = "https://pool.test/service"
S = "{http://schemas.xmlsoap.org/soap/envelope/}"
WST = "{http://docs.oasis-open.org/ws-sx/ws-trust/200512}"
WST_SLASH = "{http://docs.oasis-open.org/ws-sx/ws-trust/200512/}"
OCS = "{http://schemas.microsoft.com/OCS/AuthWebServices/}"
WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
WSTEP = "{http://schemas.microsoft.com/windows/pki/2009/01/enrollment}"
WSA = "{http://www.w3.org/2005/08/addressing}"
WSP = "{http://schemas.xmlsoap.org/ws/2004/09/policy}"


class Recorder:
    """Takes what would be posted."""

    def __init__(self) -> None:
        self.url, self.body, self.headers = "", b"", dict[str, str]()

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.url, self.body, self.headers = url, body, dict(headers)
        return Answer(url, 200, {}, b"")

    @property
    def envelope(self) -> "etree._Element":
        return etree.fromstring(self.body)


def issue(post: soap.Post) -> Answer:
    header = load_pin_form().header(PinCredential("1001", "7205"))
    fields = issue_fields("https://pool.test/port", ENDPOINT, bytes(32))
    return soap.call(post, soap.Operation.ISSUE, URL, header, fields)


def publish(post: soap.Post, content: bytes = b"<kept  a='1'/>", name: str = "alice") -> Answer:
    fields = publish_fields(f"sip:{name}@contoso.com", bytes(100), ENDPOINT, uuid.UUID(int=7))
    return soap.call(post, soap.Operation.PUBLISH, URL, soap.insert_of(content), fields)


def test_ticket_request_has_the_form_of_the_sheet() -> None:
    post = Recorder()
    assert issue(post).url == post.url == URL
    assert post.headers["SOAPAction"] == (
        '"http://docs.oasis-open.org/ws-sx/ws-trust/200512/RST/Issue"'
    )
    assert post.headers["Content-Type"].startswith("text/xml")
    request = post.envelope.find(f"{S}Body/{WST}RequestSecurityToken")
    assert request is not None
    assert request.get("Context") == "124841e4-264d-52e8-96c5-d22aa8cdc316"
    assert [e.tag for e in request] == [
        f"{WST}TokenType",
        f"{WST}RequestType",
        f"{WSP}AppliesTo",
        f"{WST}Entropy",
        f"{WST}KeyType",
    ]
    assert request.findtext(f"{WST}TokenType", "").endswith("saml-token-profile-1.1#SAMLV1.1")
    assert request[1].text == "http://schemas.xmlsoap.org/ws/2005/02/trust/Issue"
    assert request.findtext(f"{WST}KeyType", "").endswith("ws-trust/200512/SymmetricKey")
    path = f"{WSP}AppliesTo/{WSA}EndpointReference/{WSA}Address"
    assert request.findtext(path) == "https://pool.test/port"
    assert request.findtext(f"{WST}Entropy/{WST}BinarySecret") == "A" * 43 + "="


def test_ticket_request_has_addressing_and_credentials() -> None:
    post = Recorder()
    issue(post)
    header = post.envelope.find(f"{S}Header")
    assert header is not None
    names = [etree.QName(e).localname for e in header]
    assert names == ["To", "ReplyTo", "MessageID", "Action", "Security"]
    assert header.findtext(f"{WSSE}Security/{WSSE}UsernameToken/{WSSE}Password") == "7205"


def test_certificate_request_has_the_form_of_the_sheet() -> None:
    post = Recorder()
    publish(post)
    request = post.envelope.find(f"{S}Body/{OCS}GetAndPublishCert")
    assert request is not None
    assert dict(request.attrib) == {
        "DeviceId": "{124841e4-264d-52e8-96c5-d22aa8cdc316}",
        "Entity": "alice@contoso.com",
    }
    token = request.find(f"{WST_SLASH}RequestSecurityToken")
    assert token is not None
    assert [e.tag for e in token] == [
        f"{WST_SLASH}TokenType",
        f"{WST_SLASH}RequestType",
        f"{WSSE}BinarySecurityToken",
        f"{WSTEP}RequestID",
    ]
    assert token[2].get("ValueType", "").endswith("AuthWebServices.xsd#PKCS10")
    assert token[2].get("EncodingType", "").endswith("#Base64Binary")


def test_kept_bytes_stand_in_the_header_as_they_are() -> None:
    post = Recorder()
    content = b"<saml:A xmlns:saml='urn:x'\n b=\"'\"><!-- c -->\r\n</saml:A >"
    publish(post, content)
    assert post.body.count(b">" + content + b"</wsse:Security>") == 1


def test_files_are_read_once_and_never_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    publish(Recorder())
    issue(Recorder())
    loaded: list[str] = []
    monkeypatch.setattr(soap.BundledOnly, "load", lambda self, url: loaded.append(url))
    publish(Recorder())
    issue(Recorder())
    assert loaded == []


@pytest.mark.parametrize(
    "url",
    [
        "http://pool.test/x.xsd",
        "file:///etc/passwd",
        "file:///usbprov/../client.py",
        "certprov",
        "",
    ],
)
def test_nothing_but_bundled_files_is_loaded(url: str) -> None:
    with pytest.raises((LookupError, IsADirectoryError)):
        soap.BundledOnly().load(url)


def test_threads_do_not_mix_their_calls() -> None:
    def one(number: int) -> bool:
        post = Recorder()
        publish(post, b"<n>%d</n>" % number, f"user{number}")
        return b"<n>%d</n>" % number in post.body and f'"user{number}@' in post.body.decode()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(64)))
