"""Facts of errors by which causes that look alike are told apart."""

import pytest
from doubles.certificates import issue
from requests.structures import CaseInsensitiveDict

from usbprov.engine.fitness import unfitness
from usbprov.webservices.faults import status_error
from usbprov.webservices.session import Answer


@pytest.mark.parametrize(
    ("days", "check"),
    [((-2, -1), "expired"), ((1, 2), "not-yet-valid"), ((-1, 0.02), "short"), ((-1, 2), None)],
)
def test_how_a_certificate_is_not_valid(days: tuple[float, float], check: str | None) -> None:
    found = unfitness(issue("alice@contoso.test", days=days).certificate, "sip:alice@contoso.test")
    assert (found.check if found else None) == check


def test_whose_a_certificate_is() -> None:
    found = unfitness(issue("alice@contoso.test").certificate, "sip:bob@contoso.test")
    assert found is not None
    assert (found.check, found.words) == (
        "user",
        "it is for alice@contoso.test, not for bob@contoso.test",
    )


@pytest.mark.parametrize(
    ("header", "again"),
    [
        ("NTLM TlRMTVNTUAACAAAA", True),
        ("Negotiate oYIBHzCCARugAwoBAQ==", True),
        ("Negotiate, NTLM", False),
        ('Basic realm="NTLM sign-in"', False),
        ("", False),
    ],
)
def test_a_refusal_with_a_new_challenge_is_said_to_be_one(header: str, again: bool) -> None:
    headers = CaseInsensitiveDict({"WWW-Authenticate": header})
    words = str(status_error(Answer("https://pool.contoso.test/x", 401, headers, b"")))
    assert ("another challenge" in words) == again
