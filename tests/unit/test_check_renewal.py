"""How long a certificate is good, and when its renewal is due."""

from datetime import timedelta

import pytest
from doubles.certificates import NOW, issue

from usbprov.checks import Verdict
from usbprov.engine.checks.renewal import renewal_of, renewal_seen, span


@pytest.mark.parametrize(
    ("days_left", "is_due"), [(179, False), (31, False), (29, True), (-1, True)]
)
def test_a_renewal_is_due_in_the_last_sixth(days_left: float, is_due: bool) -> None:
    certificate = issue("alice", days=(days_left - 180, days_left)).certificate
    due = renewal_of(certificate, NOW)
    assert due.is_due is is_due
    assert due.from_when == NOW + timedelta(days=days_left - 30)
    assert "of 180 days" in due.words


def test_a_short_life_is_renewed_an_hour_before_its_end() -> None:
    certificate = issue("alice", days=(0, 2 / 24)).certificate
    assert renewal_of(certificate, NOW).from_when == NOW + timedelta(hours=1)


def test_what_is_due_is_a_note_with_a_remedy() -> None:
    late = renewal_seen(issue("alice", days=(-179, 1)).certificate, "do it")
    assert (late.verdict, late.remedy) == (Verdict.NOTE, "do it")
    early = renewal_seen(issue("alice", days=(-1, 179)).certificate, "do it")
    assert (early.verdict, early.remedy) == (Verdict.GOOD, "")
    assert "nothing left" in renewal_seen(issue("alice", days=(-9, -1)).certificate, "").words


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(days=2), "2 days"),
        (timedelta(days=1, hours=23), "47 h"),
        (timedelta(hours=1, minutes=59), "119 min"),
        (timedelta(seconds=59), "0 min"),
    ],
)
def test_spans_are_written_in_the_largest_unit(length: timedelta, words: str) -> None:
    assert span(length) == words
