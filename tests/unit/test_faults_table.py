"""Every carrier and every meaning of a complaint, and what each error makes of a job."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from usbprov.errors import (
    CredentialRefused,
    ExitCode,
    NumberShared,
    PinLocked,
    PinUnset,
    RedirectRefused,
    RegistrarUnavailable,
    RequestRefused,
    ServerBusy,
    ServerFailed,
    ServiceError,
    StoreUnreachable,
)
from usbprov.webservices.faults import (
    STATUS_TABLE,
    TABLE,
    complaint_error,
    error_for,
    error_info,
    retry_after,
)
from usbprov.webservices.session import Answer
from usbprov.webservices.xmlsafe import parse

URL = "https://pool.test/WebTicket/WebTicketService.svc/pin"
LAB_PAGE = Path(__file__).parents[2] / "docs" / "lab.md"


def by_fault(number: int | None, words: str) -> ServiceError | None:
    detail = (
        '<detail><OCSDiagnosticsFault xmlns="urn:x"><Ms-Diagnostics-Fault>'
        f"<ErrorId>{number}</ErrorId><Reason>{words}</Reason></Ms-Diagnostics-Fault>"
        "</OCSDiagnosticsFault></detail>"
    )
    body = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
        f"<faultcode>{'a:FailedAuthentication' if number else 's:Server'}</faultcode>"
        f"<faultstring>{words}</faultstring>{detail if number else ''}"
        "</s:Fault></s:Body></s:Envelope>"
    )
    return complaint_error(Answer(URL, 500, {}, body.encode()))


def by_header(number: int | None, words: str) -> ServiceError | None:
    value = f'{number or 1};source="fe";reason="{words}";faultcode="wsse:Other"'
    return complaint_error(answer(401, x_ms_diagnostics=value))


def by_bare_header(number: int | None, words: str) -> ServiceError | None:
    value = f'{number or 1};"fe.test";"{words}";"wsse:Other"'
    return complaint_error(answer(401, x_ms_diagnostics=value))


def by_error_info(number: int | None, words: str) -> ServiceError | None:
    told = f"<ErrorId>{number}</ErrorId>" if number else ""
    body = f"<R><ErrorInfo>{told}<Reason>{words}</Reason></ErrorInfo></R>"
    complaint = error_info(parse(body.encode(), "pool.test").root)
    assert complaint is not None
    return error_for(complaint, Answer(URL, 200, {}, body.encode()))


CARRIERS = (by_fault, by_header, by_bare_header, by_error_info)

MEANINGS = [
    (28901, "The PIN of this user is locked.", PinLocked),
    (None, "Your PIN has been locked out after too many tries", PinLocked),
    (28902, "No PIN is set for this user.", PinUnset),
    (28903, "The PIN of this user has expired.", PinUnset),
    (None, "The PIN was never set", PinUnset),
    (
        28904,
        "Several users share this phone number and PIN; the extension is needed.",
        NumberShared,
    ),
    (4002, "Multiple users associated with the source phone number.", NumberShared),
    (None, "The extension is not unique.", NumberShared),
    (28911, "The data store of the user's home pool is unavailable.", StoreUnreachable),
    (None, "The user store cannot be contacted", StoreUnreachable),
    (28912, "The Registrar of the user's home pool is not available.", RegistrarUnavailable),
    (
        None,
        "Registrar pool01.contoso.test does not give a response: no response",
        RegistrarUnavailable,
    ),
]


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.__name__)
@pytest.mark.parametrize(("number", "words", "kind"), MEANINGS)
def test_each_meaning_is_known_on_every_carrier(
    carrier: object, number: int | None, words: str, kind: type[ServiceError]
) -> None:
    assert callable(carrier)
    error = carrier(number, words)
    assert type(error) is kind
    assert words[:60] in str(error)


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.__name__)
@pytest.mark.parametrize(("number", "kind"), [(n, k) for n, _, k in MEANINGS if n and n > 28000])
def test_the_number_alone_is_enough(carrier: object, number: int, kind: type[ServiceError]) -> None:
    assert callable(carrier)
    assert type(carrier(number, "Anything at all.")) is kind


def test_the_numbers_of_the_lab_are_known() -> None:
    """The lab's page says what it answers; a number that is new there must be judged here."""
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|$", LAB_PAGE.read_text(), re.MULTILINE)
    told = {int(number): by_error_info(int(number), words) for number, words, _ in rows}
    kinds = {number: type(error) for number, error in told.items()}
    assert kinds.pop(28020) is CredentialRefused
    expected = {number: kind for number, _, kind in MEANINGS if number and number > 28000}
    assert {number: kinds.pop(number) for number in expected} == expected
    assert set(kinds.values()) == {RequestRefused}


@pytest.mark.parametrize("kind", [PinLocked, PinUnset, NumberShared])
def test_what_is_told_of_a_pin_is_a_refused_credential(kind: type[ServiceError]) -> None:
    assert issubclass(kind, CredentialRefused)
    assert (kind.exit_code, kind.retryable) == (ExitCode.CREDENTIAL, False)


@pytest.mark.parametrize("kind", [StoreUnreachable, ServerBusy, RegistrarUnavailable])
def test_what_stands_behind_the_services_may_pass(kind: type[ServiceError]) -> None:
    assert (kind.exit_code, kind.retryable) == (ExitCode.UNREACHED, True)


def test_the_remedies_say_where_to_look() -> None:
    assert "Test-CsPhoneBootstrap" in StoreUnreachable.remedy
    assert "certprov.log" in RegistrarUnavailable.remedy
    assert "every server of the pool" in RegistrarUnavailable.remedy


# --- bare HTTP ---------------------------------------------------------------------------------


def answer(status: int, **headers: str) -> Answer:
    named = CaseInsensitiveDict({n.replace("_", "-"): v for n, v in headers.items()})
    return Answer(URL, status, named, b"<html>canary</html>")


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (answer(503, Retry_After="3"), ServerBusy),
        (answer(503), ServerFailed),
        (answer(429), ServerBusy),
        (answer(429, Retry_After="3"), ServerBusy),
        (answer(302, Location="https://elsewhere.test/x"), RedirectRefused),
        (answer(308), RedirectRefused),
        (answer(407), CredentialRefused),
        (answer(418), RequestRefused),
        (answer(500), ServerFailed),
    ],
)
def test_a_status_tells_what_nothing_else_does(found: Answer, kind: type[ServiceError]) -> None:
    error = complaint_error(found)
    assert type(error) is kind
    assert "canary" not in str(error)


def test_a_redirect_says_where_it_leads() -> None:
    error = complaint_error(answer(302, Location="https://elsewhere.test/portal?token=canary"))
    assert "HTTP status 302 Found to elsewhere.test" in str(error)
    assert "canary" not in str(error)


@pytest.mark.parametrize("location", ["https://[", "//\x1b[31m\u202eevil/", "", "x" * 100_000])
def test_a_hostile_redirect_is_told_in_clean_words(location: str) -> None:
    words = str(complaint_error(answer(302, Location=location)))
    assert words.isprintable()
    assert len(words) < 500


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("7", 7), (" 120 ", 120), ("99999999999999999999", 86_400), ("", None), ("-1", None),
     ("soon", None), ("1.5", None), ("٣", None), ("Mon, 99 Zzz 2026 00:00:00 GMT", None)],
)  # fmt: skip
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    assert retry_after(answer(503, Retry_After=value)) == seconds


def test_retry_after_as_a_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    found = retry_after(answer(503, Retry_After=soon))
    assert found is not None
    assert 80 < found <= 90
    assert retry_after(answer(503, Retry_After="Mon, 23 Nov 2020 00:00:00 GMT")) == 0
    assert retry_after(answer(503, Retry_After="Mon, 23 Nov 2020 00:00:00 -0000")) == 0


def test_busy_knows_when_to_come_back() -> None:
    error = complaint_error(answer(503, Retry_After="7"))
    assert isinstance(error, ServerBusy)
    assert (error.retry_after, error.words) == (7, "HTTP status 503 Service Unavailable")


# --- the table itself --------------------------------------------------------------------------


def test_the_last_row_of_each_table_takes_everything() -> None:
    assert TABLE[-1][0].anything
    assert [sign.anything for sign, _ in TABLE].count(True) == 1
    assert all(status in STATUS_TABLE[-1][0].statuses for status in range(1000))


@given(st.integers(100, 999), st.text(max_size=80), st.text(max_size=80))
def test_no_answer_is_without_an_error(status: int, diagnostics: str, after: str) -> None:
    found = answer(status, X_Ms_diagnostics=diagnostics, Retry_After=after)
    error = complaint_error(found)
    assert (error is None) == (status == 200)
    assert error is None or str(error).isprintable()


@given(st.text(max_size=3000))
def test_no_words_are_too_much(words: str) -> None:
    safe = re.sub(r"[^\x20-\x7e]|[<&]", " ", words)
    for carrier in (by_fault, by_error_info):
        assert isinstance(carrier(1, safe), ServiceError)
