"""What is known is found by code, number and words, and near misses are told."""

import pytest

from usbprov.engine.diagnosis.lookup import look_up
from usbprov.engine.diagnosis.ranking import error_classes
from usbprov.errors import UsageError


def found(asked: str) -> list[str]:
    return [row.id for row in look_up(asked)]


@pytest.mark.parametrize("asked", ["WEB-09", "web-09", "web9", "WEB 9", " web-9 "])
def test_a_code_may_be_written_carelessly(asked: str) -> None:
    assert found(asked) == ["store-lasting", "store-once"]


@pytest.mark.parametrize("code", error_classes())
def test_every_code_is_explained(code: str) -> None:
    for row in look_up(code):
        assert row.says
        assert row.code == code
        assert row.causes[0].says
        assert row.causes[0].remedy


@pytest.mark.parametrize(
    ("number", "rows"),
    [
        ("28020", ["credential-refused"]),
        ("28911", ["store-once"]),
        ("1000", ["certificate-not-accepted"]),
        ("4006", ["user-moved"]),
        ("401", ["windows-refused"]),
        ("504", ["web-fails", "home-pool-down"]),
    ],
)
def test_a_number_that_a_server_says(number: str, rows: list[str]) -> None:
    assert found(number) == rows


@pytest.mark.parametrize(
    ("words", "row"),
    [
        ("unable to get local issuer certificate", "chain-incomplete"),
        ("certificate verify failed: certificate has expired (_ssl.c:1006)", "certificate-expired"),
        ("Certificate Has Expired", "certificate-expired"),
        ("Unable to locate Lync Certificate Web service", "screen-not-located"),
        ("Error downloading certificate chain from OCS Registrar. Please try", "screen-chain"),
        ("data store unavailable", "store-once"),
        ("no valid security token", "credential-refused"),
        ("store-lasting", "store-lasting"),
        ("pin-unset", "pin-unset"),
    ],
)
def test_words_of_a_message_a_display_or_an_id(words: str, row: str) -> None:
    assert row in found(words)


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("WEB-99", "did you mean 'WEB-09'?"),
        ("280200", "did you mean '28020'?"),
        ("certificat has expird", "did you mean 'certificate has expired'?"),
        ("zzzzzzzzzzzz", "give a code"),
        ("a", "give a code"),
    ],
)
def test_what_is_not_known_is_answered_with_the_nearest(asked: str, hint: str) -> None:
    with pytest.raises(UsageError, match="nothing is known") as caught:
        look_up(asked)
    assert hint in str(caught.value)
