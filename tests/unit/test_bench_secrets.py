"""A bench's secrets: from where they may come, from where not, and that they are shown nowhere."""

import os
import threading

import pytest

from usbprov.bench.roster import Roster, RosterEntry
from usbprov.bench.secrets import Account, FilePins, KeyedPins, Secrets, asked_once, read_secrets
from usbprov.engine.order import CredentialOrder
from usbprov.errors import RosterUnreadable, SecretMissing, SecretsInvalid, SecretsUnsafe
from usbprov.net.credentials import Way

ALICE = RosterEntry(2, "1001", "sip:alice@contoso.test")
BOB = RosterEntry(3, "1002", "sip:bob@contoso.test")
PIN = "720511"
posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no such rights here")


def kept(tmp_path, text, name="pins.csv", mode=0o600):
    path = tmp_path / name
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pins.csv", f"Extension;PIN\n1001;{PIN}\n1003;000001\n"),
        ("pins.csv", f"lineuri,pin\ntel:+1425;ext=1001,{PIN}\n1003,000001\n"),
        ("pins.toml", f'[pins]\n1001 = "{PIN}"\n1003 = "000001"\n'),
    ],
)
def test_pins_are_read_by_extension(tmp_path, name, text):
    pins = read_secrets(kept(tmp_path, text, name))

    assert pins.pin_of(ALICE) == PIN
    assert pins.pin_of(BOB) is None
    assert pins.strangers(Roster("r", (ALICE, BOB))) == ("1003",)
    assert PIN not in repr(pins)


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o610, 0o601])
def test_a_file_that_others_can_reach_is_not_read(tmp_path, mode):
    path = kept(tmp_path, "never looked at", mode=mode)

    with pytest.raises(SecretsUnsafe, match=f"its mode is {mode:04o}"):
        read_secrets(path)


@posix
def test_a_file_of_somebody_else_is_not_read(tmp_path, monkeypatch):
    path = kept(tmp_path, f"ext,pin\n1001,{PIN}\n")
    monkeypatch.setattr("os.geteuid", lambda: path.stat().st_uid + 1)

    with pytest.raises(SecretsUnsafe, match="another user"):
        read_secrets(path)


@posix
def test_the_rights_of_the_file_behind_a_link_count(tmp_path):
    target = kept(tmp_path, f"ext,pin\n1001,{PIN}\n", mode=0o644)
    link = tmp_path / "link.csv"
    link.symlink_to(target)

    with pytest.raises(SecretsUnsafe):
        read_secrets(link)


@posix
def test_a_pipe_is_no_secrets_file(tmp_path):
    pipe = tmp_path / "pins.csv"
    os.mkfifo(pipe, 0o600)

    with pytest.raises(SecretsUnsafe, match="no regular file"):
        read_secrets(pipe)


@pytest.mark.parametrize(
    ("name", "text", "count", "first"),
    [
        (
            "p.csv",
            f"ext,pin\n1001,{PIN}\n1001,720512\n",
            1,
            "line 3: extension 1001 is there",
        ),
        ("p.csv", "ext,pin\n1001,72x511\n1002,1\n", 2, "line 2, pin: it is no PIN"),
        ("p.csv", f"ext,pin\n,{PIN}\n", 1, "line 2: it has no extension, or no PIN"),
        ("p.csv", "ext,name\n1001,Alice\n", 1, "line 1: there is no column pin"),
        ("p.csv", f"1001,{PIN}\n", 1, "line 1: there is no column extension and there is no"),
        ("p.toml", "[pins]\n1001 = 720511\n", 1, "column pins, entry 1: it is no extension with"),
        ("p.toml", f'[pins]\n{PIN}x = "{PIN}"\n', 1, "column pins, entry 1: it is no extension"),
        ("p.toml", f'[pin]\n1001 = "{PIN}"\n', 1, "file: it must have the table [pins]"),
    ],
)
def test_what_is_wrong_is_told_without_any_pin(tmp_path, name, text, count, first):
    with pytest.raises(SecretsInvalid) as caught:
        read_secrets(kept(tmp_path, text, name))

    assert caught.value.count == count
    assert caught.value.first.startswith(first)
    for secret in (PIN, "720512", "72x511"):
        assert secret not in str(caught.value.facts())


def test_torn_toml_is_not_repeated(tmp_path):
    with pytest.raises(RosterUnreadable) as caught:
        read_secrets(kept(tmp_path, f"[pins]\n1001 = {PIN}x\n", "p.toml"))

    assert PIN not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_first_source_that_knows_counts():
    roster = Roster("r", (ALICE, BOB), {3: "000002"})
    keyed = KeyedPins()
    secrets = Secrets((FilePins(None, {"1001": PIN}), roster, keyed))

    assert secrets.secret(ALICE)() == PIN
    assert secrets.secret(BOB)() == "000002"
    assert secrets.order(ALICE) == CredentialOrder(
        (Way.PIN,), "1001", "the roster has an extension"
    )
    assert PIN not in repr(secrets)


def test_a_pin_that_nobody_knows_is_missing_until_it_is_keyed_in():
    keyed = KeyedPins()
    secrets = Secrets((keyed,))
    give = secrets.secret(ALICE)

    assert secrets.lacks(ALICE)
    with pytest.raises(SecretMissing, match="sip:alice"):
        give()
    keyed.give(ALICE, f" {PIN}\n")
    assert not secrets.lacks(ALICE)
    assert give() == PIN
    keyed.forget(ALICE)
    assert secrets.lacks(ALICE)


def test_what_is_no_pin_is_not_taken_and_not_repeated():
    with pytest.raises(ValueError, match="no PIN") as caught:
        KeyedPins().give(ALICE, "72-05")

    assert "72-05" not in str(caught.value)


def test_a_pin_needs_an_extension():
    nobody = RosterEntry(4, "", "sip:carol@contoso.test")
    keyed = KeyedPins()
    keyed.give(nobody, PIN)

    assert Secrets((keyed,)).lacks(nobody)


def test_one_account_proves_all_and_is_asked_for_once():
    asked = []
    order = CredentialOrder((Way.NTLM,), "CONTOSO\\enrol")
    secrets = Secrets((), Account(order, asked_once(lambda: asked.append(1) or "secret-word")))

    given = []
    threads = [
        threading.Thread(target=lambda: given.append(secrets.secret(ALICE)())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert given == ["secret-word"] * 8
    assert asked == [1]
    assert not secrets.lacks(BOB)
    assert secrets.order(BOB) is order
    assert "secret-word" not in repr(secrets)


@posix
def test_a_pin_that_is_corrected_in_the_file_counts_when_it_is_read_again(tmp_path):
    path = kept(tmp_path, "extension,pin\n1001,999999\n")
    secrets = Secrets((read_secrets(path), KeyedPins()))
    kept(tmp_path, f"extension,pin\n1001,{PIN}\n")
    assert secrets.secret(ALICE)() == "999999"

    secrets.read_again()

    assert secrets.secret(ALICE)() == PIN


@posix
def test_a_file_that_cannot_be_read_again_leaves_the_pins_as_they_were(tmp_path):
    path = kept(tmp_path, f"extension,pin\n1001,{PIN}\n")
    secrets = Secrets((read_secrets(path),))
    path.chmod(0o644)

    with pytest.raises(SecretsUnsafe):
        secrets.read_again()
    assert secrets.secret(ALICE)() == PIN
