"""How checks are shown."""

import json

import pytest

from usbprov.checks import CheckResult, Verdict
from usbprov.cli.checks import checks_text, show_checks
from usbprov.cli.failure import ToldError
from usbprov.errors import ChecksFailed, ExitCode

GOOD = CheckResult("rules", Verdict.GOOD, "installed", "never shown", "never shown")
NOTE = CheckResult("seat", Verdict.NOTE, "over SSH", "no seat")
BAD = CheckResult("groups", Verdict.BAD, "not in plugdev", "why", "sudo usermod -aG plugdev x", 3)
UNKNOWN = CheckResult("memory", Verdict.UNKNOWN, "the kernel does not say")
ALL = [GOOD, NOTE, BAD, UNKNOWN]


def test_every_line_has_a_sign_and_a_word_and_no_command_is_split() -> None:
    text = checks_text([GOOD, NOTE, BAD, UNKNOWN])
    for words in ("✓ good", "• note", "✗ bad", "? unknown"):
        assert words in text
    assert "    what to do:    sudo usermod -aG plugdev x" in text.splitlines()
    assert "never shown" not in text


def test_what_is_wrong_is_an_error_after_all_was_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ChecksFailed) as caught:
        show_checks(ALL, as_json=False)
    assert (caught.value.failed, caught.value.total) == (1, 4)
    assert caught.value.exit_code == ExitCode.CHECK
    assert "the kernel does not say" in capsys.readouterr().out


def test_notes_and_unknowns_are_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    show_checks([GOOD, NOTE, UNKNOWN], as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["outcome"] == "good"
    assert "error" not in document


def test_the_document_has_the_error_and_what_else_is_given(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ToldError):
        show_checks(ALL, as_json=True, more={"room": 5})
    document = json.loads(capsys.readouterr().out)
    assert (document["outcome"], document["room"]) == ("failed", 5)
    assert document["error"]["code"] == "CHK-05"
    assert document["checks"][2] == {
        "name": "groups",
        "verdict": "bad",
        "seen": "not in plugdev",
        "cause": "why",
        "remedy": "sudo usermod -aG plugdev x",
        "ms": 3,
        "code": None,
        "detail": [],
    }


def test_no_checks_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    show_checks([], as_json=False)
    assert capsys.readouterr().out.strip() == ""
