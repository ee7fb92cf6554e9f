"""The certificate request's fields, and what is taken out of its answer."""

import uuid
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from usbprov.errors import AnswerInvalid, RequestRefused, StoreUnreachable
from usbprov.phone.endpoint import Endpoint
from usbprov.webservices.publish import publish_fields, read_certificate
from usbprov.webservices.session import Answer

REQUEST_ID = uuid.UUID("2f0d6b8e-1a35-5c1e-9c49-52a7b1d4e803")
WST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512/"
OCS = "http://schemas.microsoft.com/OCS/AuthWebServices/"


def make_certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice@contoso.com")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


CERTIFICATE = make_certificate()
TOKEN = b64encode(CERTIFICATE).decode()


def answer(
    token: str = f"<BinarySecurityToken>\r\n {TOKEN[:76]}\n{TOKEN[76:]}</BinarySecurityToken>",
    request_id: str = f"<RequestID>{REQUEST_ID}</RequestID>",
    error: str = "",
) -> Answer:
    body = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<GetAndPublishCertResponse xmlns="{OCS}">{error}'
        f'<RequestSecurityTokenResponse xmlns="{WST}">'
        f"<RequestedSecurityToken>{token}</RequestedSecurityToken>{request_id}"
        "</RequestSecurityTokenResponse></GetAndPublishCertResponse></s:Body></s:Envelope>"
    )
    return Answer("https://pool.test/x", 200, {}, body.encode())


def test_certificate_is_read() -> None:
    assert read_certificate(answer(), REQUEST_ID) == CERTIFICATE


def test_request_id_need_not_come_back_nor_keep_its_case() -> None:
    assert read_certificate(answer(request_id=""), REQUEST_ID) == CERTIFICATE
    shouted = f"<RequestID> {str(REQUEST_ID).upper()} </RequestID>"
    assert read_certificate(answer(request_id=shouted), REQUEST_ID) == CERTIFICATE


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (answer(request_id=f"<RequestID>{uuid.uuid4()}</RequestID>"), "answers another request"),
        (answer(token=""), "0 certificates"),
        (answer(token=f"<BinarySecurityToken>{TOKEN}</BinarySecurityToken>" * 2), "2 certificates"),
        (
            answer(token=f"<x><BinarySecurityToken>{TOKEN}</BinarySecurityToken></x>"),
            "instead of one",
        ),
        (answer(token="<BinarySecurityToken/>"), "is none"),
        (answer(token=f"<BinarySecurityToken>{TOKEN[:-9]}</BinarySecurityToken>"), "is none"),
        (answer(token=f"<BinarySecurityToken>{TOKEN[:-8]}</BinarySecurityToken>"), "is none"),
        (answer(token="<BinarySecurityToken>§§§§</BinarySecurityToken>"), "is none"),
        (Answer("https://pool.test/x", 200, {}, b"<Envelope/>"), "no GetAndPublishCertResponse"),
        (Answer("https://pool.test/x", 200, {}, b"<html><br></html>"), "not well-formed"),
    ],
)
def test_unusable_answer_is_refused(found: Answer, problem: str) -> None:
    with pytest.raises(AnswerInvalid, match=problem):
        read_certificate(found, REQUEST_ID)


def test_two_certificates_in_one_token_are_refused() -> None:
    both = b64encode(CERTIFICATE * 2).decode()
    with pytest.raises(AnswerInvalid, match="is none"):
        read_certificate(answer(f"<BinarySecurityToken>{both}</BinarySecurityToken>"), REQUEST_ID)


def test_error_info_wins_over_a_certificate() -> None:
    error = "<ErrorInfo><ErrorId>1</ErrorId><Reason>Key too short.</Reason></ErrorInfo>"
    with pytest.raises(RequestRefused, match=r"Key too short\."):
        read_certificate(answer(error=error), REQUEST_ID)


def test_store_that_is_down_may_be_tried_again() -> None:
    error = "<ErrorInfo><Reason>The user store is unavailable.</Reason></ErrorInfo>"
    with pytest.raises(StoreUnreachable, match="store is unavailable") as caught:
        read_certificate(answer(error=error), REQUEST_ID)
    assert caught.value.retryable


def test_fields_of_the_request() -> None:
    fields = publish_fields("sip:alice@contoso.com", bytes(200), Endpoint("2ebb6f264f"), REQUEST_ID)
    assert fields["DeviceId"] == "{124841e4-264d-52e8-96c5-d22aa8cdc316}"
    assert fields["Entity"] == "alice@contoso.com"
    token = fields["RequestSecurityToken"]
    assert isinstance(token, dict)
    assert token["RequestID"] == str(REQUEST_ID)
    lines = token["BinarySecurityToken"]["_value_1"].split("\n")
    assert lines[0] == ""
    assert max(map(len, lines)) == 76
    assert b64decode("".join(lines)) == bytes(200)
