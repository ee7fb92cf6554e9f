"""How steps are shown: each as it is done; the list is complete in itself, the end is short."""

import json
from collections.abc import Iterator

import click
import pytest

from usbprov.checks import CheckResult, Verdict, failed
from usbprov.cli import steps
from usbprov.cli.failure import ShownError, ToldError, explain
from usbprov.cli.steps import StepList, finish, wrapped
from usbprov.errors import ChecksFailed, CredentialRefused

GOOD = CheckResult("names", Verdict.GOOD, "pool is 192.0.2.1", "never", "never", 12, ("line",))
BAD = failed("ticket", CredentialRefused("pool", "No."))
UNKNOWN = CheckResult("sign-in", Verdict.UNKNOWN, "not done: there is no Web ticket")


@pytest.fixture(autouse=True)
def command() -> Iterator[None]:
    with click.Context(click.Command("check")):
        yield


def shown(capsys: pytest.CaptureFixture[str], *results: CheckResult) -> list[str]:
    told = StepList(["names", "ticket", "sign-in"], as_json=False)
    for result in results:
        told(result)
    return capsys.readouterr().out.splitlines()


def test_a_step_has_sign_name_time_words_and_details(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, GOOD) == ["✓ names       12 ms  pool is 192.0.2.1", "    line"]


def test_a_failure_has_its_code_cause_and_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    first, cause, remedy = shown(capsys, BAD)
    assert first.startswith("✗ ticket       0 ms  WEB-05: pool did not accept")
    assert cause.startswith("    likely cause:  Wrong extension")
    assert remedy.startswith("    what to do:    Check what was given")


def test_what_was_not_done_has_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, UNKNOWN) == ["? sign-in            not done: there is no Web ticket"]


def test_on_a_terminal_lines_are_broken_between_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "line_width", lambda: 60)
    lines = shown(capsys, BAD)
    assert max(map(len, lines)) <= 60
    assert "                     " in lines[1]  # the words stay in their column


def test_an_address_is_never_broken() -> None:
    url = "https://pool.contoso.test/" + "x" * 80
    assert any(url in line for line in wrapped(f"see {url} now", "", "", 40))


def test_as_json_nothing_is_shown_before_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    told = StepList(["names"], as_json=True)
    told(GOOD)
    assert capsys.readouterr().out == ""


def test_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ToldError) as caught:
        finish([GOOD, BAD, UNKNOWN], as_json=True, passed="", more={"user": None})
    document = json.loads(capsys.readouterr().out)
    assert (document["outcome"], document["error"]["code"]) == ("failed", "WEB-05")
    assert [check["code"] for check in document["checks"]] == [None, "WEB-05", None]
    assert document["checks"][0]["detail"] == ["line"]
    assert explain(caught.value, as_json=True) == 7


def test_the_end_of_a_failure_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ShownError) as caught:
        finish([GOOD, BAD], as_json=False, passed="never")
    assert explain(caught.value, as_json=False) == 7
    said = capsys.readouterr()
    assert "error WEB-05" in said.err
    assert "docs/diagnosis.md#web-05" in said.err
    assert "likely cause" not in said.err
    assert "never" not in said.out


def test_the_end_of_a_success_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    finish([GOOD, UNKNOWN], as_json=False, passed="All is well.")
    assert "All is well." in capsys.readouterr().out


def test_what_is_bad_without_an_error_counts_as_a_failed_check() -> None:
    with pytest.raises(ShownError) as caught:
        finish([CheckResult("clock", Verdict.BAD, "slow")], as_json=False, passed="")
    assert isinstance(caught.value.error, ChecksFailed)
