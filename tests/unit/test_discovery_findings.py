"""The table of findings is complete, and its words can be shown."""

import re
import string

import pytest

from usbprov.webservices.discovery.explanation import is_within, parse_hex
from usbprov.webservices.discovery.findings import MEANINGS, Finding, FindingKind

each_kind = pytest.mark.parametrize("kind", FindingKind, ids=lambda kind: kind.value)


@each_kind
def test_every_kind_has_cause_and_remedy(kind: FindingKind) -> None:
    meaning = MEANINGS[kind]
    for text in (meaning.cause, meaning.remedy):
        assert len(text.split()) >= 3
        assert text == text.strip()
        assert text.endswith(".")


@each_kind
def test_the_words_are_filled_in(kind: FindingKind) -> None:
    used = {name for _, name, _, _ in string.Formatter().parse(MEANINGS[kind].says) if name}
    assert used <= {"where", "value"}
    told = str(Finding(kind, "WHERE", "VALUE"))
    assert {word.lower() for word in re.findall("WHERE|VALUE", told)} == used


@pytest.mark.parametrize(
    "text",
    ["0a020064", "0A 02 00 64", "0a:02:00:64", "0a02.0064", "0x0a020064", "0x0a,0x02,0x00,0x64"],
)
def test_hex_as_people_write_it(text: str) -> None:
    assert parse_hex(text) == b"\x0a\x02\x00\x64"


@pytest.mark.parametrize(
    ("host", "within"),
    [
        ("contoso.com", True),
        ("Pool.Contoso.COM.", True),
        ("evilcontoso.com", False),
        ("contoso.com.evil.example", False),
        ("", False),
    ],
)
def test_within_a_domain(host: str, within: bool) -> None:
    assert is_within(host, "contoso.com") is within
