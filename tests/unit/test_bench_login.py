"""``bench run --login``: the password is keyed in before a board takes the terminal."""

import sys
from pathlib import Path
from typing import Any

import pytest

from usbprov.cli.main import run
from usbprov.errors import UsageError

URL = "https://pool.contoso.test/CertProv/CertProvisioningService.svc"


class Keys:
    """Standard input; a terminal or not."""

    def __init__(self, *, is_terminal: bool) -> None:
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def begin(
    folder: Path, monkeypatch: pytest.MonkeyPatch, typed: str, *, is_terminal: bool = True
) -> tuple[Any, list[str]]:
    """Begin a bench; returns its account, and the prompts so far."""
    prompts: list[str] = []
    setups: list[Any] = []
    monkeypatch.setattr(sys, "stdin", Keys(is_terminal=is_terminal))
    monkeypatch.setattr("getpass.getpass", lambda text: prompts.append(text) or typed)
    monkeypatch.setattr(
        "usbprov.cli.benches.run_bench", lambda _place, setup, *_: setups.append(setup)
    )
    roster = folder / "users.csv"
    roster.write_text("sip address\nsip:alice@contoso.test\n")
    before = ["--bus", "usbip://127.0.0.1:1", "--ledger", str(folder / "ledger.sqlite3")]
    login = ["--login", "CONTOSO\\enrol", "--web-services-url", URL]
    assert run([*before, "bench", "run", str(roster), *login]) == 0
    (setup,) = setups
    return setup.secrets.account, prompts


def test_it_is_asked_for_at_the_beginning_and_never_again(tmp_path, monkeypatch):
    account, prompts = begin(tmp_path, monkeypatch, "Lab-Enrol-1")

    assert prompts == ["password of CONTOSO\\enrol: "]
    assert [account.password(), account.password()] == ["Lab-Enrol-1"] * 2
    assert len(prompts) == 1
    assert "Lab-Enrol-1" not in repr(account)


def test_with_enter_alone_the_account_goes_without(tmp_path, monkeypatch):
    account, prompts = begin(tmp_path, monkeypatch, "")

    with pytest.raises(UsageError):
        account.password()
    assert len(prompts) == 1


def test_without_a_terminal_nobody_is_asked(tmp_path, monkeypatch):
    account, prompts = begin(tmp_path, monkeypatch, "", is_terminal=False)

    assert prompts == []
    with pytest.raises(UsageError, match="--password-stdin"):
        account.password()
