"""What every refusal means: the number of ms-diagnostics first, then the status."""

import pytest

from usbprov.errors import (
    AccountNotAccepted,
    CertificateNotAccepted,
    RegistrarAnswerInvalid,
    RegistrarError,
    RegistrarFailed,
    SignInRefused,
    UserNotAllowed,
    UserUnknown,
)
from usbprov.registrar.message import Headers, Response
from usbprov.registrar.refusals import TABLE, Case, refusal


def refused(status: int, *values: str, scheme: str = "TLS-DSK", name: str = "ms-diagnostics"):
    headers = Headers(tuple((name, value) for value in values))
    response = Response(status, "Some words", headers)
    return refusal(Case(response, "fe.contoso.com", "sip:alice@contoso.com", scheme))


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (1000, CertificateNotAccepted),
        (1003, UserUnknown),
        (1007, RegistrarFailed),
        (1010, SignInRefused),
        (4002, SignInRefused),
        (4003, UserNotAllowed),
        (4004, UserNotAllowed),
        (4005, UserUnknown),
        (4006, UserUnknown),
        (4010, SignInRefused),
        (4011, SignInRefused),
        (4012, SignInRefused),
        (4141, UserNotAllowed),
    ],
)
@pytest.mark.parametrize("name", ["ms-diagnostics", "ms-diagnostics-public", "MS-Diagnostics"])
def test_the_number_says_more_than_the_status(
    number: int, error: type[RegistrarError], name: str
) -> None:
    found = refused(418, f'{number};reason="Told so.";source="fe"', name=name)
    assert type(found) is error
    assert found.diagnostic == number
    assert "Told so." in str(found)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, CertificateNotAccepted),
        (403, UserNotAllowed),
        (404, UserUnknown),
        (408, RegistrarFailed),
        (480, RegistrarFailed),
        (488, SignInRefused),
        (500, RegistrarFailed),
        (503, RegistrarFailed),
        (504, RegistrarFailed),
        (603, SignInRefused),
        (604, UserUnknown),
        (202, RegistrarAnswerInvalid),
    ],
)
@pytest.mark.parametrize("values", [(), ('99999;reason="New."',), ("nonsense",)])
def test_without_a_known_number_the_status_counts(
    status: int, error: type[RegistrarError], values: tuple[str, ...]
) -> None:
    assert type(refused(status, *values)) is error


@pytest.mark.parametrize("scheme", ["NTLM", "Kerberos", ""])
def test_for_an_account_it_is_the_account_that_is_refused(scheme: str) -> None:
    assert type(refused(401, scheme=scheme)) is AccountNotAccepted


def test_no_number_has_two_meanings() -> None:
    numbers = [number for row in TABLE for number in row.numbers]
    assert len(numbers) == len(set(numbers))


def test_the_servers_words_are_made_fit_for_a_terminal() -> None:
    found = refused(403, f'4004;reason="\x1b[2J{"x" * 5000}"')
    assert "\x1b" not in str(found)
    assert len(str(found)) < 400
