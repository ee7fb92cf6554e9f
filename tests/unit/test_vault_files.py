"""A file of the vault: damage, alteration, a wrong passphrase are told apart, and give no key."""

import hashlib
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from usbprov.errors import (
    VaultAltered,
    VaultCostRefused,
    VaultError,
    VaultPassphraseWrong,
    VaultTooNew,
    VaultTruncated,
)
from usbprov.pki.keys import generate_rsa, to_pkcs8
from usbprov.pki.scrypt import DEFAULT_COST, MOST_MEMORY, Cost
from usbprov.pki.vault import pbes2
from usbprov.pki.vault.container import compose, read
from usbprov.pki.vault.entry import Binding, Device, Entry, from_json, to_json
from usbprov.pki.vault.keys import Kdf, Passphrase

CHEAP = Cost(1 << 10, 8, 1)
WORDS = "correct horse battery"
PHONE = Device("LAB1", "02:00:00:00:00:01")
AT = datetime(2026, 11, 29, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    entry: Entry
    pkcs8: bytes
    data: bytes


@cache
def passphrase(text: str = WORDS) -> Passphrase:
    return Passphrase(text)


@cache
def made() -> Made:
    key = generate_rsa()
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    entry = Entry(
        "sip:älice@contoso.test", spki, AT, (Binding(PHONE, AT),), Kdf(b"s" * 16, CHEAP), b"i" * 16
    )
    return Made(entry, to_pkcs8(key), written(entry, to_pkcs8(key)))


def written(entry: Entry, pkcs8: bytes) -> bytes:
    keys = passphrase().keys(entry.kdf)
    return compose(entry, pbes2.encrypt(pkcs8, keys.encryption, entry.kdf, entry.iv), keys)


def again(data: bytes) -> bytes:
    """Put size and digest right, as somebody does who alters a file on purpose."""
    body = data[: data.rindex(b"sha256 ")]
    size = f"usbprov vault 1 {len(data):08d}\n".encode()
    body = size + body.partition(b"\n")[2] if body.startswith(b"usbprov vault 1 ") else body
    return body + f"sha256 {hashlib.sha256(body).hexdigest()}\n".encode()


def opened(data: bytes, words: str = WORDS) -> bytes:
    stored = read(data, "a.vault")
    return stored.open(passphrase(words).keys(stored.entry.kdf))


def test_a_file_gives_back_what_was_stored() -> None:
    assert opened(made().data) == made().pkcs8
    assert read(made().data, "a.vault").entry == made().entry


def test_nothing_of_the_private_key_is_in_the_clear() -> None:
    secret = made().pkcs8
    assert all(secret[at : at + 16] not in made().data for at in range(400, len(secret) - 16))


def test_a_file_that_was_cut_anywhere_is_called_truncated() -> None:
    for size in range(len(made().data)):
        with pytest.raises(VaultTruncated) as caught:
            read(made().data[:size], "a.vault")
        assert caught.value.size == size


def test_a_bit_that_was_flipped_anywhere_is_called_an_alteration() -> None:
    data = bytearray(made().data)
    for at in range(len(data)):
        for bit in (1, 2, 4, 8, 16, 32, 64, 128):
            data[at] ^= bit
            with pytest.raises(VaultAltered):
                read(bytes(data), "a.vault")
            data[at] ^= bit


@given(st.data())
def test_whatever_becomes_of_a_file_it_has_an_error_of_its_own(draw: st.DataObject) -> None:
    """Several alterations at once, with the digest put right: nobody gets the key."""
    data = bytearray(made().data)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(data) - 1))
        data[at : at + draw.draw(st.integers(0, 3))] = draw.draw(st.binary(max_size=3))
    altered = bytes(data)
    if draw.draw(st.booleans()) and b"sha256 " in altered:
        altered = again(altered)
    if altered == made().data:
        return
    with pytest.raises(VaultError):
        opened(altered)


@given(st.binary(max_size=300))
@example(b"")
@example(b"usbprov vault 1 00000025\nsha256 " + b"0" * 64 + b"\n")
def test_a_foreign_file(data: bytes) -> None:
    with pytest.raises(VaultTruncated if data == b"" else VaultError):
        read(data, "a.vault")


def test_a_wrong_passphrase() -> None:
    with pytest.raises(VaultPassphraseWrong):
        opened(made().data, "incorrect horse battery")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"contoso.test", b"contoso.evil", id="user"),
        pytest.param(b"02:00:00:00:00:01", b"02:00:00:00:00:02", id="device"),
        pytest.param(b"2026-11-29T12", b"2026-11-29T13", id="time"),
        pytest.param(b'"iv":"69', b'"iv":"68', id="initialisation vector"),
    ],
)
def test_words_that_were_altered_on_purpose(old: bytes, new: bytes) -> None:
    altered = again(made().data.replace(old, new))
    assert read(altered, "a.vault")
    with pytest.raises(VaultAltered, match="MAC"):
        opened(altered)


def test_a_key_that_was_exchanged_for_another_of_the_same_vault() -> None:
    other = written(replace(made().entry, user="sip:eve@contoso.test"), made().pkcs8)
    begin, end = b"-----BEGIN", b"-----\ncheck"
    mine = made().data[: made().data.index(begin)] + other[other.index(begin) :]
    with pytest.raises(VaultAltered, match="MAC"):
        opened(again(mine))
    assert end in mine


def test_a_newer_version_is_refused_and_a_flipped_version_is_not_one() -> None:
    newer = made().data.replace(b"usbprov vault 1", b"usbprov vault 2", 1)
    with pytest.raises(VaultAltered):
        read(newer, "a.vault")
    with pytest.raises(VaultTooNew) as caught:
        read(again(newer), "a.vault")
    assert (caught.value.found, caught.value.known) == (2, 1)


@pytest.mark.parametrize(
    "cost",
    [
        Cost(1 << 40, 8, 1),
        Cost(1 << 20, 1 << 20, 1),
        Cost(1 << 17, 8, 1 << 20),
        Cost(1 << 20, 8, 16),
        Cost(1 << 4, 8, 1),
        Cost(3000, 8, 1),
        Cost(0, 8, 1),
        Cost(1 << 17, 0, 1),
        Cost(-1024, -8, -1),
    ],
    ids=str,
)
def test_parameters_that_would_exhaust_the_computer_are_refused(cost: Cost) -> None:
    hostile = to_json(made().entry).replace(
        '"n":1024,"p":1,"r":8', f'"n":{cost.n},"p":{cost.p},"r":{cost.r}'
    )
    altered = again(made().data.replace(to_json(made().entry).encode(), hostile.encode()))
    with pytest.raises(VaultCostRefused):
        read(altered, "a.vault")


def test_the_cost_that_is_taken_is_bearable() -> None:
    assert DEFAULT_COST.is_bearable
    assert DEFAULT_COST.n * DEFAULT_COST.r * DEFAULT_COST.p >= 1 << 20
    assert DEFAULT_COST.memory < 32 << 20, "the openssl command takes no more"
    assert DEFAULT_COST.memory < MOST_MEMORY


def test_a_description_is_read_in_one_form_only() -> None:
    line = to_json(made().entry)
    assert from_json(line) == made().entry
    for altered in (line + " ", line.replace('"p":1', '"p":true'), "{}", "[]", "1", "[" * 9999):
        with pytest.raises(ValueError, match="description"):
            from_json(altered)


def test_openssl_opens_a_file_of_the_vault(tmp_path: Path) -> None:
    file = tmp_path / "a.vault"
    file.write_bytes(made().data)
    told = subprocess.run(
        ["openssl", "pkey", "-in", file, "-passin", f"pass:{WORDS}", "-outform", "DER"],
        capture_output=True,
        check=True,
    ).stdout
    assert told == key_of(made().pkcs8)
    refused = subprocess.run(
        ["openssl", "pkey", "-in", file, "-passin", "pass:wrong"], capture_output=True, check=False
    )
    assert refused.returncode != 0


def key_of(pkcs8: bytes) -> bytes:
    """Return the key as the stock command writes it."""
    return subprocess.run(
        ["openssl", "pkey", "-inform", "DER", "-outform", "DER"],
        input=pkcs8,
        capture_output=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("size", [1, 15, 16, 100, 127, 128, 240, 255, 256, 1217, 65535, 70000])
def test_keys_of_every_length(size: int) -> None:
    kdf, iv = Kdf(b"s" * 16, CHEAP), b"i" * 16
    info = pbes2.encrypt(b"k" * size, b"K" * 32, kdf, iv)
    assert pbes2.decrypt(pbes2.from_pem(pbes2.to_pem(info)), b"K" * 32, kdf, iv) == b"k" * size
