"""Every way of saying no becomes the one right error."""

import re

import pytest

from usbprov.errors import (
    AnswerInvalid,
    CredentialRefused,
    RedirectRefused,
    RequestRefused,
    ServerBusy,
    ServerFailed,
    ServiceError,
    StoreUnreachable,
)
from usbprov.webservices.faults import (
    Complaint,
    complaint_error,
    error_for,
    error_info,
    header_diagnostics,
)
from usbprov.webservices.session import Answer
from usbprov.webservices.xmlsafe import parse

URL = "https://pool.test/WebTicket/WebTicketService.svc/pin"
OCS = "urn:component:Microsoft.Rtc.WebAuthentication.2010"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
HTML = b"<html><head><title>500</title></head><body>Stack trace: canary</body></html>"


def fault(code: str, words: str, detail: str = "") -> bytes:
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
        f'<faultcode xmlns:a="{WSSE}">{code}</faultcode>'
        f'<faultstring xml:lang="en-US">{words}</faultstring>{detail}'
        "</s:Fault></s:Body></s:Envelope>"
    ).encode()


def diagnosis(number: str, reason: str) -> str:
    return (
        f'<detail><OCSDiagnosticsFault xmlns="{OCS}"><Ms-Diagnostics-Fault>'
        f"<ErrorId>{number}</ErrorId><Reason>{reason}</Reason></Ms-Diagnostics-Fault>"
        "</OCSDiagnosticsFault></detail>"
    )


def answer(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    return Answer(URL, status, headers or {}, body)


def error_of(found: Answer, *secrets: str) -> ServiceError:
    error = complaint_error(found, secrets)
    assert error is not None
    return error


def test_observed_fault_is_a_refused_credential() -> None:
    reason = "No valid security token."
    body = fault("a:FailedAuthentication", reason, diagnosis("28020", reason))
    error = error_of(answer(500, body))
    assert type(error) is CredentialRefused
    assert (error.error_id, error.words) == (28020, reason)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, fault("a:FailedAuthentication", "No."), CredentialRefused),
        (
            500,
            fault("a:InvalidSecurityToken", "No.", diagnosis("28999", "Odd.")),
            CredentialRefused,
        ),
        (200, fault("a:MessageExpired", "Late."), CredentialRefused),
        (500, fault("wst:InvalidRequest", "Malformed."), RequestRefused),
        (500, fault("s:Client", "Bad."), RequestRefused),
        (500, fault("s:Server", "Oops."), ServerFailed),
        (500, fault("a:InternalServiceFault", "Oops."), ServerFailed),
        (500, fault("s:Server", "Oops.", diagnosis("28001", "Not you.")), RequestRefused),
        (500, fault("s:Server", "x", diagnosis("1", "The store is unavailable")), StoreUnreachable),
        (500, b"", ServerFailed),
        (500, HTML, ServerFailed),
        (502, HTML, ServerFailed),
        (503, b"<Envelope><Fault>", ServerFailed),
        (599, b"", ServerFailed),
        (429, b"", ServerBusy),
        (408, b"", ServerFailed),
        (400, b"", RequestRefused),
        (403, HTML, RequestRefused),
        (404, HTML, RequestRefused),
        (401, b"", CredentialRefused),
        (302, b"", RedirectRefused),
        (202, b"", AnswerInvalid),
    ],
)
def test_fault_code_and_status_tell_the_kind(
    status: int, body: bytes, kind: type[ServiceError]
) -> None:
    error = error_of(answer(status, body))
    assert type(error) is kind
    assert "canary" not in str(error)


def test_only_a_server_that_is_down_is_worth_a_repeat() -> None:
    assert error_of(answer(503)).retryable
    assert not error_of(answer(500, fault("a:FailedAuthentication", "No."))).retryable
    assert not error_of(answer(500, fault("x:Other", "No."))).retryable


@pytest.mark.parametrize(
    "value",
    [
        '28020;source="fe";reason="No valid security token.";faultcode="wsse:InvalidSecurityToken"',
        '28020;"fe.test";"No valid security token.";"wsse:InvalidSecurityToken"',
        ' 28020 ; Reason="No valid security token." ; FaultCode="wsse:InvalidSecurityToken"',
    ],
)
def test_diagnostics_header_is_read_in_both_spellings(value: str) -> None:
    found = answer(401, headers={"X-Ms-diagnostics": value})
    expected = Complaint("No valid security token.", 28020, "InvalidSecurityToken")
    assert header_diagnostics(found) == expected
    assert type(error_of(found)) is CredentialRefused


@pytest.mark.parametrize("value", ["", "none", ";;;", "12345678901234567890;"])
def test_header_without_a_number_is_passed_over(value: str) -> None:
    assert header_diagnostics(answer(401, headers={"X-Ms-diagnostics": value})) is None


def test_header_with_a_number_only_has_no_words() -> None:
    error = error_of(answer(403, headers={"X-Ms-diagnostics": "28033;"}))
    assert str(error) == "pool.test refused the request: no reason given"


def test_good_answer_is_no_complaint() -> None:
    assert complaint_error(answer(200, b"<Envelope><Body/></Envelope>")) is None
    assert complaint_error(answer(200, b"anything")) is None


def test_words_are_cleaned_cut_and_never_give_a_secret_back() -> None:
    words = "PIN 7205 is\twrong\x9b31m\u202e " + "long " * 100
    error = error_of(answer(500, fault("a:FailedAuthentication", words)), "7205")
    assert isinstance(error, CredentialRefused)
    assert error.words.startswith("PIN *** is wrong 31m long")
    assert len(error.words) == 200


@pytest.mark.parametrize("before", ["", " " * 3_995, "x" * 3_995])
def test_words_never_give_back_a_ticket_or_a_piece_of_a_secret(before: str) -> None:
    name, signature = "SamlSecurityToken-9aefa7db-5f6a-5068-9958-9b6ad93d8c11", "M6di7OLTaE" * 9
    words = f"{before}720511 {name} {signature} "
    error = error_of(answer(500, fault("a:FailedAuthentication", words)), "720511")
    assert isinstance(error, CredentialRefused)
    told = error.words.replace("(removed)", "").replace("***", "")
    assert not re.search(r"[\d+]", told), told


def test_a_redirect_never_gives_back_a_secret() -> None:
    headers = {"Location": "https://720511.elsewhere.test/720511"}
    error = error_of(answer(302, headers=headers), "720511")
    assert isinstance(error, RedirectRefused)
    assert "to ***.elsewhere.test," in str(error)
    assert "720511" not in str(error)


def info(content: str) -> Complaint | None:
    body = f"<GetAndPublishCertResponse><x/>{content}</GetAndPublishCertResponse>"
    return error_info(parse(body.encode(), "pool.test").root)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            "<ErrorInfo><ErrorId>28050</ErrorId><Reason>Key too short.</Reason></ErrorInfo>",
            Complaint("Key too short.", 28050),
        ),
        ("<ErrorInfo><a><Reason>Deep.</Reason></a></ErrorInfo>", Complaint("Deep.")),
        ("<ErrorInfo><a>Some</a><b>words</b></ErrorInfo>", Complaint("Some words")),
        ("<ErrorInfo/>", Complaint("")),
        ("", None),
    ],
)
def test_error_info_is_read_whatever_its_children(
    content: str, complaint: Complaint | None
) -> None:
    assert info(content) == complaint


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("The user store of the home pool is unavailable.", StoreUnreachable),
        ("Data store unavailable", StoreUnreachable),
        ("The user store cannot be reached.", StoreUnreachable),
        ("The request is malformed.", RequestRefused),
        ("The user has no store credit.", RequestRefused),
    ],
)
def test_store_that_is_down_is_passing_trouble(reason: str, kind: type[ServiceError]) -> None:
    assert type(error_for(Complaint(reason, 28100), answer(200))) is kind
