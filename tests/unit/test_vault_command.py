"""``usbprov vault``, and the options that say how the vault is opened."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from usbprov.cli.keeping import Keeping
from usbprov.cli.main import run
from usbprov.engine.job import known
from usbprov.errors import KeyringMissing, KeyringUnusable, UsageError
from usbprov.pki import scrypt
from usbprov.pki.keys import generate_rsa
from usbprov.pki.scrypt import Cost
from usbprov.pki.vault.entry import Device
from usbprov.pki.vault.vault import Vault

WORDS = "canary passphrase"
CHEAP = Cost(1 << 10, 8, 1)
OLD, NEW = Device("OLD1", "02:00:00:00:00:01"), Device("NEW1", "02:00:00:00:00:02")


@cache
def key() -> RSAPrivateKey:
    return generate_rsa()


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have new keys derived quickly; tests/flow/test_vault_at_lab.py does it as it is."""
    monkeypatch.setattr(scrypt, "DEFAULT_COST", CHEAP)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    place = tmp_path / "usbprov" / "vault"
    made = Vault(place, lambda _: WORDS, cost=CHEAP)
    made.store("sip:alice@contoso.test", OLD, key())
    made.take("sip:alice@contoso.test", NEW, "OLD1")
    return place


@pytest.fixture
def typed() -> Iterator[Callable[[str], str]]:
    """Give file descriptors from which lines can be read."""
    ends: list[int] = []

    def end(words: str) -> str:
        out, into = os.pipe()
        os.write(into, f"{words}\n".encode())
        os.close(into)
        ends.append(out)
        return str(out)

    yield end
    for each in ends:
        os.close(each)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()  # what was said before
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("folder")
def test_list_and_show_need_no_passphrase(capsys: pytest.CaptureFixture[str]) -> None:
    (pair,) = told(capsys, "vault", "list")
    assert (pair["user"], pair["bits"]) == ("sip:alice@contoso.test", 2048)
    assert [bound["serial"] for bound in pair["bindings"]] == ["OLD1", "NEW1"]
    shown = told(capsys, "vault", "show", pair["key_sha256"][:8])
    assert {name: shown[name] for name in pair} == pair
    assert shown["public_key"].startswith("-----BEGIN PUBLIC KEY-----")
    assert run(["vault", "list"]) == 0
    assert "NEW1" in capsys.readouterr().out
    assert run(["vault", "show", "alice@contoso.test"]) == 0
    out = capsys.readouterr().out
    assert "OLD1" in out
    assert "PRIVATE" not in out


def test_an_empty_vault(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    place = tmp_path / "none"
    assert told(capsys, "vault", "list", "--vault", str(place)) == []
    assert run(["vault", "list", "--vault", str(place)]) == 0
    assert "is empty" in capsys.readouterr().out
    assert run(["vault", "show", "alice", "--vault", str(place)]) == 2
    assert "VLT-07" in capsys.readouterr().err
    assert not place.exists()


def test_a_damaged_file_is_listed_with_what_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file,) = folder.glob("*.vault")
    file.write_bytes(file.read_bytes()[:-5])
    (pair,) = told(capsys, "vault", "list")
    assert (pair["error"]["code"], pair["user"]) == ("VLT-02", None)
    assert run(["vault", "list"]) == 0
    assert "VLT-02" in capsys.readouterr().out
    assert run(["vault", "show", file.stem]) == 8
    assert run(["vault", "destroy", file.stem, "--confirm", "alice@contoso.test"]) == 2
    assert run(["vault", "destroy", file.stem, "--confirm", file.stem]) == 0
    assert not file.exists()


def test_an_export_is_confirmed_and_opens_with_openssl(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: Callable[[str], str]
) -> None:
    out = tmp_path / "alice.pem"
    command = ["vault", "export", "alice@contoso.test", "--out", str(out)]
    secrets = ["--vault-passphrase-fd", typed(WORDS), "--export-passphrase-fd", typed("for export")]
    assert run([*command, *secrets]) == 2
    assert "--confirm alice@contoso.test" in capsys.readouterr().err
    assert run([*command, *secrets, "--confirm", "bob@contoso.test"]) == 2
    assert not out.exists()
    assert run([*command, *secrets, "--confirm", "alice@contoso.test"]) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    opened = subprocess.run(
        ["openssl", "pkey", "-in", out, "-passin", "pass:for export", "-pubout"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert opened.stdout == told(capsys, "vault", "show", "alice@contoso.test")["public_key"]
    assert run([*command, *secrets, "--confirm", "alice@contoso.test"]) == 2
    assert "is there already" in capsys.readouterr().err


def test_a_wrong_passphrase_exports_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], typed: Callable[[str], str]
) -> None:
    out = tmp_path / "alice.pem"
    before = {path: path.read_bytes() for path in folder.glob("*.vault")}
    command = ["vault", "export", "NEW1", "--out", str(out), "--confirm", "alice@contoso.test"]
    secrets = ["--vault-passphrase-fd", typed("wrong"), "--export-passphrase-fd", typed("for it")]
    assert run([*command, *secrets]) == 7
    assert "VLT-06" in capsys.readouterr().err
    assert not out.exists()
    assert {path: path.read_bytes() for path in folder.glob("*.vault")} == before


def test_a_pair_is_destroyed_when_its_user_was_typed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["vault", "destroy", "NEW1", "--confirm", "alice"]) == 2
    assert list(folder.glob("*.vault"))
    document = told(capsys, "vault", "destroy", "NEW1", "--confirm", "ALICE@contoso.test")
    assert (document["outcome"], document["pair"]["user"]) == (
        "destroyed",
        "sip:alice@contoso.test",
    )
    assert not list(folder.glob("*.vault"))


def test_the_passphrase_is_changed(
    folder: Path, capsys: pytest.CaptureFixture[str], typed: Callable[[str], str]
) -> None:
    command = ["vault", "passphrase", "--vault-passphrase-fd", typed(WORDS)]
    assert run([*command, "--new-passphrase-fd", typed("short")]) == 2
    assert "8 characters" in capsys.readouterr().err
    assert run([*command, "--new-passphrase-fd", typed("another passphrase")]) == 0
    assert "1 key pairs" in capsys.readouterr().out
    opened = Vault(folder, lambda _: "another passphrase")
    opened.unlock()


# --- where the passphrase comes from


def test_standard_input_gives_one_secret_only() -> None:
    given = {"vault_passphrase_stdin": True, "pin_stdin": True}
    with pytest.raises(UsageError, match="--vault-passphrase-stdin and --pin-stdin"):
        Keeping.taken_from(given)
    given = {"vault_passphrase_stdin": True, "pin_stdin": False, "extension": "1001"}
    assert Keeping.taken_from(given) == Keeping(vault_passphrase_stdin=True)
    assert given == {"pin_stdin": False, "extension": "1001"}


def test_without_terminal_or_option_it_is_said_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UsageError, match="--vault-passphrase-stdin or --vault-passphrase-fd"):
        Keeping(vault_dir=folder).vault().unlock()


class Terminal:
    def isatty(self) -> bool:
        return True


def at_terminal(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    left, asked = list(answers), []

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        return left.pop(0)

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", getpass)
    return asked


def test_a_new_one_is_typed_twice_and_a_known_one_once(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[bool] = []
    asked = at_terminal(monkeypatch, WORDS)
    Keeping(vault_dir=folder).vault(lambda: paused.append(True)).unlock()
    assert (len(asked), paused) == (1, [True])
    assert str(folder) in asked[0]
    fresh = Keeping(vault_dir=tmp_path / "fresh")
    asked = at_terminal(monkeypatch, "a new phrase", "a new phrase")
    fresh.vault().unlock()
    assert len(asked) == 2
    at_terminal(monkeypatch, "a new phrase", "a new phrrase")
    with pytest.raises(UsageError, match="two ways"):
        fresh.vault().unlock()
    at_terminal(monkeypatch, "short", "short")
    with pytest.raises(UsageError, match="8 characters"):
        fresh.vault().unlock()


def memory_keyring() -> ModuleType:
    """A keyring in memory, as the library offers it."""
    kept: dict[tuple[str, str], str] = {}
    library = ModuleType("keyring")
    library.get_password = lambda service, name: kept.get((service, name))  # type: ignore[attr-defined]
    library.set_password = lambda s, n, secret: kept.update({(s, n): secret})  # type: ignore[attr-defined]
    library.kept = kept  # type: ignore[attr-defined]
    return library


def test_the_keyring_remembers_what_opened_the_vault(
    folder: Path, monkeypatch: pytest.MonkeyPatch, typed: Callable[[str], str]
) -> None:
    library = memory_keyring()
    monkeypatch.setitem(sys.modules, "keyring", library)
    wrong = Keeping(vault_dir=folder, vault_passphrase_fd=int(typed("wrong")), vault_keyring=True)
    with pytest.raises(Exception, match="does not open"):
        wrong.vault().unlock()
    assert library.kept == {}
    right = Keeping(vault_dir=folder, vault_passphrase_fd=int(typed(WORDS)), vault_keyring=True)
    right.vault().unlock()
    assert library.kept == {("usbprov vault", str(folder)): WORDS}
    monkeypatch.setattr("sys.stdin", None)
    Keeping(vault_dir=folder, vault_keyring=True).vault().unlock()


def test_a_keyring_that_is_missing_or_locked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeping = Keeping(vault_dir=folder, vault_keyring=True)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(KeyringMissing):
        keeping.vault().unlock()

    def locked(_service: str, _name: str) -> str:
        raise RuntimeError(WORDS)

    library = memory_keyring()
    library.get_password = locked  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", library)
    with pytest.raises(KeyringUnusable) as caught:
        keeping.vault().unlock()
    assert WORDS not in str(caught.value)


def test_replaces_needs_the_vault(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    command = ["provision", "--extension", "1", "--web-services-url", "https://a.test/x.svc"]
    assert run([*command, "--replaces", "OLD1"]) == 2
    assert "--replaces needs --key vault" in capsys.readouterr().err


def test_the_library_itself_with_a_keyring_in_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch, typed: Callable[[str], str]
) -> None:
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend
    from keyring.errors import NoKeyringError

    kept: dict[tuple[str, str], str] = {}

    class InMemory(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            return kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            kept[service, username] = password

    class Headless(KeyringBackend):
        priority = 0

        def get_password(self, service: str, username: str) -> str | None:
            raise NoKeyringError(WORDS)

        def set_password(self, service: str, username: str, password: str) -> None:
            raise NoKeyringError(WORDS)

    before = keyring.get_keyring()
    try:
        keyring.set_keyring(InMemory())
        Keeping(
            vault_dir=folder, vault_passphrase_fd=int(typed(WORDS)), vault_keyring=True
        ).vault().unlock()
        assert list(kept.values()) == [WORDS]
        keyring.set_keyring(Headless())
        with pytest.raises(KeyringUnusable, match="NoKeyringError"):
            Keeping(vault_dir=folder, vault_keyring=True).vault().unlock()
    finally:
        keyring.set_keyring(before)


def test_the_sealing_key_in_the_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from usbprov.ledger.ledger import Ledger

    library = memory_keyring()
    monkeypatch.setitem(sys.modules, "keyring", library)
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        made = known(Keeping(sealing_keyring=True).sealing)(ledger)
        again = known(Keeping(sealing_keyring=True).sealing)(ledger)
        assert again.open(made.seal(b"key", b"a"), b"a") == b"key"
        assert not list(tmp_path.glob("*.sealing-key"))
        (place,) = library.kept
        library.kept[place] = "no key"
        with pytest.raises(KeyringUnusable):
            known(Keeping(sealing_keyring=True).sealing)(ledger)
    assert Keeping().sealing is None
